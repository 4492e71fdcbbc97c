"""Checks of the network to ZITADEL, derived from one request for discovery, and of the server there."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.diagnosis.checks.check import check, nothing_to_check, passed, skipped, warned
from zdemo.diagnosis.checks.doctor_context import NOT_USABLE, DoctorContext
from zdemo.diagnosis.evidence import NO_SETTINGS, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, Outcome
from zdemo.diagnosis.rules.inactive_token import DATABASE_SICK, zitadel_is_sick
from zdemo.diagnosis.rules.rejected_client import SIGNER, finding_for_audience, finding_for_clock
from zdemo.diagnosis.rules.rule import diagnose
from zdemo.diagnosis.rules.unusable_response import NO_DISCOVERY, finding_for_error, zitadels_signs
from zdemo.diagnosis.wording import SYNCHRONISE, clock_words
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.response import Response
from zdemo.http.failure_messages import proxy_address
from zdemo.zitadel.introspection_response import DATABASE_AWAY, answer_error

CERTIFICATE_KINDS = tuple(kind for kind in FailureKind if kind.startswith("certificate_"))
TLS_KINDS = (FailureKind.PLAIN_HTTP, FailureKind.NOT_TLS, FailureKind.HUNG_UP, FailureKind.TLS, *CERTIFICATE_KINDS)
NOT_SENT = "no request was sent"
ABOUT_TIME = (FailureKind.CERTIFICATE_EXPIRED, FailureKind.CERTIFICATE_NOT_YET_VALID)


@check("net.resolve", "settings.readable", verdict="the host name does not resolve")
def _resolve(context: DoctorContext) -> Finding:
    """The host name in ZITADEL_DOMAIN, or ZITADEL_INTERNAL_URL, resolves."""
    if context.about_zitadel is None:
        return skipped(context.not_usable(ISSUER, INTERNAL_URL) or NOT_USABLE)
    if context.facts.proxy:
        return nothing_to_check("the proxy resolves the host name, not this machine")
    host, reply = urlsplit(context.zitadel.server).hostname, context.evidence.replies.get(Probe.DISCOVERY)
    if reply is None:
        return nothing_to_check(NOT_SENT)
    if isinstance(reply, ConnectionFailed) and reply.kind is FailureKind.NAME_NOT_RESOLVED:
        return finding_for_error(reply)
    return passed(f"{host} resolves{_from_internal_url(context)}")


@check("net.connect", "net.resolve", verdict="no connection")
def _connect(context: DoctorContext) -> Finding:
    """The port accepts connections."""
    if context.facts.proxy:
        return nothing_to_check("the proxy connects, not this machine")
    parts, reply = urlsplit(context.zitadel.server), context.evidence.replies.get(Probe.DISCOVERY)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if reply is None:
        return nothing_to_check(NOT_SENT)
    if isinstance(reply, ConnectionFailed):
        is_refused = reply.kind in (FailureKind.REFUSED, FailureKind.NO_ROUTE) or reply.connecting
        return finding_for_error(reply) if is_refused else passed(f"port {port} accepts connections")
    where = _from_internal_url(context)
    what = f"{parts.hostname}:{port} answers in {reply.seconds * 1000:.0f} ms{where}"
    if context.settings and reply.seconds > context.settings.timeout_seconds:
        return warned(late := f"{what}: longer than ZDEMO_TIMEOUT", "raise ZDEMO_TIMEOUT", brief=late)
    return passed(f"port {port} answers{where}", brief=what)


def _finding_for_discovery(answer: Response, context: DoctorContext) -> Finding:
    """Return why the answer to a request for discovery does not come from a ZITADEL, or is not a good one."""
    return diagnose(NO_DISCOVERY, TokenCase(error=answer_error(answer), evidence=context.evidence))


def _from_internal_url(context: DoctorContext) -> str:
    """Return, behind what is true of the server, that it is not the issuer's."""
    return f" ({INTERNAL_URL})" if context.zitadel.internal_url else ""


@check("net.proxy", "net.connect", verdict="the proxy lets nothing through")
def _proxy(context: DoctorContext) -> Finding:
    """The proxy from the environment, if there is one, lets requests through."""
    proxy = context.facts.proxy
    if not proxy:
        return nothing_to_check("no proxy is used for this host")
    host, port = proxy_address(proxy)
    for probe in (Probe.DISCOVERY, Probe.READY):
        if (failure := context.evidence.failure(probe)) and failure.kind.startswith("proxy"):
            return finding_for_error(failure)
    return passed(f"{host} port {port}", brief=f"through the proxy at {host} port {port}")


