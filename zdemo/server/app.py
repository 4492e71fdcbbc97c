"""The API as a Flask app: routes, guard, a JSON answer for everything, and one log line a request."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from urllib.parse import quote

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from zdemo.config import Settings
from zdemo.introspection import Introspector
from zdemo.server.guard import protect, refusal, request_id
from zdemo.server.routes import api

access_log = logging.getLogger("zdemo.access")
LARGEST_BODY_BYTES = 64 * 1024
LONGEST_LOGGED_PATH = 200
LONGEST_LOGGED_METHOD = 16
PATH_CHARACTERS = "/:@!$&'()*+,;=~"


def create_app(settings: Settings | None = None, introspector: Introspector | None = None) -> Flask:
    """The API of this example, for any WSGI server.

    Without ``settings`` they are read from the environment and ``.env``; without an ``introspector`` ZITADEL is asked.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    app = Flask("zdemo", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1  # of a chunked body, werkzeug silently drops what is over
    protect(app, settings, introspector)
    app.register_blueprint(api)
    app.before_request(_begin)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)
    return app


def _begin() -> None:
    g.started = time.perf_counter()
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    if has_body and len(request.get_data(cache=True)) > LARGEST_BODY_BYTES:  # read here, since no view would
        raise RequestEntityTooLarge


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
        if name.lower() == "allow":
            response.headers[name] = value
    return response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(500, "internal_server_error", "something went wrong here: this API's log says what")
