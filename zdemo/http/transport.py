"""One HTTP request with one total deadline, over pooled connections, giving nothing away.

A module of its own because introspection, the test client and the management API all need the same
care: a deadline that holds against an answer that drips, answers of bounded size, no redirect (it would take
tokens elsewhere), no cookie, no ``.netrc``, one retry where it is safe.

It uses requests' adapter without its ``Session``: that one keeps cookies, looks into ``.netrc``, and reads a redirect
to its end, whatever its size, even when it is not to follow it; a broken ``Location`` makes it stumble.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from zdemo import __version__
from zdemo.config.parsers import is_loopback
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.http.deadline import IDLE_SECONDS, LEAST_SECONDS, DeadlineAdapter
from zdemo.http.failures import LOGIN, explained, failed, may_retry, too_large
from zdemo.http.proxy import proxy_address, proxy_of, proxy_problem
from zdemo.http.response import Response
from zdemo.http.trust import may_hang, unusable_bundle

MAX_ANSWER_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16
HEADERS = {"User-Agent": f"zdemo/{__version__}", "Accept-Encoding": "identity"}


class Transport:
    """Sends requests to one origin. Thread-safe; keeps up to ``connections`` connections open.

    ``setting`` is the variable that holds the origin: messages name it.
    A connection that was idle for ``idle_seconds`` is not used again.
    Proxies and the CA bundle are read from the environment once, here: later changes are not seen.
    """

    def __init__(self, origin: str, *, setting: str, connections: int = 1, idle_seconds: float = IDLE_SECONDS) -> None:
        self.origin = origin
        self.setting = setting
        parts = urlsplit(origin)
        here = parts.scheme == "http" and is_loopback(parts.hostname or "")  # no proxy can reach this machine's own
        self.proxies = {} if here else requests.utils.get_environ_proxies(origin)
        self.proxy = proxy_of(origin, self.proxies)
        self._proxy_host = proxy_address(self.proxy)[0]
        self._proxy_problem = proxy_problem(self.proxy) if self.proxy else ""
        self._has_answered = False
        self.ca_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or None
        self._bundle_may_hang = bool(self.ca_bundle) and parts.scheme == "https" and may_hang(self.ca_bundle or "")
        self._adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=connections, idle_seconds=idle_seconds)

    def close(self) -> None:
        """Close every idle connection."""
        self._adapter.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | bytes] | None = None,
        json: Any = None,
    ) -> Response:
        """One request, one answer, within ``timeout_seconds`` in all, the retry included.

        The retry is for a connection that was refused, or that had gone stale in the pool, before a byte of the
        answer came; for nothing else. ``path`` is put behind the origin as it is.

        Raises:
            ConnectionFailed: no answer came in time, or none that could be read.
            SettingsError: the CA bundle that the environment names cannot be used.
        """
        if self._proxy_problem:
            raise failed(FailureKind.PROXY_UNUSABLE, self.origin, self.setting, detail=self._proxy_problem)
        if self._bundle_may_hang:
            raise unusable_bundle()
        request = requests.Request(
            method, self.origin + path, headers={**HEADERS, **(headers or {})}, data=form, json=json
        ).prepare()
        end = time.monotonic() + timeout_seconds
        retried = False
        while True:
            try:
                answer = self._once(request, end)
            except (requests.RequestException, HTTPError, OSError) as error:
                if retried or not may_retry(error) or time.monotonic() >= end:
                    raise self._explained(error, timeout_seconds, end) from error
                retried = True
            else:
                self._has_answered = True
                return answer

    def _explained(self, error: Exception, seconds: float, end: float) -> Exception:
        """The error in words. What the port speaks is looked at only until it has answered once."""
        told = explained(
            error, self.origin, self.setting, seconds=seconds, proxies=self.proxies, ca_bundle=self.ca_bundle
        )
        if self.proxy or self._has_answered or not isinstance(told, ConnectionFailed):
            return told
        from zdemo.http.protocol_probe import spoken_instead  # here, since it is rarely needed

        parts = urlsplit(self.origin)
        https = parts.scheme == "https"
        port = parts.port or (443 if https else 80)
        left = end - time.monotonic()
        kind = spoken_instead(told.kind, https=https, host=parts.hostname or "", port=port, seconds=left)
        return told if kind is told.kind else failed(kind, self.origin, self.setting)

    def _once(self, request: requests.PreparedRequest, end: float) -> Response:
        start = time.monotonic()
        left = Timeout(total=max(end - start, LEAST_SECONDS))
        response = self._adapter.send(
            request,
            timeout=left,  # type: ignore[arg-type]  # the stubs do not know that requests takes urllib3's Timeout
            stream=True,
            proxies=self.proxies,
            verify=self.ca_bundle or True,
        )
        with response:
            if response.status_code == LOGIN and self.proxy:  # RFC 9110 §15.5.8: only a proxy says that
                raise failed(FailureKind.PROXY_LOGIN, self.origin, self.setting, proxies=self.proxies)
            body = bytearray()
            while chunk := response.raw.read(CHUNK_BYTES, decode_content=False):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise too_large(self.origin, self.setting, MAX_ANSWER_BYTES)
            return Response(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=bytes(body),
                seconds=time.monotonic() - start,
                url=str(request.url),
                proxy=self._proxy_host,
            )
