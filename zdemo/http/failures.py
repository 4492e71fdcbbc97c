"""Why no answer came: exceptions of requests, urllib3, ssl and the socket, told apart and put into words.

A module of its own because these sentences are the only ones that zdemo has for a connection that fails: the test
client, introspection and doctor all say them. What decides is the innermost exception and ``verify_code``; texts
differ between versions of OpenSSL.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from http.client import RemoteDisconnected
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError, ProxyError
from urllib3.exceptions import SSLError as TLSError

from zdemo.config.parsers import is_loopback
from zdemo.errors import ConnectionFailed, FailureKind, SettingsError
from zdemo.http.deadline import StaleConnection
from zdemo.http.proxy import proxy_address, proxy_of
from zdemo.http.trust import how_to_trust, unusable_bundle, why_untrusted

EXPIRED, NOT_YET_VALID = 10, 9  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, _CERT_NOT_YET_VALID
WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
PLAIN_HTTP_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")  # http.client: how a proxy answers CONNECT
LOGIN, WITHOUT_WAY = 407, (502, 503, 504)  # what a proxy says that is asked for credentials, or finds no server

ZITADELS_ADDRESS = ("ZITADEL_DOMAIN", "--domain")

_WORDS = {
    FailureKind.NAME_NOT_RESOLVED: (
        "the host name {host} does not resolve (DNS)",
        "check the host name in {setting}; if it is right, check this machine's network and DNS",
    ),
    FailureKind.REFUSED: (
        "{host} port {port} refuses connections: nothing listens there",
        "start {server}, or correct host and port in {setting}",
    ),
    FailureKind.NO_ROUTE: (
        "there is no way to {host} port {port} from this machine ({detail})",
        "check the network, a VPN or a firewall, and the host in {setting}",
    ),
    FailureKind.TIMEOUT: (
        "no answer from {origin} within {seconds:g} s",
        "look at that server (it may hang), at the network in between, or raise ZDEMO_TIMEOUT",
    ),
    FailureKind.HUNG_UP: (
        "{origin} hung up without an answer",
        "look at that server's log, and at what stands in between{certificate_too}; or correct host and port in "
        "{setting}",
    ),
    FailureKind.PLAIN_HTTP: (
        "{host} port {port} speaks plain http, not https",
        "set {setting} to http://{netloc}{allow_http}",
    ),
    FailureKind.NOT_TLS: (
        "{host} port {port} speaks no TLS, and https was spoken to it",
        "check scheme, host and port in {setting}: what answers there is no server for https",
    ),
    FailureKind.EXPECTS_TLS: (
        "{netloc} expects TLS (https), and plain http was spoken to it: it did not answer that, and answers TLS",
        "{setting}=https://{netloc}",
    ),
    FailureKind.CERTIFICATE_UNTRUSTED: (
        "the TLS certificate of {host} is not trusted: {untrusted} ({detail})",
        "{trust}",
    ),
    FailureKind.CERTIFICATE_EXPIRED: (
        "the TLS certificate of {host} has expired",
        "renew the server's certificate; if it is fresh, check this machine's clock",
    ),
    FailureKind.CERTIFICATE_NOT_YET_VALID: (
        "the TLS certificate of {host} is not valid yet",
        "check this machine's clock, then the certificate's dates",
    ),
    FailureKind.CERTIFICATE_WRONG_NAME: (
        "the TLS certificate is for another name than {host}",
        "use the name that the certificate has in {setting}, or get a certificate for {host}",
    ),
    FailureKind.TLS: (
        "TLS with {host} port {port} fails ({detail})",
        "check that this port speaks TLS, and which TLS versions and ciphers it offers",
    ),
    FailureKind.PROXY: (
        "the proxy {proxy} does not let requests through to {host}{status}",
        "check HTTP_PROXY and HTTPS_PROXY, or add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_UNUSABLE: (
        "the proxy of the environment {detail}; nothing was asked",
        "set HTTPS_PROXY and HTTP_PROXY to an http proxy, or add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_LOGIN: (
        "the proxy {proxy} wants a user name and password (407)",
        "write them into HTTP_PROXY and HTTPS_PROXY: http://USER:PASSWORD@{proxy}:{proxy_port}; or add {host} to "
        "NO_PROXY",
    ),
    FailureKind.PROXY_WITHOUT_WAY: (
        "the proxy {proxy} gets no connection to {host} port {port}{status}",
        "check host and port in {setting}, and that the server there runs; if this machine reaches it without the "
        "proxy, add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_PLAIN_HTTP: (
        "the proxy {proxy} speaks plain http, and its address says https",
        "write http:// into HTTPS_PROXY and HTTP_PROXY: http://{proxy}:{proxy_port}",
    ),
    FailureKind.BROKEN: (
        "what {origin} answers is no HTTP, or is cut off",
        "check host and port in {setting}, then look at that server, and at proxies in between",
    ),
    FailureKind.TOO_LARGE: (
        "the answer of {origin} is larger than {detail}",
        "this is not what a ZITADEL or a zdemo API answers: check the address",
    ),
}


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything inside it, outermost first."""
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
    """Whether the request surely was not answered: refused, or a connection that had gone stale in the pool."""
    return any(isinstance(e, ConnectionRefusedError | StaleConnection) for e in chain(error))


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's word for it; an error that Python itself raises has none."""
    return getattr(error, "reason", None) or ""


