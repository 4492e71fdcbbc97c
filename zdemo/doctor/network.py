"""Checks of the network to ZITADEL, all derived from the one request for discovery: DNS, port, proxy, TLS."""

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from zdemo.config.address import INTERNAL_URL, ISSUER, ZitadelAddress
from zdemo.config.origins import is_loopback
from zdemo.diagnosis import Evidence, Probe, finding_for_server
from zdemo.doctor.check import Result, check, failed, failed_with, from_finding, nothing_to_check, passed, skipped
from zdemo.doctor.context import NOT_USABLE, DoctorContext
from zdemo.doctor.hidden_address import explained_by_hidden_address
from zdemo.errors import FailureKind, Phase
from zdemo.http.messages import failed as connection_failed
from zdemo.http.messages import proxy_address, proxy_problem

IN_A_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
CERTIFICATE_KINDS = tuple(kind for kind in FailureKind if kind.startswith("certificate_"))
TLS_KINDS = (FailureKind.PLAIN_HTTP, FailureKind.NOT_TLS, FailureKind.HUNG_UP, FailureKind.TLS, *CERTIFICATE_KINDS)
ABOUT_TIME = (FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_NOT_YET_VALID)
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def _proxy_for(zitadel: ZitadelAddress) -> str:
    from zdemo.http.transport import Transport  # here, because help and completion need no requests

    transport = Transport.to_zitadel(zitadel)
    transport.close()
    return transport.proxy


@check("net.resolve", "the host name in ZITADEL_DOMAIN, or ZITADEL_INTERNAL_URL, resolves", "settings.readable")
def _resolve(context: DoctorContext) -> Result:
    if context.about_zitadel is None:
        return skipped(context.not_usable(ISSUER, INTERNAL_URL) or NOT_USABLE)
    if _proxy_for(context.zitadel):
        return nothing_to_check("the proxy resolves the host name, not this machine")
    host, failure = urlsplit(context.zitadel.server).hostname or "", context.evidence.failure(Probe.DISCOVERY)
    if failure and failure.kind is FailureKind.NAME_NOT_RESOLVED:
        return failed_with(failure)
    if failure and failure.phase is Phase.NAME:
        what = f"the host name {host} does not resolve: no answer from DNS within {context.step_seconds:.0f} s"
        fix = f"check this machine's network and DNS server, and the host name in {context.zitadel.setting}"
        return failed(what, fix)
    if failure is None and context.evidence.answer(Probe.DISCOVERY) is None:
        return nothing_to_check("no request was sent")
    return passed(f"{host} resolves{_from_internal_url(context)}")


@check("net.connect", "the port answers", "net.resolve")
def _connect(context: DoctorContext) -> Result:
    if _proxy_for(context.zitadel):
        return nothing_to_check("the proxy connects, not this machine")
    parts, failure = urlsplit(context.zitadel.server), context.evidence.failure(Probe.DISCOVERY)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if failure and (failure.kind in (FailureKind.REFUSED, FailureKind.NO_ROUTE) or failure.phase is Phase.CONNECTION):
        here = failure.kind is FailureKind.REFUSED and is_loopback(parts.hostname or "")
        inside = here and any(path.exists() for path in IN_A_CONTAINER)
        outside = (
            f"if ZITADEL runs outside this container: {parts.hostname} is the container itself, so set {INTERNAL_URL} "
            "to an address at which ZITADEL answers from here"
        )
        return failed(failure.message, failure.hint, *((outside,) if inside else ()))
    if failure:
        return passed(f"port {port} accepts connections")
    answer = context.evidence.answer(Probe.DISCOVERY)
    if answer is None:
        return nothing_to_check("no request was sent")
    where = _from_internal_url(context)
    what = f"{parts.hostname}:{port} answers in {answer.seconds * 1000:.0f} ms{where}"
    return passed(f"port {port} answers{where}", brief=what)


def _from_internal_url(context: DoctorContext) -> str:
    """Return, behind what is true of the server, that it is not the issuer's."""
    return f" ({INTERNAL_URL})" if context.zitadel.internal_url else ""


@check("net.proxy", "the proxy from the environment, if there is one, lets requests through", "net.connect")
def _proxy(context: DoctorContext) -> Result:
    proxy = _proxy_for(context.zitadel)
    if not proxy:
        named = next((name for name in PROXY_VARIABLES if os.environ.get(name)), "")
        return nothing_to_check(f"{named} is set, but is not used for this host" if named else "none is set")
    if problem := proxy_problem(proxy):
        return failed_with(connection_failed(FailureKind.PROXY_UNUSABLE, context.issuer, ISSUER, detail=problem))
    host, port = proxy_address(proxy)
    for probe in (Probe.DISCOVERY, Probe.READY):
        failure = context.evidence.failure(probe)
        if failure and failure.kind.startswith("proxy"):
            where = f"{host} port {port}"
            return failed(
                failure.message + ("" if where in failure.message else f"; the proxy is at {where}"), failure.hint
            )
    return passed(f"{host} port {port}", brief=f"through the proxy at {host} port {port}")


@check("net.tls", "TLS where it is used: the certificate is trusted, has the right name, and is in time", "net.proxy")
def _tls(context: DoctorContext) -> Result:
    failure = context.evidence.failure(Probe.DISCOVERY)
    if context.zitadel.server.startswith("http://"):
        if failure and failure.kind is FailureKind.EXPECTS_TLS:
            return failed_with(failure)
        return _plain(context.evidence)
    if problem := context.unusable_bundle:
        return failed_with(problem)
    if failure and failure.kind in TLS_KINDS:
        clock = f"; this machine's date is {datetime.now(UTC):%Y-%m-%d}" if failure.kind in ABOUT_TIME else ""
        return failed(failure.message + clock, failure.hint)
    if failure:
        return nothing_to_check("there was no answer to judge by")
    return passed("the certificate is trusted, has the right name, and is in time", brief="certificate trusted")


def _plain(evidence: Evidence) -> Result:
    """Return the result for http: some servers that expect https say so."""
    answer = evidence.answer(Probe.DISCOVERY)
    finding = finding_for_server(answer, evidence) if answer and answer.status == 400 else None
    if finding and finding.id == "net.expects_tls":
        return from_finding(finding)
    return nothing_to_check("not needed: http")


CHECKS = explained_by_hidden_address((_resolve, _connect, _proxy, _tls))
