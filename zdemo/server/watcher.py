"""Traces of the requests, for the page: a request leaves one only while a page is open."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Request

from zdemo.errors import IntrospectionError, Refused, drop_frames
from zdemo.guard.forget import Forget
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import Exchange, watched

WATCHER = "zdemo.watcher"  # the extension of an app that holds its ``Watcher``

# What the guard leaves in a request's environment
OUTCOME, REASON = "zdemo.outcome", "zdemo.reason"  # of a refusal; the reason is for the log alone
INTROSPECTION = "zdemo.guard"  # of the token, admitted or not, or None; there once a guard has looked

MOST_BODY_BYTES = 64 * 1024  # that are kept of an answer
MOST_HEADERS = 40  # that are kept of a request
MOST_HEADER_BYTES = 64 * 1024  # of all of them


@dataclass(kw_only=True)
class Trace:
    """One request: what it asked, what it caused and how it was answered. It holds the token, so it must not be kept.

    ``path``, ``outcome`` and ``reason`` are as in the log. ``began`` and the times of ``exchanges`` are of
    ``time.perf_counter``, ``began_at`` is in epoch seconds.
    """

    id: str
    began: float
    began_at: float
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

    @property
    def authorization(self) -> str | None:
        """The header field with the token."""
        return next((value for name, value in self.request_headers if name == "Authorization"), None)


class Watcher:
    """Hands the traces of an app's requests to ``ended`` while ``watching`` is true.

    ``admits`` limits how many requests per second leave a trace. ``forgot`` is told
    which order to forget reached this worker, and how many answers it dropped.
    """

    def __init__(self) -> None:
        self.watching = False
        self.admits: Callable[[], bool] = lambda: True
        self.ended: Callable[[Trace], None] = lambda _trace: None
        self.forgot: Callable[[Forget, int], None] = lambda _order, _count: None

    def seeing(self, forget: Callable[[Forget], int]) -> Callable[[Forget], int]:
        """Return a function that forgets, and tells the page about it."""

        def watched(order: Forget) -> int:
            count = forget(order)
            if self.watching:
                self.forgot(order, count)
            return count

        return watched


class TracedCall:
    """One request that leaves a trace."""

    def __init__(self, watcher: Watcher, identity: str, began: float) -> None:
        self._watcher = watcher
        self.trace = Trace(id=identity, began=began, began_at=time.time())

    def answered(self, request: Request, status: int, headers: Iterable[tuple[str, str]], seconds: float) -> None:
        """Note the start of the answer."""
        trace, environ = self.trace, request.environ
        trace.request_headers = list(_headers(environ))
        trace.status, trace.response_headers, trace.seconds = status, list(headers), seconds
        trace.introspection = environ.get(INTROSPECTION)
        drop_frames(trace.error)
        trace.outcome, trace.reason = environ.get(OUTCOME, "ok"), environ.get(REASON)

    def run(self, app: Callable[[], Iterable[bytes]]) -> Iterable[bytes]:
        """Call the app, and hand over the trace when its answer was sent or given up."""
        token = watched.set(self.trace)
        try:
            return _TracedBody(app(), self.trace, self._watcher.ended)
        finally:
            watched.reset(token)


class _TracedBody:
    """The body of an answer on its way; the trace gets a part of it."""

    def __init__(self, body: Iterable[bytes], trace: Trace, ended: Callable[[Trace], None]) -> None:
        self._body, self._chunks = body, iter(body)
        self._trace, self._ended = trace, ended
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        if (room := MOST_BODY_BYTES - len(self._trace.body)) > 0:
            self._trace.body += chunk[:room]
        return chunk

    def close(self) -> None:
        """End the app's answer, as every WSGI server does, and then the trace."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close: Any = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._ended(self._trace)


def _headers(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the header fields of a request, without cookies, which are other programs' secrets."""
    names = [name for name in environ if name.startswith("HTTP_") and name != "HTTP_COOKIE"][:MOST_HEADERS]
    names.sort(key=lambda name: name != "HTTP_AUTHORIZATION")  # the others may leave no room for it
    room = MOST_HEADER_BYTES
    for name in (*names, "CONTENT_TYPE", "CONTENT_LENGTH"):
        if value := str(environ.get(name, ""))[:room]:
            room -= len(value)
            yield name.removeprefix("HTTP_").replace("_", "-").title(), value