def _tls_kind(errors: list[BaseException]) -> FailureKind | None:
    for e in errors:
        if isinstance(e, ssl.SSLCertVerificationError):
            if e.verify_code in WRONG_NAME:
                return FailureKind.CERTIFICATE_WRONG_NAME
            return {
                EXPIRED: FailureKind.CERTIFICATE_EXPIRED,
                NOT_YET_VALID: FailureKind.CERTIFICATE_NOT_YET_VALID,
            }.get(e.verify_code, FailureKind.CERTIFICATE_UNTRUSTED)
    for e in errors:
        if isinstance(e, ssl.SSLError) and not isinstance(e, ssl.SSLEOFError):
            return FailureKind.PLAIN_HTTP if _reason(e) in PLAIN_HTTP_REASONS else FailureKind.TLS
    return None


_KINDS: tuple[tuple[FailureKind, tuple[type[BaseException], ...]], ...] = (
    (FailureKind.REFUSED, (ConnectionRefusedError,)),
    (FailureKind.TIMEOUT, (TimeoutError, requests.Timeout)),
    (FailureKind.NO_ROUTE, (NewConnectionError,)),
    (FailureKind.HUNG_UP, (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, RemoteDisconnected)),
)


def _proxy_kind(errors: list[BaseException]) -> FailureKind:
    if _tls_kind(errors) is FailureKind.PLAIN_HTTP:
        return FailureKind.PROXY_PLAIN_HTTP
    status = _tunnel_status(errors)
    if status in WITHOUT_WAY:
        return FailureKind.PROXY_WITHOUT_WAY
    return FailureKind.PROXY_LOGIN if status == LOGIN else FailureKind.PROXY


def _tunnel_status(errors: list[BaseException]) -> int:
    """What a proxy answered to CONNECT; 0 when it did not come to that."""
    found = (TUNNEL_REFUSED.match(str(e)) for e in errors if isinstance(e, OSError))
    return next((int(match[1]) for match in found if match), 0)


def _kind(errors: list[BaseException]) -> FailureKind:
    def any_is(types: tuple[type[BaseException], ...]) -> bool:
        return any(isinstance(e, types) for e in errors)

    if any_is((requests.exceptions.ProxyError, ProxyError)):
        return _proxy_kind(errors)
    if any_is((socket.gaierror,)):
        return FailureKind.NAME_NOT_RESOLVED
    return _tls_kind(errors) or next((kind for kind, types in _KINDS if any_is(types)), FailureKind.BROKEN)