@check("net.tls", "net.proxy", verdict="no TLS connection")
def _tls(context: DoctorContext) -> Finding:
    """The certificate, if TLS is used, is trusted, has the right name, and is valid now."""
    failure = context.evidence.failure(Probe.DISCOVERY)
    if context.zitadel.server.startswith("http://"):
        if failure and failure.kind is FailureKind.EXPECTS_TLS:
            return finding_for_error(failure)
        answer = context.evidence.answer(Probe.DISCOVERY)  # some servers that expect https say so
        finding = _finding_for_discovery(answer, context) if answer.status == 400 else None
        return finding if finding and finding.id == "net.expects_tls" else nothing_to_check("not needed: http")
    if problem := context.unusable_bundle:
        raise problem
    if failure and failure.kind in TLS_KINDS:
        clock = f"; this machine's date is {datetime.now(UTC):%Y-%m-%d}" if failure.kind in ABOUT_TIME else ""
        return replace(finding_for_error(failure), cause=failure.message + clock)
    if failure:
        return nothing_to_check("no answer could show this")
    return passed("the certificate is trusted, has the right name, and is valid now", brief="certificate trusted")


@check("zitadel.identity", "net.tls", verdict="no answer from a ZITADEL")
def _identity(context: DoctorContext) -> Finding:
    """The server at ZITADEL_DOMAIN is a ZITADEL."""
    answer = context.evidence.answer(Probe.DISCOVERY)
    if signs := zitadels_signs(context.evidence):
        emulator = f", emulator {answer.emulator}" if answer.emulator else ""
        return passed(f"a ZITADEL{emulator}: {signs}", brief=context.zitadel.issuer + emulator)
    if answer.status:
        return _finding_for_discovery(answer, context)
    if failure := context.evidence.failure(Probe.DISCOVERY):
        return finding_for_error(failure, context.about_zitadel, context.evidence)
    return skipped("no time was left")


@check("zitadel.ready", "zitadel.identity", verdict="not ready")
def _ready(context: DoctorContext) -> Finding:
    """ZITADEL is ready: its database answers, and requests are not limited."""
    evidence = context.evidence
    if sick := zitadel_is_sick(TokenCase(settings=context.about_zitadel or NO_SETTINGS, evidence=evidence)):
        return sick
    if evidence.is_discovered and (finding := context.investigation.finding) and finding.id == DATABASE_SICK:
        return finding
    discovery = evidence.answer(Probe.DISCOVERY)
    if DATABASE_AWAY in discovery.text or discovery.status in (429, *range(500, 600)):
        return _finding_for_discovery(discovery, context)
    failure = evidence.failure(Probe.DISCOVERY) or evidence.failure(Probe.READY)
    if failure and (not discovery.status or failure.kind is FailureKind.TIMEOUT):
        return finding_for_error(failure, context.about_zitadel, evidence)
    if evidence.is_ready:
        has_database = not discovery.emulator  # the emulator has none
        return passed("its database answers", brief="database reachable" if has_database else "")
    return passed("it answers, but its readiness check did not")


@check("zitadel.host", "zitadel.ready", verdict="does not answer for this host")
def _host(context: DoctorContext) -> Finding:
    """ZITADEL has an instance for the host name (ExternalDomain)."""
    discovery = context.evidence.answer(Probe.DISCOVERY)
    if not discovery.status:
        return skipped("discovery did not answer")
    if context.evidence.issuer:
        return passed(f"ZITADEL has an instance for {context.zitadel.issuer.partition('://')[2]}")
    finding = _finding_for_discovery(discovery, context)
    only_discovery = finding.id == "zitadel.in_between"  # introspection may pass, and needs no discovery
    return replace(finding, outcome=Outcome.WARN) if only_discovery else finding


@check("zitadel.issuer", "zitadel.host", verdict="has another address")
def _issuer(context: DoctorContext) -> Finding:
    """ZITADEL's issuer is ZITADEL_DOMAIN: scheme, host, port."""
    if not (issuer := context.evidence.issuer):
        return nothing_to_check("discovery, which names the issuer, does not come from ZITADEL")
    if differs := finding_for_audience(context.evidence, context.zitadel.issuer, "a key", kind="zitadel"):
        return replace(differs, fix=differs.otherwise, otherwise=differs.fix)  # this address works
    return passed(issuer)


@check("clock.skew", "zitadel.identity", verdict="clocks differ")
def _clock(context: DoctorContext) -> Finding:
    """This machine's clock agrees with ZITADEL's."""
    ahead = context.evidence.clock_ahead_seconds
    if ahead is None:
        return skipped("no answer has a date")
    key, refused = context.settings and context.settings.key, finding_for_clock(context.evidence, SIGNER)
    if key and refused and not context.investigation.introspection:
        return refused
    if context.evidence.clock_off_by:
        behind = "new tokens look not yet valid here, and expired ones still valid"
        effect = "tokens look expired here before they are" if ahead > 0 else behind
        return warned(f"{clock_words(ahead)} (by the Date of its answer): {effect}", SYNCHRONISE)
    return passed("within about a second of ZITADEL's clock", brief="clocks agree")


CHECKS = (_resolve, _connect, _proxy, _tls, _identity, _ready, _host, _issuer, _clock)
