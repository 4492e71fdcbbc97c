"""The emulator as a WSGI application: what happens to a request before and after its endpoint."""

import logging
import posixpath
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from zdemo.emulator import api, oidc
from zdemo.emulator.host import Origin
from zdemo.emulator.oidc.forms import LARGEST_FORM_BYTES
from zdemo.emulator.oidc.responses import OAuthError, is_preflight, not_found
from zdemo.emulator.world import World

Environ = dict[str, Any]

CONNECT_PREFIX = "/zitadel."
CODES = {404: (5, "Not Found"), 405: (12, "Method Not Allowed")}  # gRPC's numbers
PATH_LIMIT = 200
PIECE_BYTES = 1024 * 1024
FAILURE = "zdemo.emulator.failure"  # key in a request's environment for an exception that the emulator did not expect

METRICS = """\
# HELP target_info Target metadata
# TYPE target_info gauge
target_info{service_name="ZITADEL"} 1
"""
HEALTH: dict[str, tuple[str, str]] = {  # path -> content and its type: all is well, since no database can fail
    "/debug/healthz": ("ok", "text/plain; charset=utf-8"),
    "/debug/ready": ('"ok"', "application/json"),
    "/debug/validate": ('"ok"', "application/json"),
    "/debug/metrics": (METRICS, "text/plain; version=0.0.4; charset=utf-8"),
    **dict.fromkeys(api.HEALTH_PATHS, ("{}", "application/json")),
}

log = logging.getLogger("zdemo.emulator")


def create_app(world: World) -> Flask:
    """Build the application around a world, which it reads and changes."""
    app = Flask("zdemo.emulator", static_folder=None)
    app.url_map.merge_slashes = False
    app.before_request(lambda: _choose_instance(world))
    app.after_request(_keep_robots_away)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)
    for path, (content, media) in HEALTH.items():
        app.add_url_rule(path, path, partial(Response, content, content_type=media))
    oidc.register(app, world)
    api.register(app, world)
    app.wsgi_app = _Front(app.wsgi_app, world)  # type: ignore[method-assign]  # Flask's own way to wrap it
    return app


class _Front:
    """The outermost layer: cleans the path, reads the body, lets one request at a time to the world, and logs it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], world: World) -> None:
        self._app = app
        self._world = world

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        statuses: list[str] = []

        def start(status: str, *rest: Any) -> Any:
            statuses.append(status[:3])
            return start_response(f"{status[:3]} {HTTPStatus(int(status[:3])).phrase}", *rest)

        path = environ["PATH_INFO"]
        body = self._answer(environ, path, start)
        if log.isEnabledFor(logging.INFO):
            milliseconds = (time.perf_counter() - started) * 1000
            log.info("%s %s %s %.1f ms", _shown(environ["REQUEST_METHOD"]), _shown(path), statuses[-1], milliseconds)
        return body

    def _answer(self, environ: Environ, path: str, start: Callable[..., Any]) -> Iterable[bytes]:
        if (clean := _clean_path(path)) != path:
            query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
            location = quote(clean.encode("latin-1"), safe="/:@!$&'()*+,;=~%") + query
            start("301 Moved Permanently", [("Location", location), ("Content-Length", "0")])
            return []
        try:
            content = _read_body(environ["wsgi.input"])
        except (OSError, ValueError):
            start("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")])
            return [b"400 Bad Request"]
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(content), str(len(content))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        with self._world.lock:
            body = self._app(environ, start)
        if (error := environ.get(FAILURE)) is not None:  # after unlocking, since writing a log can block
            log.error("%s %s failed", _shown(environ["REQUEST_METHOD"]), _shown(path), exc_info=error)
        return body


def _read_body(source: BinaryIO) -> bytes:
    """Read a body to its end, before the world is locked, and return it cut off one byte above the largest limit.

    Raises OSError or ValueError if it cannot be read to its end.
    """
    kept = bytearray()
    while piece := source.read(PIECE_BYTES):
        kept += piece[: LARGEST_FORM_BYTES + 1 - len(kept)]
    return bytes(kept)


def _shown(path: str) -> str:
    return quote(path.encode("latin-1"), safe="/:@%")[:PATH_LIMIT]


def _clean_path(path: str) -> str:
    """Return a path without empty, ``.`` and ``..`` steps; a slash at the end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _choose_instance(world: World) -> Response | None:
    path = request.path
    if path.startswith("/debug/") or is_preflight():  # these ignore Host
        return None
    origin = Origin.of(request.environ)
    if (refusal := origin.refusal(world.external_domain)) is None:
        g.origin = origin
        return None
    message, with_parent = refusal
    log.info("%s", with_parent)
    if path.startswith(oidc.PREFIXES):
        return not_found(message)
    return _json_error(404, "not_found" if path.startswith(CONNECT_PREFIX) else 5, with_parent)


def _keep_robots_away(answer: Response) -> Response:
    answer.headers["X-Robots-Tag"] = "none"
    return answer


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    return _json_error(status, *CODES.get(status, (13, "Internal Server Error")))


def _unexpected_error(error: Exception) -> Response:
    request.environ[FAILURE] = error
    if request.path.startswith(oidc.PREFIXES):
        return OAuthError("server_error", "Errors.Internal", status=500).answer()
    return _json_error(500, 13, "Errors.Internal")


def _json_error(status: int, code: str | int, message: str) -> Response:
    answer = jsonify(code=code, message=message)
    answer.status_code = status
    return answer
