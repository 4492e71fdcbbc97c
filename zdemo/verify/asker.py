"""Sends requests to the API, each under a deadline, and keeps what came of them for the cases that look back."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self
from urllib.parse import urlsplit

from zdemo.errors import ConnectionFailed
from zdemo.http.response import Response
from zdemo.verify.asked import Asked
from zdemo.verify.budget import RunBudget

CONNECTIONS = 64
REQUEST_SECONDS = 10.0


class Asker:
    """The sender. ``path`` requires a token, and a request may take ``seconds``.

    Texts in ``told`` were sent in a header, where nobody else sees them.
    """

    def __init__(
        self, origin: str, path: str, budget: RunBudget, *, setting: str = "--path", seconds: float = REQUEST_SECONDS
    ) -> None:
        from zdemo.http.transport import Transport  # here, since --list and help send nothing

        self.origin, self.path = origin, path
        self.asked: list[Asked] = []
        self.told: set[str] = set()
        self.shown: set[str] = set()  # tokens in a URL, which logs hold without any fault of the API
        self._budget, self._seconds = budget, seconds
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
        reply: Response | ConnectionFailed
        try:
            reply = self._transport.send(
                method,
                target,
                timeout_seconds=self._budget.at_most(self._seconds if seconds is None else seconds),
                headers=fields,
                repeated=[("Authorization", value) for value in authorization[1:]],
                form=form,
            )
        except ConnectionFailed as failure:
            reply = failure
        asked = Asked(line=f"{method} {urlsplit(path).path or path}", reply=reply)
        with self._lock:
            self.asked.append(asked)
        return asked

    def bearer(self, token: str, *, path: str = "", seconds: float | None = None) -> Asked:
        """Send one request with a token, as a client should."""
        return self.send(f"Bearer {token}", path=path, seconds=seconds)

    def at_once(self, tokens: Sequence[str], *, seconds: float = REQUEST_SECONDS) -> list[Asked]:
        """Send requests with these tokens at the same time, and return the answers in the same order."""
        ready = threading.Barrier(len(tokens))

        def one(token: str) -> Asked:
            ready.wait(seconds)
            return self.bearer(token, seconds=seconds)

        with ThreadPoolExecutor(max_workers=len(tokens)) as pool:
            return list(pool.map(one, tokens))

    def _remember(self, authorization: Sequence[str], visible: Sequence[str]) -> None:
        with self._lock:
            self.told.update(value.partition(" ")[2] for value in authorization)
            self.shown.update(filter(None, visible))
