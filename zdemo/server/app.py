"""The API as a Flask app: routes, guard, JSON for every answer, and one log line per request."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from zdemo.config.masking import LEAST_TOKEN_LIKE, long_keys, masked, token_like
from zdemo.config.settings import Settings
from zdemo.guard import DEFAULT_THREADS, load_settings
from zdemo.introspection.build import build_introspector
from zdemo.introspection.counters import Counters
from zdemo.introspection.model import Introspection, Introspector
from zdemo.server.guard import logger, protect, refusal, request_id
from zdemo.server.health import Readiness, operations
from zdemo.server.logs import ACCESS_LOG, ACCESS_MESSAGE
from zdemo.server.request_bodies import BodyTooSlow, check_body, cut_connection_after, limit_bodies
from zdemo.server.routes import api

if TYPE_CHECKING:
    from zdemo.server.metrics import Metrics

access_log = logging.getLogger(ACCESS_LOG)
LONGEST_LOGGED_PATH = 200
LONGEST_SEARCHED_PATH = LONGEST_LOGGED_PATH + LEAST_TOKEN_LIKE  # a token at the end must be long enough to be known
JWT_START = re.compile(r"(?a:eyJ[\w-]+\.[\w.-]*)")  # its end may be cut off
LONGEST_LOGGED_METHOD = 16
LONGEST_CALLER = 60  # characters; ZITADEL takes names of up to 200
PATH_CHARACTERS = "/:@!$&'()*+,;=~"
NO_ROUTE = "none"
KEPT_HEADERS = ("allow", "retry-after")  # from werkzeug's errors
DESCRIPTIONS = {404: "no such path", 405: "the path does not allow this method"}


def create_app(
    settings: Settings | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
    spare_threads: int = 0,
    open_metrics: bool = False,
) -> Flask:
    """Return the example API, for any WSGI server; the arguments are those of ``protect``.

    With ``open_metrics``, ``/metrics`` answers everybody who reaches the API; otherwise nothing is counted for it.
    Raises SettingsError.
    """
    settings = settings or load_settings(logger)
    counters = Counters()
    ask: Callable[[str], Introspection]
    if introspector:
        ask = introspector.introspect
    else:
        built = build_introspector(settings, threads=threads, spare_threads=spare_threads, counters=counters)
        introspector, ask = (
            built,
            partial(built.introspect, own=True),
        )  # else readiness is a matter of luck in a flood
    metrics = _new_metrics(counters) if open_metrics else None
    app = Flask("zdemo", static_folder=None)
    app.url_map.merge_slashes = False  # else // is redirected, in HTML, to whatever host the request named
    limit_bodies(app, threads=threads)
    protect(app, settings, introspector)
    app.register_blueprint(api)
    app.register_blueprint(operations(Readiness(ask), metrics.text if metrics else None))
    app.before_request(_begin)
    app.after_request(_finisher(metrics))
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)
    return app


def _new_metrics(counters: Counters) -> Metrics:
    from zdemo.server.metrics import Metrics  # here, since it takes 30 ms and most APIs serve no metrics

    return Metrics(counters)


def _begin() -> None:
    g.started = time.perf_counter()
    check_body()


@lru_cache(maxsize=1024)
def _shown(text: str) -> str:
    """Return a part of a request as it is logged: escaped, and without tokens, which some clients put into a path.

    Cached, since most requests have the same few.
    """
    return quote(_without_tokens(text), safe=PATH_CHARACTERS)


def _without_tokens(text: str) -> str:
    text = JWT_START.sub(lambda jwt: _masked(jwt[0]), text)
    for find in (long_keys, token_like):  # the latter may take a key and the names around it for one token
        for token in find(text):
            text = text.replace(token, _masked(token))
    return text


def _masked(token: str) -> str:
    return masked(token).replace("…", "...")  # a path in the log is ASCII


def _finisher(metrics: Metrics | None) -> Callable[[Response], Response]:
    """Return the hook that counts each request, if there are metrics, and logs it."""

    def finish(response: Response) -> Response:
        held = g._get_current_object()  # once, since each look through the proxy takes time
        response.headers["X-Request-ID"] = identity = request_id()
        seconds = time.perf_counter() - held.started
        outcome = held.get("outcome", "ok")
        received: Request = request._get_current_object()  # type: ignore[attr-defined]  # the object behind the proxy
        if metrics is not None:
            metrics.observe(received.endpoint or NO_ROUTE, outcome, seconds)
        if access_log.isEnabledFor(logging.INFO):
            introspection = held.get("introspection") or held.get("refused_introspection")
            access_log.info(
                ACCESS_MESSAGE,
                _shown(received.method[:LONGEST_LOGGED_METHOD]),
                _shown(received.path[:LONGEST_SEARCHED_PATH])[:LONGEST_LOGGED_PATH],
                response.status_code,
                outcome,
                identity,
                seconds * 1000,
                introspection.source if introspection else None,
                _caller(introspection) if introspection else None,
                held.get("reason"),
            )
        return response

    return finish


def _caller(introspection: Introspection) -> str | None:
    """Return whose token it was, by name if ZITADEL gives one."""
    return _shown_name(introspection.text("username") or introspection.text("sub")) or None


@lru_cache(maxsize=1024)
def _shown_name(name: str) -> str:
    """Return a caller's name as it is logged: what answers for ZITADEL may repeat a secret in it. Cached as above."""
    return _without_tokens(name[:LONGEST_SEARCHED_PATH])[:LONGEST_CALLER]


def _answer_http_error(error: HTTPException) -> Response:
    status = error.code or 500
    name = error.name.lower().replace(" ", "_")  # werkzeug's, since Python renames statuses between its versions
    response = refusal(status, name, DESCRIPTIONS.get(status) or error.description or error.name)
    for header, value in error.get_headers():
        if header.lower() in KEPT_HEADERS:
            response.headers[header] = value
    return cut_connection_after(response) if isinstance(error, BodyTooSlow) else response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(500, "internal_server_error", "unexpected error; see this API's log")
