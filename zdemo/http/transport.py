"""One HTTP request with one total deadline, over pooled connections.

Answers have a bounded size. There are no redirects, which would take tokens elsewhere, no cookies and no ``.netrc``,
and one retry where it is safe. It uses requests' adapter without its ``Session``, which keeps cookies, looks into
``.netrc``, reads a redirect of any size to its end, and fails on a broken ``Location``.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from urllib3 import HTTPHeaderDict, Timeout
from urllib3.exceptions import HTTPError

from zdemo import __version__
from zdemo.config.address import ISSUER, ZitadelAddress, is_loopback, without_default_port
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.response import Response
from zdemo.http.deadline import IDLE_SECONDS, SHORTEST_TIMEOUT_SECONDS, DeadlineAdapter
from zdemo.http.failure_messages import ca_bundle_of, failed, proxy_address, proxy_problem
from zdemo.http.failures import PROXY_AUTHENTICATION_REQUIRED, explained, may_retry, spoken_instead

MAX_ANSWER_BYTES = 1 << 20
HEADERS = {"User-Agent": f"zdemo/{__version__}", "Accept-Encoding": "identity"}


class Transport:
    """A thread-safe sender of requests to one origin, with up to ``connections`` open connections.

    ``setting`` is the variable or option that holds the origin, for messages. Requests that go elsewhere than to the
    issuer of ``zitadel`` say that they are for it. A connection that was idle for ``idle_seconds`` is not used again.
    Proxies and the CA bundle are read from the environment once, here.
    """

    def __init__(
        self,
        origin: str,
        *,
        setting: str,
        zitadel: ZitadelAddress | None = None,
        connections: int = 1,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self.origin, self.setting = origin, setting
        issuer = self._issuer = zitadel.issuer if zitadel and zitadel.internal_url else ""
        self._issuer_setting = zitadel.issuer_setting if zitadel else ISSUER
        self.headers = dict(HEADERS)  # of each request
        if issuer:  # by these fields ZITADEL chooses the instance, and builds the issuer in its answers
            scheme, _, host = without_default_port(issuer).partition("://")
            self.headers |= {"Host": host, "X-Forwarded-Proto": scheme}  # TLS may end before ZITADEL
        parts = urlsplit(origin)
        here = parts.scheme == "http" and is_loopback(parts.hostname or "")  # no proxy can reach this machine
        # with an issuer, a proxy would replace Host by the host of the URL (RFC 9112 §3.2.2)
        proxies = {} if here or issuer else requests.utils.get_environ_proxies(origin)
        proxy = requests.utils.select_proxy(origin, proxies) or ""
        self.proxy = proxy if not proxy or "://" in proxy else f"http://{proxy}"
        self._proxies = {"all": self.proxy} if self.proxy else {}  # requests takes localhost:3128 for a scheme
        self._proxy_host, _ = proxy_address(self.proxy)
        self._proxy_problem = proxy_problem(self.proxy) if self.proxy else ""
        self._has_answered = False
        self.ca_bundle = ca_bundle_of(os.environ)
        self._adapter = DeadlineAdapter(pool_connections=1, pool_maxsize=connections, idle_seconds=idle_seconds)

    @classmethod
    def to_zitadel(cls, zitadel: ZitadelAddress, *, connections: int = 1) -> Self:
        """Return a sender of requests to ZITADEL, wherever the settings say to connect."""
        return cls(zitadel.server, setting=zitadel.setting, zitadel=zitadel, connections=connections)

    def close(self) -> None:
        """Close every idle connection."""
        self._adapter.close()

    def send(  # the parts of a request, each given by name
        self,
        method: str,
        path: str,
        *,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
        repeated: Sequence[tuple[str, str]] = (),
        form: Mapping[str, str | bytes] | None = None,
        json: Any = None,
    ) -> Response:
        """Send one request and return the answer, within ``timeout_seconds`` including the retry.

        ``repeated`` are header fields that are sent even if they occur in ``headers`` too.
        Only a connection that was refused, or was stale before a byte of the answer came, is tried again. Raises
        ConnectionFailed if no readable answer came, SettingsError if the environment's CA bundle cannot be used.
        """
        if self._proxy_problem:
            raise failed(FailureKind.PROXY_UNUSABLE, self.origin, self.setting, detail=self._proxy_problem)
        sent = {**self.headers, **(headers or {})}
        request = requests.Request(method, self.origin + path, headers=sent, data=form, json=json).prepare()
        if repeated:
            request.headers = HTTPHeaderDict(request.headers)  # type: ignore[assignment]  # it keeps both of two fields
            for name, value in repeated:
                request.headers.add(name, value)  # type: ignore[attr-defined]  # as above
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
        """Return the error in words; look at what the port speaks unless it has answered before."""
        failure = explained(
            error, self.origin, self.setting, seconds=seconds, proxy=self.proxy, ca_bundle=self.ca_bundle
        )
        if self.proxy or self._has_answered or not isinstance(failure, ConnectionFailed):
            return failure
        kind = spoken_instead(failure.kind, self.origin, end - time.monotonic())
        return failure if kind is failure.kind else failed(kind, self.origin, self.setting)

    def _once(self, request: requests.PreparedRequest, end: float) -> Response:
        start = time.monotonic()
        left = Timeout(total=max(end - start, SHORTEST_TIMEOUT_SECONDS))
        response = self._adapter.send(
            request,
            timeout=left,  # type: ignore[arg-type]  # the stubs do not know that requests takes urllib3's Timeout
            stream=True,
            proxies=self._proxies,
            verify=self.ca_bundle.path if self.ca_bundle else True,
        )
        with response:
            # RFC 9110 §15.5.8: only a proxy sends this status
            if response.status_code == PROXY_AUTHENTICATION_REQUIRED and self.proxy:
                raise failed(FailureKind.PROXY_LOGIN, self.origin, self.setting, proxy=self.proxy)
            body = bytearray()
            while chunk := response.raw.read(1 << 16, decode_content=False):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    size = f"{MAX_ANSWER_BYTES >> 20} MiB"
                    raise failed(FailureKind.TOO_LARGE, self.origin, self.setting, detail=size)
            return Response(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=bytes(body),
                seconds=time.monotonic() - start,
                url=str(request.url),
                received_at=time.time(),
                proxy=self._proxy_host,
                setting=self.setting,
                issuer=self._issuer,
                issuer_setting=self._issuer_setting,
            )
