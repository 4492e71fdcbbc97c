"""Requests to the API, each under a deadline, and what came of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

from zdemo.diagnosis.finding import quoted
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.response import GATEWAY_STATUSES, Response
from zdemo.verify.challenge import bearer_of

MOST_SECONDS = 120.0  # of a run, besides the removal window, which it may have to wait for
LEAST_SECONDS = 0.2
CONNECTIONS = 64
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.3


class RunBudget:
    """A deadline for all cases."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether no further case should begin."""
        return time.monotonic() >= self._end

    def at_most(self, seconds: float) -> float:
        """Return the time that a step may take which would like to have this much."""
        return max(LEAST_SECONDS, min(seconds, self._end - time.monotonic()))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, as a person would name it, and what came of it."""

    line: str
    reply: Response | ConnectionFailed

    @property
    def status(self) -> int:
        """The status; 0 where no answer came."""
        return self.reply.status if isinstance(self.reply, Response) else 0

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time."""
        return isinstance(self.reply, ConnectionFailed) and self.reply.kind is FailureKind.TIMEOUT

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.reply.seconds if isinstance(self.reply, Response) else 0.0

    @property
    def challenge(self) -> str:
        """``WWW-Authenticate``; empty where there is none."""
        return self.header("www-authenticate")

    @property
    def error(self) -> str | None:
        """The error code of the bearer challenge, which may be empty; ``None`` without a challenge."""
        challenge = bearer_of(self.challenge)
        return challenge.parameters.get("error", "") if challenge else None

    @property
    def let_in(self) -> bool:
        """Whether the API did what was asked; a redirect counts, since nobody knows where it leads."""
        return 0 < self.status < 400

    def about(self, what: str) -> Asked:
        """Return the same, with words behind the request that say what was special about it."""
        return replace(self, line=f"{self.line} ({what})")

    def header(self, name: str) -> str:
        """Return a header field, whose name is in lower case; empty where it is missing."""
        return self.reply.headers.get(name, "") if isinstance(self.reply, Response) else ""

    @property
    def body(self) -> bytes:
        """The body of the answer; empty where none came."""
        return self.reply.body if isinstance(self.reply, Response) else b""

    @property
    def text(self) -> str:
        """The whole answer as text; empty where none came."""
        if not isinstance(self.reply, Response):
            return ""
        return "\n".join([*(f"{name}: {value}" for name, value in self.reply.headers.items()), self.reply.text])

    def in_words(self) -> str:
        """Return what was seen, in a few words."""
        if not isinstance(self.reply, Response):
            broke = "the connection broke without an answer"
            return f"{self.line}: {'no answer in time' if self.timed_out else broke}"
        code = f", {quoted(self.error, 40)}" if self.error else ""
        return f"{self.line} {self.status}{code}"


def in_words(asked: Sequence[Asked]) -> str:
    """Return what was seen, each answer once."""
    return "; ".join(dict.fromkeys(one.in_words() for one in asked))


class Asker:
    """The sender. ``path`` requires a token, and a request may take ``seconds``.

    A ``patient`` one asks once more where an API on a busy machine could not reach ZITADEL in time.
    Texts in ``told`` were sent in a header, where nobody else sees them.
    """

    def __init__(
        self,
        origin: str,
        path: str,
        budget: RunBudget,
        *,
        setting: str = "--path",
        seconds: float = REQUEST_SECONDS,
        patient: bool = False,
    ) -> None:
        from zdemo.http.transport import Transport  # here, since --list and help send nothing

        self.origin, self.path = origin, path
        self.asked: list[Asked] = []
        self.asked_in_service: list[Asked] = []  # while ZITADEL did not fail on purpose
        self.told: set[str] = set()
        self.shown: set[str] = set()  # tokens in a URL, which logs hold without any fault of the API
        self._budget, self._seconds, self._patient = budget, seconds, patient
        self._in_outage = False
        self._lock = threading.Lock()
        self._transport = Transport(origin, setting=setting, connections=CONNECTIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def send(  # a request has that many parts, each given by name
        self,
        *authorization: str,
        method: str = "GET",
        path: str = "",
        query: str = "",
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Asked:
        """Send one request, with these values of the Authorization header, usually one."""
        path = path or self.path
        target = path + (f"{'&' if '?' in path else '?'}access_token={query}" if query else "")
        fields = dict(headers or {}) | ({"Authorization": authorization[0]} if authorization else {})
        self._remember(authorization, (query, *(form or {}).values()))
        request = partial(
            self._reply,
            method,
            target,
            headers=fields,
            repeated=[("Authorization", value) for value in authorization[1:]],
            form=form,
            seconds=self._seconds if seconds is None else seconds,
        )
        reply = request()
        if self._patient and not self._in_outage and isinstance(reply, Response) and reply.status in GATEWAY_STATUSES:
            time.sleep(PAUSE_SECONDS)
            reply = request()
        asked = Asked(line=f"{method} {urlsplit(path).path or path}", reply=reply)
        with self._lock:
            self.asked.append(asked)
            if not self._in_outage:
                self.asked_in_service.append(asked)
        return asked

    def _reply(self, method: str, target: str, *, seconds: float, **parts: Any) -> Response | ConnectionFailed:
        try:
            return self._transport.send(method, target, timeout_seconds=self._budget.at_most(seconds), **parts)
        except ConnectionFailed as failure:
            return failure

    @contextmanager
    def in_outage(self) -> Iterator[None]:
        """Ask only once during the block, in which ZITADEL fails on purpose, or is slow."""
        self._in_outage = True
        try:
            yield
        finally:
            self._in_outage = False

    def bearer(self, token: str, *, seconds: float | None = None) -> Asked:
        """Send one request with a token, as a client should."""
        return self.send(f"Bearer {token}", seconds=seconds)

    def at_once(self, tokens: Sequence[str]) -> list[Asked]:
        """Send requests with these tokens at the same time, and return the answers in the same order."""
        ready = threading.Barrier(len(tokens))

        def one(token: str) -> Asked:
            ready.wait(REQUEST_SECONDS)
            return self.bearer(token, seconds=REQUEST_SECONDS)

        with ThreadPoolExecutor(max_workers=len(tokens)) as pool:
            return list(pool.map(one, tokens))

    def _remember(self, authorization: Sequence[str], visible: Sequence[str]) -> None:
        with self._lock:
            self.told.update(value.partition(" ")[2] for value in authorization)
            self.shown.update(filter(None, visible))
