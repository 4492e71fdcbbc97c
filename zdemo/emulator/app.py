"""The emulator as a WSGI application: what happens to a request before and after its endpoint."""

import logging
import posixpath
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import astuple
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from zdemo.emulator import api, login_page, oidc
from zdemo.emulator.api.protocols import NO_PATH, as_json
from zdemo.emulator.faults import Faults, Faulty, is_control
from zdemo.emulator.grpc.web import with_protobuf
from zdemo.emulator.incoming.body import MOST_LARGE_BODIES, TOO_LARGE, read_body
from zdemo.emulator.incoming.origin import Origin
from zdemo.emulator.incoming.reasons import Reason
from zdemo.emulator.incoming.request_records import MESSAGE, NUMBER, REQUESTS_LOG, RequestRecord, masked, note, notes_of
from zdemo.emulator.oidc.responses import PLAIN, OAuthError, add_headers, is_preflight, not_found
from zdemo.emulator.world import World

Environ = dict[str, Any]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
REASONS = {404: "no such path", 405: "the path does not allow this method"}  # what a status says by itself
INTERNAL = {"code": 13, "message": "Internal Server Error"}  # gRPC's numbers
CODES = {404: NO_PATH, 405: {"code": 12, "message": "Method Not Allowed"}}
LONGEST_NOTE = 500  # characters of a reason, which can repeat what was sent, or of a name
TOKEN_LIKE = re.compile(r"eyJ[\w-]+\.[\w.-]*|[\w-]{40,}", re.ASCII)

METRICS = '# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{service_name="ZITADEL"} 1\n'
HEALTH: dict[str, tuple[str, str]] = {  # path -> content and its type: all is well, since no database can fail
    "/debug/healthz": ("ok", PLAIN),
    "/debug/ready": ('"ok"', "application/json"),
    "/debug/validate": ('"ok"', "application/json"),
    "/debug/metrics": (METRICS, "text/plain; version=0.0.4; charset=utf-8"),
    **dict.fromkeys(api.HEALTH_PATHS, ("{}", "application/json")),
}

log, requests_log = logging.getLogger("zdemo.emulator"), logging.getLogger(REQUESTS_LOG)


def create_app(world: World, records: deque[RequestRecord], faults: Faults) -> Flask:
    """Build the application around a world, which it reads and changes; it adds each request to ``records``."""
    app = Flask("zdemo.emulator", static_folder=None)
    app.url_map.merge_slashes = False
    app.before_request(lambda: _choose_instance(world))
    app.after_request(_add_headers)
    app.register_error_handler(OAuthError, lambda error: error.answer())
    app.register_error_handler(HTTPException, lambda error: as_json(error.code, CODES.get(error.code, INTERNAL)))
    app.register_error_handler(Exception, _unexpected_error)

    def answer(_: str = "") -> Response:
        path = request.path
        if path in HEALTH and request.method in ("GET", "HEAD"):
            content, media = HEALTH[path]
            return Response(content, content_type=media)
        if path.startswith(oidc.PREFIXES):
            return oidc.answer(world)
        return login_page.answer(world) if path in login_page.PATHS else api.answer(world)

    for rule in ("/", "/<path:_>"):  # two, since werkzeug takes 10 ms to build one for each path
        app.add_url_rule(rule, "answer", answer, methods=METHODS)
    front = _Front(with_protobuf(Faulty(app.wsgi_app, faults, world.external_domain)), records)
    app.wsgi_app = front  # type: ignore[method-assign]  # Flask's own way to wrap it
    return app


class _Front:
    """The outermost layer: cleans the path, reads the body before the world is locked, and logs each request."""

    def __init__(self, app: Callable[..., Iterable[bytes]], records: deque[RequestRecord]) -> None:
        self._app, self._records = app, records
        self._room = threading.BoundedSemaphore(MOST_LARGE_BODIES)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        at, started = time.time(), time.perf_counter()
        statuses: list[str] = []

        def start(status: str, *rest: Any) -> Any:
            statuses.append(status[:3])
            return start_response(f"{status[:3]} {HTTPStatus(int(status[:3])).phrase}", *rest)

        path = environ["PATH_INFO"]
        body = self._answer(environ, path, start)
        notes = {name: str(fact)[:LONGEST_NOTE] for name, fact in notes_of(environ).items()}
        reason = notes_of(environ).get("reason")
        status = int(notes.pop("status", "") or (statuses[-1] if statuses else 0))  # 0: nothing was sent
        record = RequestRecord(
            at=at,
            method=_shown(environ["REQUEST_METHOD"]),
            path=_shown(path),
            status=status,
            milliseconds=(time.perf_counter() - started) * 1000,
            number=environ.get(NUMBER, 0),
            why=reason.why.name if isinstance(reason, Reason) else "",
            details=reason[1:3] if isinstance(reason, Reason) else (),
            **{"reason": REASONS.get(status, "")} | notes,
        )
        if not is_control(environ):
            self._records.append(record)
            requests_log.info(MESSAGE, *astuple(record))  # last, since this can block: the world is not locked here
        return body

    def _answer(self, environ: Environ, path: str, start: Callable[..., Any]) -> Iterable[bytes]:
        clean = posixpath.normpath("/" + path.lstrip("/"))
        clean += "/" if path.endswith("/") and clean != "/" else ""
        if clean != path:
            query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
            location = quote(clean.encode("latin-1"), safe="/:@!$&'()*+,;=~%") + query
            notes_of(environ)["reason"] = "the path has empty, . or .. segments"
            start("301 Moved Permanently", [("Location", location), ("Content-Length", "0")])
            return []
        with ExitStack() as held:

            def take_room() -> None:
                if not self._room.acquire(blocking=False):
                    raise BlockingIOError("there are too many large requests")
                held.callback(self._room.release)

            try:
                content = read_body(environ, take_room)
            except (OSError, ValueError) as error:
                notes_of(environ)["reason"] = str(error) or "the body did not arrive"
                too_many = isinstance(error, BlockingIOError)
                status = "503 Service Unavailable" if too_many else "400 Bad Request"
                start(status, [("Content-Type", PLAIN), *([("Retry-After", "1")] if too_many else [])])
                return [status.encode()]
            environ[TOO_LARGE], content = content is None, content or b""
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(content), str(len(content))
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            return self._app(environ, start)


def _shown(path: str) -> str:
    quoted = quote(path.encode("latin-1"), safe="/:@%")
    return TOKEN_LIKE.sub(lambda token: masked(token[0]).replace("…", "..."), quoted)[:200]


def _choose_instance(world: World) -> Response | None:
    path = request.path
    if path.startswith("/debug/") or is_preflight():  # these ignore Host
        return None
    origin = Origin.of(request.environ)
    if not (message := origin.refusal(world.external_domain, world.other_domains)):
        g.origin = origin
        return None
    note(reason=f"no instance for host {origin.requested_host}")
    if path.startswith(oidc.PREFIXES):
        return not_found(message)
    return as_json(404, {"code": "not_found" if path.startswith("/zitadel.") else 5, "message": message})


def _add_headers(answer: Response) -> Response:
    answer.headers["X-Robots-Tag"] = "none"
    return add_headers(answer) if request.path.startswith(oidc.PREFIXES) else answer


def _unexpected_error(error: Exception) -> Response:
    log.error("%s %s failed", _shown(request.method), _shown(request.environ["PATH_INFO"]), exc_info=error)
    if request.path.startswith(oidc.PREFIXES):
        return OAuthError("server_error", "Errors.Internal", status=500).answer()
    return as_json(500, {"code": 13, "message": "Errors.Internal"})
