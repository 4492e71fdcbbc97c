"""The API as a Flask app: routes, guard, a JSON answer for everything, and one log line a request."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from urllib.parse import quote

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, ServiceUnavailable

from zdemo.config import Settings
from zdemo.introspection import Introspector
from zdemo.places import Places
from zdemo.server.guard import FORM, protect, refusal, request_id
from zdemo.server.routes import api

access_log = logging.getLogger("zdemo.access")
LARGEST_BODY_BYTES = 64 * 1024
MOST_BODIES = 2  # read at once: no server bounds how slowly a client sends one, and each that is read holds a thread
WAIT_FOR_BODY_SECONDS = 0.1
LONGEST_LOGGED_PATH = 200
LONGEST_LOGGED_METHOD = 16
PATH_CHARACTERS = "/:@!$&'()*+,;=~"
KEPT_HEADERS = ("allow", "retry-after")  # of werkzeug's own errors
BODIES = "zdemo.bodies"


def create_app(settings: Settings | None = None, introspector: Introspector | None = None) -> Flask:
    """The API of this example, for any WSGI server.

    Without ``settings`` they are read from the environment and ``.env``; without an ``introspector`` ZITADEL is asked.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    app = Flask("zdemo", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1  # of a chunked body, werkzeug silently drops what is over
    app.url_map.merge_slashes = False  # else // is redirected, in HTML, to whatever host the request named
    app.extensions[BODIES] = Places(MOST_BODIES, wait_seconds=WAIT_FOR_BODY_SECONDS)
    protect(app, settings, introspector)
    app.register_blueprint(api)
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)
    return app


def _begin() -> None:
    g.started = time.perf_counter()
    if (request.content_length or 0) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge
    if "Transfer-Encoding" in request.headers or (request.content_length and request.mimetype == FORM):
        _read_body()


def _read_body() -> None:
    """Read a body of unknown length, or one that the guard looks into; views of this API read none."""
    bodies: Places = current_app.extensions[BODIES]
    place = bodies.take()
    if place is None:
        raise ServiceUnavailable(retry_after=1)
    try:
        if len(request.get_data(cache=True)) > LARGEST_BODY_BYTES:
            raise RequestEntityTooLarge
    finally:
        bodies.give_back(place)


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id()
    if access_log.isEnabledFor(logging.INFO):
        access_log.info(
            "%s %s %d %s %s %.1f ms",
            quote(request.method[:LONGEST_LOGGED_METHOD]),
            quote(request.path, safe=PATH_CHARACTERS)[:LONGEST_LOGGED_PATH],
            response.status_code,
            g.get("outcome", "ok"),
            g.request_id,
            (time.perf_counter() - g.started) * 1000,
        )
    return response


def _answer_http_error(error: HTTPException) -> Response:
    status = HTTPStatus(error.code or 500)
    response = refusal(status, status.phrase.lower().replace(" ", "_"), status.description or status.phrase)
    for name, value in error.get_headers():
        if name.lower() in KEPT_HEADERS:
            response.headers[name] = value
    return response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(500, "internal_server_error", "something went wrong here: this API's log says what")
