"""Checks of the server at ZITADEL_DOMAIN: a ZITADEL, ready, with an instance for this host, and clocks that agree."""

from zdemo.diagnosis import (
    CLOCK_TOLERANCE_SECONDS,
    SYNCHRONISE,
    Probe,
    assertions_are_refused,
    clock_words,
    finding_for_error,
    finding_for_issuer,
    finding_for_server,
    quoted,
    zitadel_is_sick,
    zitadels_signs,
)
from zdemo.doctor.check import Outcome, Result, check, failed, from_finding, nothing_to_check, passed, skipped, warned
from zdemo.doctor.context import DoctorContext
from zdemo.doctor.hidden_address import explained_by_hidden_address
from zdemo.errors import FailureKind
from zdemo.introspection.client_assertion import audience_of
from zdemo.introspection.refusals import DATABASE_AWAY

KEY_TOLERANCE_SECONDS = 1.5  # ZITADEL refuses assertions that are 2 s ahead; zdemo dates its own a minute back
PROXY_DATE = "check the clock of the proxy in front of ZITADEL, which may write its own Date, and this machine's"


@check("zitadel.identity", "the server at ZITADEL_DOMAIN is a ZITADEL", "net.tls")
def _identity(context: DoctorContext) -> Result:
    if signs := zitadels_signs(context.evidence):
        answer = context.evidence.answer(Probe.DISCOVERY)
        if answer and answer.emulator:
            what = f"emulator {answer.emulator}"
            return passed(f"zdemo's {what}: {signs}", brief=f"{context.issuer}, {what}")
        return passed(f"a ZITADEL: {signs}", brief=context.issuer)
    if answer := context.evidence.answer(Probe.DISCOVERY):
        return from_finding(finding_for_server(answer, context.evidence))
    if failure := context.evidence.failure(Probe.DISCOVERY):
        return from_finding(finding_for_error(failure, context.about_zitadel, context.evidence))
    return skipped("no time was left")


@check("zitadel.ready", "it is ready: its database answers, and requests are not limited", "zitadel.identity")
def _ready(context: DoctorContext) -> Result:
    evidence = context.evidence
    if sick := zitadel_is_sick(context.zitadel.server, evidence):
        return from_finding(sick)
    discovery = evidence.answer(Probe.DISCOVERY)
    if discovery and (DATABASE_AWAY in discovery.text or discovery.status in (429, *range(500, 600))):
        return from_finding(finding_for_server(discovery, evidence))
    failure = evidence.failure(Probe.DISCOVERY) or evidence.failure(Probe.READY)
    if failure and (discovery is None or failure.kind is FailureKind.TIMEOUT):
        return from_finding(finding_for_error(failure, context.about_zitadel, evidence))
    if evidence.is_ready:
        has_database = not (discovery and discovery.emulator)  # the emulator has none
        return passed("its database answers", brief="database reachable" if has_database else "")
    return passed("it answers, but its readiness check did not")


@check("zitadel.host", "it has an instance for the host name (ExternalDomain)", "zitadel.ready")
def _host(context: DoctorContext) -> Result:
    discovery = context.evidence.answer(Probe.DISCOVERY)
    if discovery is None:
        return skipped("discovery did not answer")
    if discovery.status == 200 and discovery.json_object().get("issuer"):
        return passed(f"ZITADEL has an instance for {context.issuer.partition('://')[2]}")
    finding = finding_for_server(discovery, context.evidence)
    only_discovery = finding.id == "zitadel.in_between"  # introspection may pass, and needs no discovery
    return from_finding(finding, Outcome.WARN if only_discovery else Outcome.FAIL)


@check("zitadel.issuer", "its issuer is ZITADEL_DOMAIN: scheme, host, port", "zitadel.host")
def _issuer(context: DoctorContext) -> Result:
    issuer = quoted(context.evidence.body(Probe.DISCOVERY).get("issuer"))
    if not issuer:
        return nothing_to_check("discovery, which names the issuer, does not come from ZITADEL")
    with_key = context.settings is not None and context.settings.key is not None
    finding = finding_for_issuer(issuer, audience_of(context.issuer), with_key=with_key)
    return from_finding(finding) if finding else passed(issuer)


@check("clock.skew", "this machine's clock agrees with ZITADEL's", "zitadel.identity")
def _clock(context: DoctorContext) -> Result:
    ahead = context.evidence.clock_ahead_seconds
    if ahead is None:
        return skipped("no answer has a date")
    words = f"{clock_words(ahead)} (by the Date of its answer)"
    key = context.settings.key if context.settings else None
    if key and assertions_are_refused(ahead):
        if context.investigation.introspection:
            return warned(f"{words}, but ZITADEL accepts what is signed here: so that Date is not its own", PROXY_DATE)
        return failed(f"{words}: ZITADEL refuses what is signed with the key of ZITADEL_KEY_FILE", SYNCHRONISE)
    if key and KEY_TOLERANCE_SECONDS < ahead <= CLOCK_TOLERANCE_SECONDS:
        return warned(f"{words}: clients that sign without a margin are refused from 2 s on", SYNCHRONISE)
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        return warned(f"{words}: tokens seem expired, or not yet valid, before they are", SYNCHRONISE)
    return passed("agrees with ZITADEL's clock to about a second", brief="clocks agree")


CHECKS = (*explained_by_hidden_address((_identity, _ready, _host)), _issuer, _clock)