def _detail(errors: list[BaseException]) -> str:
    """The system's own words for the innermost cause; never a text that holds a URL or a header."""
    for e in errors:
        if isinstance(e, ssl.SSLCertVerificationError):
            return str(e.verify_message)
    for e in errors:
        if isinstance(e, ssl.SSLError) and _reason(e):
            return _reason(e)
    for e in errors:
        if isinstance(e, OSError) and isinstance(e.errno, int) and e.errno in errno.errorcode:
            return str(e.strerror)
    return "no further detail"


def failed(
    kind: FailureKind,
    origin: str,
    setting: str,
    *,
    seconds: float = 0,
    proxies: Mapping[str, str] | None = None,
    **said: str,
) -> ConnectionFailed:
    """The error for a kind of failure, in words. ``setting`` is the variable that holds the origin.

    ``said`` are words that only some kinds have: ``detail``, the ``status`` of a proxy, ``untrusted`` and ``trust``.
    """
    parts = urlsplit(origin)
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    proxy, proxy_port = proxy_address(proxy_of(origin, proxies or {}))
    values = {
        "host": host,
        "port": port,
        "netloc": parts.netloc if parts.port else f"{parts.netloc}:{port}",
        "origin": origin,
        "seconds": round(seconds, 1) or seconds,
        "proxy": proxy or "of the environment",
        "proxy_port": proxy_port,
        "setting": setting,
        "server": _server(setting, host),
        "allow_http": "" if is_loopback(host) else ", and ZDEMO_ALLOW_HTTP=1 if nobody can listen in",
        "certificate_too": " (is a certificate configured, and which TLS versions?)" if tls else "",
        **{"detail": "no further detail", "status": "", "untrusted": why_untrusted(0), "trust": how_to_trust(0, None)},
        **said,
    }
    message, hint = (text.format(**values) for text in _WORDS[kind])
    return ConnectionFailed(message, hint=hint, kind=kind, origin=origin)


def _server(setting: str, host: str) -> str:
    """What is to be started where nothing listens. An emulated ZITADEL runs on this machine alone."""
    if setting not in ZITADELS_ADDRESS:
        return "the server there"
    return "ZITADEL (zdemo emulator runs an emulated one)" if is_loopback(host) else "ZITADEL there"


def too_large(origin: str, setting: str, limit_bytes: int) -> ConnectionFailed:
    """The error for an answer that does not end where it should."""
    return failed(FailureKind.TOO_LARGE, origin, setting, detail=f"{limit_bytes >> 20} MiB")


def explained(
    error: BaseException,
    origin: str,
    setting: str,
    *,
    seconds: float,
    proxies: Mapping[str, str],
    ca_bundle: str | None,
) -> ConnectionFailed | SettingsError:
    """The error that says what an exception of the HTTP stack means."""
    errors = list(chain(error))
    if ca_bundle and _bundle_unusable(errors):
        return unusable_bundle()
    code = next((e.verify_code for e in errors if isinstance(e, ssl.SSLCertVerificationError)), 0)
    status = _tunnel_status(errors)
    return failed(
        _kind(errors),
        origin,
        setting,
        seconds=seconds,
        proxies=proxies,
        detail=_detail(errors),
        status=f" ({status})" if status else " (it gives no answer)",
        untrusted=why_untrusted(code),
        trust=how_to_trust(code, ca_bundle),
    )


def _bundle_unusable(errors: list[BaseException]) -> bool:
    """A missing bundle is a plain OSError in requests; one that cannot be opened or parsed fails outside of TLS."""

    def about_bundle(e: BaseException) -> bool:
        if isinstance(e, ssl.SSLError):
            return getattr(e, "library", "") in ("X509", "PEM", "ASN1")
        if isinstance(e, TLSError):
            return isinstance(e.__cause__, PermissionError)
        return type(e) is OSError and "CA" in str(e)

    return any(about_bundle(e) for e in errors)
