"""Which kind of failure an exception of requests, urllib3, ssl or the socket is.

The innermost exception and ``verify_code`` decide, not texts, which differ between versions of OpenSSL. If they leave
open what a port speaks, a greeting finds it out: no token, no credentials.
"""

import contextlib
import errno
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from http.client import RemoteDisconnected
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError
from urllib3.exceptions import SSLError as TLSError

from zdemo.errors import ConnectionFailed, FailureKind, SettingsError
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.errors.steps import UnsetVariable
from zdemo.http import deadline
from zdemo.http.failure_messages import NO_DETAIL, CaBundle, failed, untrusted
from zdemo.text.masking import could_be_secret

CERTIFICATE_KINDS = {
    9: FailureKind.CERTIFICATE_NOT_YET_VALID,  # OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID
    10: FailureKind.CERTIFICATE_EXPIRED,  # X509_V_ERR_CERT_HAS_EXPIRED
    62: FailureKind.CERTIFICATE_WRONG_NAME,  # X509_V_ERR_HOSTNAME_MISMATCH
    64: FailureKind.CERTIFICATE_WRONG_NAME,  # X509_V_ERR_IP_ADDRESS_MISMATCH
}
PLAIN_HTTP_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
PROXY_AUTHENTICATION_REQUIRED = 407
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")  # an alert or a handshake, of SSL 3 or any TLS (RFC 8446 §5.1)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and everything inside it, outermost first."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        queue += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]


def may_retry(error: BaseException) -> bool:
    """Return whether the request was certainly not processed: refused, or sent on a stale connection of the pool."""
    return any(isinstance(e, ConnectionRefusedError | deadline.StaleConnection) for e in chain(error))


def tls_kind(errors: Sequence[BaseException]) -> FailureKind | None:
    """Return how TLS failed, if it did; ``None`` also if the connection just ended."""
    of_tls = [e for e in errors if isinstance(e, ssl.SSLError) and not isinstance(e, ssl.SSLEOFError)]
    if unverified := next((e for e in of_tls if isinstance(e, ssl.SSLCertVerificationError)), None):
        return CERTIFICATE_KINDS.get(unverified.verify_code, FailureKind.CERTIFICATE_UNTRUSTED)
    if not of_tls:
        return None
    return FailureKind.PLAIN_HTTP if getattr(of_tls[0], "reason", "") in PLAIN_HTTP_REASONS else FailureKind.TLS


_KINDS: tuple[tuple[FailureKind, tuple[type[BaseException], ...]], ...] = (
    (FailureKind.REFUSED, (ConnectionRefusedError,)),
    (FailureKind.TIMEOUT, (TimeoutError, requests.Timeout)),
    (FailureKind.NO_ROUTE, (NewConnectionError,)),
    (FailureKind.HUNG_UP, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, RemoteDisconnected)),
)


def _proxy_kind(errors: list[BaseException]) -> FailureKind:
    if tls_kind(errors) is FailureKind.PLAIN_HTTP:
        return FailureKind.PROXY_PLAIN_HTTP
    if any(isinstance(e, ConnectionRefusedError) for e in errors):
        return FailureKind.PROXY_REFUSED
    status = _tunnel_status(errors)
    if status in GATEWAY_STATUSES:
        return FailureKind.PROXY_WITHOUT_WAY
    return FailureKind.PROXY_LOGIN if status == PROXY_AUTHENTICATION_REQUIRED else FailureKind.PROXY


def _tunnel_status(errors: list[BaseException]) -> int:
    """Return the status with which a proxy answered CONNECT, or 0."""
    refusals = (re.match(r"Tunnel connection failed: (\d{3})", str(e)) for e in errors if isinstance(e, OSError))
    return next((int(match[1]) for match in refusals if match), 0)


def _kind(errors: list[BaseException]) -> FailureKind:
    def any_is(types: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(e, types) for e in errors)

    if any_is((requests.exceptions.ProxyError, ProxyError)):
        return _proxy_kind(errors)
    if any_is((socket.gaierror,)):
        return FailureKind.NAME_NOT_RESOLVED
    return tls_kind(errors) or next((kind for kind, types in _KINDS if any_is(types)), FailureKind.BROKEN)


