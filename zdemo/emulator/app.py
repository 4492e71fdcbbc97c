"""The emulator as a WSGI application: what happens to a request before and after its endpoint."""

import logging
import posixpath
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from zdemo.emulator import api, health, oidc
from zdemo.emulator.bodies import body_of
from zdemo.emulator.host import Origin
from zdemo.emulator.oidc.answers import OAuthError, is_preflight
from zdemo.emulator.world import World

Environ = dict[str, Any]

CONNECT_PREFIX = "/zitadel."
CODES = {404: (5, "Not Found"), 405: (12, "Method Not Allowed")}  # gRPC's numbers
PATH_LIMIT = 200
FAILURE = "zdemo.emulator.failure"  # where a request's environment holds a defect of ours

log = logging.getLogger("zdemo.emulator")


def create_app(world: World) -> Flask:
    """Build the application around a world, which it reads and changes."""
    app = Flask("zdemo.emulator", static_folder=None)
    app.url_map.merge_slashes = False
    app.before_request(lambda: _choose_instance(world))
    app.after_request(_keep_robots_away)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected_error)
    app.register_blueprint(health.blueprint)
    oidc.register(app, world)
    api.register(app, world)
    app.wsgi_app = _Front(app.wsgi_app, world)  # type: ignore[method-assign]  # Flask's own way to wrap it
    return app


class _Front:
    """Cleans the path, reads the body, then lets one request at a time through to the world, and logs it."""

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
            log.info("%s %s %s %.1f ms", environ["REQUEST_METHOD"], _shown(path), statuses[-1], milliseconds)
        return body

    def _answer(self, environ: Environ, path: str, start: Callable[..., Any]) -> Iterable[bytes]:
        if (clean := _clean_path(path)) != path:
            query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
            location = quote(clean.encode("latin-1"), safe="/:@!$&'()*+,;=~%") + query
            start("301 Moved Permanently", [("Location", location), ("Content-Length", "0")])
            return []
        try:
            content = body_of(environ["wsgi.input"])
        except (OSError, ValueError):
            start("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")])
            return [b"400 Bad Request"]
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(content), str(len(content))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        with self._world.lock:
            body = self._app(environ, start)
        if (error := environ.get(FAILURE)) is not None:  # unlocked, since nobody may be reading what is logged
            log.error("%s %s failed", environ["REQUEST_METHOD"], _shown(path), exc_info=error)
        return body


def _shown(path: str) -> str:
    return quote(path.encode("latin-1"), safe="/:@%")[:PATH_LIMIT]


def _clean_path(path: str) -> str:
    """A path without empty, ``.`` and ``..`` steps; a slash at the end stays."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def _choose_instance(world: World) -> Response | None:
    path = request.path
    if path.startswith("/debug/") or is_preflight():
        return None
    origin = Origin.of(request.environ)
    if (refusal := origin.refusal(world.external_domain)) is None:
        g.origin = origin
        return None
    log.info("%s", refusal.message_with_parent())
    if path.startswith(oidc.PREFIXES):
        return refusal.as_text()
    code: object = "not_found" if path.startswith(CONNECT_PREFIX) else 5
    answer = jsonify(code=code, message=refusal.message_with_parent())
    answer.status_code = 404
    return answer


def _keep_robots_away(answer: Response) -> Response:
    answer.headers["X-Robots-Tag"] = "none"
    return answer


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code, message = CODES.get(status, (13, "Internal Server Error"))
    answer = jsonify(code=code, message=message)
    answer.status_code = status
    return answer


def _unexpected_error(error: Exception) -> Response:
    request.environ[FAILURE] = error
    if request.path.startswith(oidc.PREFIXES):
        return OAuthError("server_error", "Errors.Internal", status=500).answer()
    answer = jsonify(code=13, message="Errors.Internal")
    answer.status_code = 500
    return answer
