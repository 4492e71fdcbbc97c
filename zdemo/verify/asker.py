"""Sends requests to the API, each under a deadline, and keeps what came of them for the cases that look back."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

from zdemo.errors import ConnectionFailed
from zdemo.http.response import GATEWAY_STATUSES, Response
from zdemo.verify.asked import Asked
from zdemo.verify.budget import RunBudget

CONNECTIONS = 64
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = 0.3


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