def _detail(errors: list[BaseException]) -> str:
    """Return the system's words for the innermost cause, never a text that could contain a URL or a header."""
    certificates = (e.verify_message for e in errors if isinstance(e, ssl.SSLCertVerificationError))
    reasons = (getattr(e, "reason", "") for e in errors if isinstance(e, ssl.SSLError))  # absent in Python's own
    system = (e.strerror for e in errors if isinstance(e, OSError) and e.errno in errno.errorcode)
    return str(next(filter(None, (*certificates, *reasons, *system)), NO_DETAIL))


def explained(
    error: BaseException, origin: str, setting: str, *, seconds: float, proxy: str, ca_bundle: CaBundle | None
) -> ConnectionFailed | SettingsError:
    """Return the error that says what an exception of the HTTP stack means; ``proxy`` is a URL."""
    errors = list(chain(error))
    if ca_bundle and any(map(_is_about_bundle, errors)):
        name = ca_bundle.variable
        path = f": {ca_bundle.path}" if os.path.exists(ca_bundle.path) or not could_be_secret(ca_bundle.path) else ""
        why = "cannot be read as PEM certificates" if os.path.exists(ca_bundle.path) else "does not exist"
        what = f"{name} names a file that {why}{path}"
        return SettingsError([what], hint=("correct the path", UnsetVariable(name, does="or use the usual CAs")))
    code = next((e.verify_code for e in errors if isinstance(e, ssl.SSLCertVerificationError)), 0)
    why, trust = untrusted(code, ca_bundle)
    kind, silent = _kind(errors), "it does not answer"
    if any(isinstance(e, socket.gaierror) for e in errors):
        silent = "the proxy's name does not resolve"
    elif proxy and kind is FailureKind.PLAIN_HTTP:  # the proxy accepts CONNECT, and answers the request itself
        kind, silent = FailureKind.PROXY, "it answers itself"
    return failed(
        kind,
        origin,
        setting,
        seconds=seconds,
        proxy=proxy,
        connecting=any(isinstance(e, ConnectTimeoutError) for e in errors),
        detail=_detail(errors),
        status=f" ({_tunnel_status(errors) or silent})",
        untrusted=why,
        trust=trust,
    )


def _is_about_bundle(error: BaseException) -> bool:
    """Tell whether an error says that the CA bundle is missing (requests: a plain OSError) or cannot be read."""
    if isinstance(error, ssl.SSLError):
        return getattr(error, "library", "") in ("X509", "PEM", "ASN1")
    if isinstance(error, TLSError):
        return isinstance(error.__cause__, PermissionError)
    return type(error) is OSError and "CA" in str(error)


def spoken_instead(kind: FailureKind, origin: str, seconds: float) -> FailureKind:
    """Return the kind of a failure; if that leaves open what the port speaks, find out."""
    parts = urlsplit(origin)
    https, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if https else 80)
    left = min(seconds, 1.0)  # the port has answered something a moment ago
    if kind is FailureKind.PLAIN_HTTP:
        return kind if speaks_http(host, port, left) else FailureKind.NOT_TLS
    silent = kind in (FailureKind.HUNG_UP, FailureKind.BROKEN)
    return FailureKind.EXPECTS_TLS if silent and not https and speaks_tls(host, port, left) else kind


def speaks_http(host: str, port: int, seconds: float) -> bool:
    """Return whether a port answers a request in plain HTTP/1.x."""
    name = f"[{host}]" if ":" in host else host
    request = f"HEAD / HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
    return _answer(host, port, request.encode("ascii" if host.isascii() else "idna"), seconds).startswith(b"HTTP/1.")


def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Return whether a port answers a TLS greeting with TLS, even if it refuses it."""
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):  # the greeting is written, the answer is not there yet
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    return _answer(host, port, outgoing.read(), seconds).startswith(TLS_RECORDS)


def _answer(host: str, port: int, greeting: bytes, seconds: float) -> bytes:
    """Return the beginning of the answer to a greeting; empty when none comes in time."""
    end = time.monotonic() + seconds
    if seconds < deadline.LEAST_REQUEST_SECONDS:
        return b""
    try:
        with deadline.connected(deadline.resolve(host, port, seconds), end) as sock:
            sock.sendall(greeting)
            sock.settimeout(max(end - time.monotonic(), deadline.SHORTEST_TIMEOUT_SECONDS))
            return sock.recv(16)
    except OSError:
        return b""
