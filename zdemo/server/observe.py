"""One layer around the app: each request gets an ID and is timed, and each answer is counted and logged.

It is a layer of WSGI, since Flask's hooks take longer for the same. The app and its guard leave what only they know in
the request's ``environ``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from flask import Request
from werkzeug.wsgi import ClosingIterator

from zdemo.errors import IntrospectionError, Refused, drop_frames
from zdemo.guard.flask_guard import ID_HEADER, INTROSPECTION, NO_STORE, OBSERVED, OUTCOME, REASON, REQUEST_ID, VARY
from zdemo.guard.forget import Forget
from zdemo.guard.guard import new_request_id
from zdemo.server.logs import log_request
from zdemo.serving import WSGIApp
from zdemo.text.masking import LEAST_TOKEN_LIKE, without_tokens
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import Exchange, watched

if TYPE_CHECKING:
    from zdemo.server.metrics import Metrics

WATCHER = "zdemo.watcher"  # the extension of an app that holds its ``Watcher``
LONGEST_LOGGED_PATH = 200
MOST_ENCODINGS = 3  # of a token in a path, besides the one that the server decodes
LONGEST_ESCAPE = len("%252541")  # of one letter with that many encodings
LONGEST_SEARCHED_PATH = LONGEST_LOGGED_PATH + LEAST_TOKEN_LIKE * LONGEST_ESCAPE  # else a token at the end is not known
LONGEST_LOGGED_METHOD = 16
NO_ROUTE = "none"
MOST_PAST = 100  # requests that are kept while no page is open
LARGEST_PAST = 16 * 1024  # bytes of claims, in memory; of a request with more, no claims are kept
# The fields that a past trace keeps: of the headers, only whether there was a token, and those of a refusal
PAST_FIELDS: tuple[str, ...] = ("id", "began", "method", "path", "request_headers", "status", "response_headers")
PAST_FIELDS += ("seconds", "outcome", "reason", "introspection")
WITH_TOKEN = (("Authorization", ""),)
# What a trace keeps
MOST_BODY_BYTES = 64 * 1024
MOST_HEADERS = 40
MOST_HEADER_BYTES = 64 * 1024  # of all header fields


def observed(
    app: WSGIApp, metrics: Metrics | None = None, watcher: Watcher | None = None, log: Callable[..., None] = log_request
) -> WSGIApp:
    """Return ``app`` with the layer around it; ``log`` takes the values of ``ACCESS_FIELDS``."""
    watcher = watcher or Watcher()

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        started = time.perf_counter()
        identity = environ[REQUEST_ID] = new_request_id()
        environ[OBSERVED] = True
        environ.pop("HTTP_UPGRADE", None)  # may be ignored (RFC 9110 §7.8); Werkzeug finds no route for a websocket
        trace = Trace(id=identity, began=started) if watcher.watching and watcher.admits() else None

        # Flask calls it once, before it sends anything and while the request still exists
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            seconds = time.perf_counter() - started
            request: Request = environ.get("werkzeug.request") or Request(environ, populate_request=False)
            outcome, introspection = environ.get(OUTCOME, "ok"), environ.get(INTROSPECTION)
            if metrics is not None:
                metrics.observe(request.endpoint or NO_ROUTE, outcome, seconds)
            method, path = _shown_request(request.method[:LONGEST_SEARCHED_PATH], request.path[:LONGEST_SEARCHED_PATH])
            source = caller = actor = kept = None
            if introspection:
                source, caller = introspection.source, introspection.caller or None
                actor = introspection.actors_in_log or None
                if introspection.size <= LARGEST_PAST:
                    kept = introspection
            reason, code = environ.get(REASON), int(status[:3])
            log(method, path, code, outcome, identity, seconds * 1000, source, caller, actor, reason)
            is_guarded = INTROSPECTION in environ
            replaced = ("x-request-id", "cache-control") if is_guarded else ("x-request-id",)
            headers = [(name, value) for name, value in headers if name.lower() not in replaced]
            headers += [NO_STORE, VARY, (ID_HEADER, identity)] if is_guarded else [(ID_HEADER, identity)]
            if watcher.past is not None:
                asked = WITH_TOKEN if "HTTP_AUTHORIZATION" in environ else ()
                known = identity, started, method, path, asked, code, headers if reason else (), seconds
                watcher.past.append((*known, outcome, reason, kept))
            if trace is not None:
                drop_frames(trace.error)
                trace.method, trace.path, trace.status, trace.seconds = method, path, code, seconds
                trace.request_headers, trace.response_headers = list(_headers(environ)), headers
                trace.introspection, trace.outcome, trace.reason = introspection, outcome, reason
            return start_response(status, headers, *error)

        if trace is None:
            return app(environ, start)
        token = watched.set(trace)
        try:
            return _traced(app(environ, start), trace, watcher.ended)
        finally:
            watched.reset(token)

    return call


@lru_cache(maxsize=1024)
def _shown_request(method: str, path: str) -> tuple[str, str]:
    """Return what is logged of a request line. Cached, since most requests have the same few."""
    return _shown(method)[:LONGEST_LOGGED_METHOD], _shown(path)[:LONGEST_LOGGED_PATH]


def _shown(text: str) -> str:
    """Return a part of a request as it is logged: escaped, without tokens; decoded if one is encoded more than once."""
    decoded = text
    for _ in range(MOST_ENCODINGS):
        decoded = unquote(decoded)
    is_cut = len(text) == LONGEST_SEARCHED_PATH
    longest = max(0, len(decoded) - LEAST_TOKEN_LIKE - 1) if is_cut else LONGEST_LOGGED_PATH  # without the cut end
    hidden = without_tokens(decoded, longest)
    logged = without_tokens(text, LONGEST_LOGGED_PATH) if decoded.startswith(hidden) else hidden
    return quote(logged.replace("…", "..."), safe="/:@!$&'()*+,;=~")  # a path in the log is ASCII


# --- traces, for the page: a request leaves a whole one only while a page is open


@dataclass(kw_only=True)
class Trace:
    """One request: what it asked, what it caused and how it was answered. It holds the token, so it must not be kept.

    ``path``, ``outcome`` and ``reason`` are as in the log. ``began`` and the times of ``exchanges`` are of
    ``time.perf_counter``, ``began_at`` is in epoch seconds. ``is_past``: no page was open when the request came, so
    token, other header fields, body and exchanges are missing; an empty ``authorization`` says that there was one.
    """

    id: str
    began: float
    began_at: float = field(default_factory=time.time)
    method: str = ""
    path: str = ""
    request_headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    status: int = 0
    response_headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    body: bytes = field(default=b"", repr=False)
    seconds: float = 0.0
    outcome: str = "ok"
    reason: str | None = None
    introspection: Introspection | None = field(default=None, repr=False)
    error: Refused | IntrospectionError | None = None
    exchanges: list[Exchange] = field(default_factory=list, repr=False)
    too_old: Introspection | None = field(default=None, repr=False)
    is_past: bool = False

    @property
    def authorization(self) -> str | None:
        """The header field with the token."""
        return next((value for name, value in self.request_headers if name == "Authorization"), None)


class Watcher:
    """Hands the traces of an app's requests to ``ended``, and orders to ``forgot``, while ``watching`` is true.

    ``admits`` limits how many requests per second leave a trace. ``past`` has the last requests of an app with a page.
    """

    def __init__(self) -> None:
        self.watching = False
        self.past: deque[tuple[Any, ...]] | None = None
        self.admits: Callable[[], bool] = lambda: True
        self.ended: Callable[[Trace], None] = lambda _trace: None
        self.forgot: Callable[[Forget, int], None] = lambda _order, _count: None

    def told(self, order: Forget, count: int) -> int:
        """Tell the program that watches about an order to forget, and return how many answers it dropped."""
        if self.watching:
            self.forgot(order, count)
        return count

    def past_traces(self) -> list[Trace]:
        """Return the traces of the last requests, the oldest first."""
        start = time.time() - time.perf_counter()
        past = [dict(zip(PAST_FIELDS, values, strict=True)) for values in (self.past or deque()).copy()]
        return [Trace(is_past=True, began_at=start + fields["began"], **fields) for fields in past]


def _traced(body: Iterable[bytes], trace: Trace, ended: Callable[[Trace], None]) -> Iterable[bytes]:
    """Return the body of an answer. It copies its start to the trace, and calls ``ended`` when it is closed."""

    def note(chunk: bytes) -> bytes:
        trace.body += chunk[: MOST_BODY_BYTES - len(trace.body)]
        return chunk

    return ClosingIterator(map(note, body), [getattr(body, "close", lambda: None), partial(ended, trace)])


def _headers(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the header fields of a request, without cookies, which are other programs' secrets."""
    names = [name for name in environ if name.startswith("HTTP_") and name != "HTTP_COOKIE"][:MOST_HEADERS]
    names.sort(key=lambda name: name != "HTTP_AUTHORIZATION")  # the others may leave no room for it
    room = MOST_HEADER_BYTES
    for name in (*names, "CONTENT_TYPE", "CONTENT_LENGTH"):
        if value := str(environ.get(name, ""))[:room]:
            room -= len(value)
            yield name.removeprefix("HTTP_").replace("_", "-").title(), value
