"""Checks of the way to ZITADEL: its name resolves, a proxy lets us through, its port answers, TLS is in order."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from zdemo.config.parsers import is_loopback
from zdemo.diagnosis import Probe, finding_for_server
from zdemo.doctor.check import Check, Result, failed, from_finding, nothing_to_check, passed, skipped
from zdemo.doctor.context import NOT_USABLE, DoctorContext, in_time
from zdemo.errors import ConnectionFailed, FailureKind, SettingsError
from zdemo.http.failures import explained
from zdemo.http.messages import ca_bundle_of, unusable_bundle
from zdemo.http.messages import failed as failure
from zdemo.http.proxy import proxy_address, proxy_problem
from zdemo.http.transport import Transport

SETTING = "ZITADEL_DOMAIN"
PORTS = {"http": 80, "https": 443}
IN_A_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
TLS_KINDS = (
    FailureKind.PLAIN_HTTP,
    FailureKind.NOT_TLS,
    FailureKind.HUNG_UP,
    FailureKind.CERTIFICATE_UNTRUSTED,
    FailureKind.CERTIFICATE_EXPIRED,
    FailureKind.CERTIFICATE_NOT_YET_VALID,
    FailureKind.CERTIFICATE_WRONG_NAME,
    FailureKind.TLS,
)
ABOUT_TIME = (FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_NOT_YET_VALID)
PROXY_KINDS = (
    FailureKind.PROXY,
    FailureKind.PROXY_LOGIN,
    FailureKind.PROXY_WITHOUT_WAY,
    FailureKind.PROXY_PLAIN_HTTP,
)
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def endpoint(url: str) -> tuple[str, int]:
    """Host and port of an address."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)


def proxy_for(issuer: str) -> str:
    """The proxy that requests to this address take; empty when they go straight."""
    transport = Transport(issuer, setting=SETTING)
    transport.close()
    return transport.proxy


def addresses(host: str, port: int, seconds: float) -> Sequence[str] | Exception:
    """The addresses of a name, in the order in which they are tried."""
    found = in_time(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), seconds)
    return found if isinstance(found, Exception) else [str(address[4][0]) for address in found]


def _resolve(case: DoctorContext) -> Result:
    if case.about_zitadel is None:
        return skipped(case.not_usable(SETTING) or NOT_USABLE)
    if proxy_for(case.issuer):
        return nothing_to_check("the proxy resolves it, not this machine")
    host, port = endpoint(case.issuer)
    seconds = case.step_seconds
    found = addresses(host, port, seconds)
    if isinstance(found, TimeoutError):
        what = f"the host name {host} does not resolve: DNS gives no answer within {seconds:.0f} s"
        return failed(what, "check this machine's network and its DNS server, and the host name in ZITADEL_DOMAIN")
    if isinstance(found, Exception):
        error = failure(FailureKind.NAME_NOT_RESOLVED, case.issuer, SETTING)
        return failed(error.message, error.hint)
    return passed(f"{host} is {', '.join(dict.fromkeys(found))}")


def _proxy(case: DoctorContext) -> Result:
    proxy = proxy_for(case.issuer)
    if not proxy:
        named = next((name for name in PROXY_VARIABLES if os.environ.get(name)), "")
        return nothing_to_check(f"{named} is set, and is not used for this host" if named else "none is set")
    if problem := proxy_problem(proxy):
        error = failure(FailureKind.PROXY_UNUSABLE, case.issuer, SETTING, detail=problem)
        return failed(error.message, error.hint)
    host, port = proxy_address(proxy)
    for question in (Probe.DISCOVERY, Probe.READY):
        reply = case.failure(question)
        if reply and reply.kind in PROXY_KINDS:
            return failed(f"{reply.message}; it is at {host} port {port}", reply.hint)
    return passed(f"{host} port {port}")


def _connect(case: DoctorContext) -> Result:
    if proxy_for(case.issuer):
        return nothing_to_check("the proxy connects, not this machine")
    host, port = endpoint(case.issuer)
    seconds = case.step_seconds
    start = time.monotonic()
    tried = in_time(lambda: socket.create_connection((host, port), timeout=seconds).close(), seconds)
    if not isinstance(tried, Exception):
        return passed(f"port {port} answers in {(time.monotonic() - start) * 1000:.1f} ms")
    error = explained(tried, case.issuer, SETTING, seconds=seconds, proxies={}, ca_bundle=None)
    if not isinstance(error, ConnectionFailed) or error.kind is FailureKind.BROKEN:
        detail = getattr(tried, "strerror", None) or "no further detail"
        error = failure(FailureKind.NO_ROUTE, case.issuer, SETTING, detail=detail)
    return failed(error.message, *_hints(error, host))


def _hints(error: ConnectionFailed, host: str) -> tuple[str, ...]:
    here = error.kind is FailureKind.REFUSED and is_loopback(host)
    if here and any(path.exists() for path in IN_A_CONTAINER):
        outside = f"if ZITADEL runs outside of this container: {host} is the container itself, and not its host"
        return error.hint, outside
    return (error.hint,)


def _tls(case: DoctorContext) -> Result:
    reply = case.failure(Probe.DISCOVERY)
    if case.issuer.startswith("http://"):
        return _plain(case, reply)
    if reply and reply.kind in TLS_KINDS:
        clock = f"; this machine's clock says {_today(case.now())}" if reply.kind in ABOUT_TIME else ""
        return failed(reply.message + clock, reply.hint)
    if reply:
        return nothing_to_check("no answer came that would tell")
    return passed("the certificate is trusted, for this name, and in time")


def _today(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d")


def _plain(case: DoctorContext, reply: ConnectionFailed | None) -> Result:
    """Plain http was spoken: did the server want TLS? Some say so, others hang up."""
    answer = case.answer(Probe.DISCOVERY)
    told = finding_for_server(answer, case.evidence) if answer and answer.status == 400 else None
    if told and told.id == "net.expects_tls":
        return from_finding(told)
    if reply and reply.kind is FailureKind.EXPECTS_TLS:
        return failed(reply.message, reply.hint)
    return nothing_to_check("http, nothing to check")


def usable_bundle(case: DoctorContext) -> SettingsError | None:
    """What is wrong with the CA bundle that the environment names; ``None`` when nothing is."""
    bundle = ca_bundle_of(os.environ)
    if not bundle or not case.issuer.startswith("https://"):
        return None
    try:
        context = ssl.create_default_context()
        context.load_verify_locations(**{"capath" if Path(bundle.path).is_dir() else "cafile": bundle.path})
    except (OSError, ssl.SSLError):
        return unusable_bundle(bundle)
    return None


def _tls_with_bundle(case: DoctorContext) -> Result:
    problem = usable_bundle(case)
    return failed(problem.message, problem.hint) if problem else _tls(case)


CHECKS = (
    Check(
        id="net.resolve",
        what="the host name in ZITADEL_DOMAIN resolves",
        needs=("settings.readable",),
        examine=_resolve,
    ),
    Check(id="net.connect", what="the port answers", needs=("net.resolve",), examine=_connect),
    Check(
        id="net.proxy",
        what="the proxy of the environment, if there is one, lets requests through",
        needs=("net.connect",),
        examine=_proxy,
    ),
    Check(
        id="net.tls",
        what="TLS where it is due: certificate trusted, right name, in time",
        needs=("net.proxy",),
        examine=_tls_with_bundle,
    ),
)
