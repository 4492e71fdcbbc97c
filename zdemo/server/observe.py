"""One layer around the app: each request gets an ID and is timed, and each answer is counted and logged.

It is a layer of WSGI, since Flask's hooks take longer for the same. The app and its guard leave what only they know in
the request's ``environ``, under the keys below.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from flask import Request

from zdemo.guard.guard import new_request_id
from zdemo.server.logs import ACCESS_LOG, ACCESS_MESSAGE
from zdemo.server.watcher import INTROSPECTION, OUTCOME, REASON, TracedCall, Watcher
from zdemo.serving import WSGIApp
from zdemo.text.masking import LEAST_TOKEN_LIKE, without_tokens
from zdemo.zitadel.introspection_answer import Introspection

if TYPE_CHECKING:
    from zdemo.server.metrics import Metrics

REQUEST_ID = "zdemo.request_id"
OBSERVED = "zdemo.observed"  # this layer is there, and keeps guarded answers out of shared caches
ID_HEADER = "X-Request-ID"
# These keep an answer that depends on the caller out of shared caches.
NO_STORE, VARY = ("Cache-Control", "no-store"), ("Vary", "Authorization")
LONGEST_LOGGED_PATH = 200
MOST_ENCODINGS = 3  # of a token in a path, besides the one that the server decodes
LONGEST_ESCAPE = len("%252541")  # of one letter then
LONGEST_SEARCHED_PATH = LONGEST_LOGGED_PATH + LEAST_TOKEN_LIKE * LONGEST_ESCAPE  # else a token at the end is not known
LONGEST_LOGGED_METHOD = 16
LONGEST_CALLER = 60  # characters; ZITADEL takes names of up to 200
PATH_CHARACTERS = "/:@!$&'()*+,;=~"
NO_ROUTE = "none"

access_log = logging.getLogger(ACCESS_LOG)


def log_request(*values: Any) -> None:
    """Log a request, from the values of ``ACCESS_FIELDS``, with Python's ``logging``."""
    access_log.info(ACCESS_MESSAGE, *values)


def observed(
    app: WSGIApp,
    metrics: Metrics | None = None,
    watcher: Watcher | None = None,
    log: Callable[..., None] = log_request,
) -> WSGIApp:
    """Return ``app`` with the layer around it; requests are only counted if there are ``metrics``."""
    watcher = watcher or Watcher()

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        started = time.perf_counter()
        identity = environ[REQUEST_ID] = new_request_id()
        environ[OBSERVED] = True
        traced = TracedCall(watcher, identity, started) if watcher.watching and watcher.admits() else None

        # Flask calls it once, before it sends anything and while the request is still at hand
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            seconds = time.perf_counter() - started
            request: Request = environ["werkzeug.request"]  # where werkzeug says that it is
            outcome = environ.get(OUTCOME, "ok")
            if metrics is not None:
                metrics.observe(request.endpoint or NO_ROUTE, outcome, seconds)
            log(*_logged(request, int(status[:3]), outcome, seconds))
            headers = _with_own(headers, (ID_HEADER, identity), guarded=INTROSPECTION in environ)
            if traced is not None:
                traced.trace.method, traced.trace.path = _shown_request_of(request)
                traced.answered(request, int(status[:3]), headers, seconds)
            return start_response(status, headers, *error)

        return app(environ, start) if traced is None else traced.run(lambda: app(environ, start))

    return call


def _with_own(headers: list[tuple[str, str]], identity: tuple[str, str], *, guarded: bool) -> list[tuple[str, str]]:
    """Return the headers of an answer with those of this layer in place of the app's."""
    replaced = ("x-request-id", "cache-control") if guarded else ("x-request-id",)
    kept = [header for header in headers if header[0].lower() not in replaced]
    return [*kept, NO_STORE, VARY, identity] if guarded else [*kept, identity]


def _logged(request: Request, status: int, outcome: str, seconds: float) -> tuple[Any, ...]:
    """Return the values of ``ACCESS_FIELDS``."""
    environ = request.environ
    introspection: Introspection | None = environ.get(INTROSPECTION)
    method, path = _shown_request_of(request)
    return (
        method,
        path,
        status,
        outcome,
        environ[REQUEST_ID],
        seconds * 1000,
        introspection.source if introspection else None,
        _caller(introspection) if introspection else None,
        environ.get(REASON),
    )


def _shown_request_of(request: Request) -> tuple[str, str]:
    """Return the method and the path of a request as they are logged."""
    return _shown_request(request.method[:LONGEST_LOGGED_METHOD], request.path[:LONGEST_SEARCHED_PATH])


@lru_cache(maxsize=1024)
def _shown_request(method: str, path: str) -> tuple[str, str]:
    """Return what is logged of a request line. Cached, since most requests have the same few."""
    return _shown(method), _shown(path)[:LONGEST_LOGGED_PATH]


def _shown(text: str) -> str:
    """Return a part of a request as it is logged: escaped, and without tokens, which some clients put into a path.

    A part in which a token is encoded more than once is logged decoded.
    """
    decoded = text
    for _ in range(MOST_ENCODINGS):
        decoded = unquote(decoded)
    hidden = _without_tokens(decoded)
    return quote(_without_tokens(text) if hidden == decoded else hidden, safe=PATH_CHARACTERS)


def _without_tokens(text: str) -> str:
    return without_tokens(text).replace("…", "...")  # a path in the log is ASCII


def _caller(introspection: Introspection) -> str | None:
    """Return whose token it was, by name if ZITADEL gives one."""
    return _shown_name(introspection.text("username") or introspection.text("sub")) or None


@lru_cache(maxsize=1024)
def _shown_name(name: str) -> str:
    """Return a caller's name as it is logged: what answers for ZITADEL may repeat a secret in it. Cached as above."""
    return _without_tokens(name[:LONGEST_SEARCHED_PATH])[:LONGEST_CALLER]
