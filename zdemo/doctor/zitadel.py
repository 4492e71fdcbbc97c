"""Checks of what answers: it is a ZITADEL, ready, has an instance by our name, and our clocks agree."""

from __future__ import annotations

from zdemo.diagnosis import (
    Probe,
    finding_for_error,
    finding_for_issuer,
    finding_for_server,
    quoted,
    zitadel_is_sick,
    zitadels_signs,
)
from zdemo.doctor.check import Check, Outcome, Result, failed, from_finding, nothing_to_check, passed, skipped, warned
from zdemo.doctor.context import DoctorContext
from zdemo.errors import FailureKind
from zdemo.introspection.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS
from zdemo.introspection.refusals import DATABASE_AWAY

KEY_TOLERANCE_SECONDS = 1.5  # ZITADEL refuses assertions of 2 s ahead; zdemo dates its own a minute back
CLOCK_TOLERANCE_SECONDS = 5.0  # ``Date`` has a resolution of 1 s, and an answer takes its time
SYNCHRONISE = "synchronise the time of this machine (NTP), e.g. timedatectl set-ntp true, and check ZITADEL's"

THAT_DATE = "look at the clock of the proxy before ZITADEL, which may write its own Date, and at this machine's"


def _identity(case: DoctorContext) -> Result:
    if signs := zitadels_signs(case.evidence):
        return passed(f"a ZITADEL: {signs}")
    answer, failure = case.answer(Probe.DISCOVERY), case.failure(Probe.DISCOVERY)
    if answer:
        return from_finding(finding_for_server(answer, case.evidence))
    if failure:
        return from_finding(finding_for_error(failure, case.about_zitadel, case.evidence))
    return skipped("no time was left to ask")


def _ready(case: DoctorContext) -> Result:
    evidence = case.evidence
    if sick := zitadel_is_sick(case.issuer, evidence):
        return from_finding(sick)
    discovery, ready = case.answer(Probe.DISCOVERY), case.failure(Probe.READY)
    if discovery and (DATABASE_AWAY in discovery.text or discovery.status in (429, *range(500, 600))):
        return from_finding(finding_for_server(discovery, evidence))
    failure = case.failure(Probe.DISCOVERY) or ready
    if failure and (discovery is None or failure.kind is FailureKind.TIMEOUT):
        return from_finding(finding_for_error(failure, case.about_zitadel, evidence))
    if evidence.is_ready:
        return passed("its database answers")
    return passed("it answers; its readiness check could not be asked")


def _host(case: DoctorContext) -> Result:
    discovery = case.answer(Probe.DISCOVERY)
    if discovery is None:
        return skipped("discovery did not answer")
    if discovery.status == 200 and discovery.json_object().get("issuer"):
        return passed(f"{case.issuer.partition('://')[2]} is a name of an instance")
    finding = finding_for_server(discovery, case.evidence)
    only_discovery = finding.id == "zitadel.in_between"  # introspection may pass, and needs no discovery
    return from_finding(finding, Outcome.WARN if only_discovery else Outcome.FAIL)


def _issuer(case: DoctorContext) -> Result:
    discovery = case.answer(Probe.DISCOVERY)
    told = quoted(discovery.json_object().get("issuer")) if discovery else ""
    if not told:
        return nothing_to_check("discovery, which would tell, does not come from ZITADEL")
    with_key = case.settings is not None and case.settings.key is not None
    finding = finding_for_issuer(told, case.own_name, with_key=with_key)
    return from_finding(finding) if finding else passed(told)


def _clock(case: DoctorContext) -> Result:
    ahead = case.clock_ahead_seconds
    if ahead is None:
        return skipped("no answer told the time")
    where = "ahead of" if ahead > 0 else "behind"
    said = f"this machine's clock is {abs(ahead):.0f} s {where} ZITADEL's (by the Date of its answer)"
    if case.settings and case.settings.key and not -LIFETIME_SECONDS < ahead <= CLOCK_LEEWAY_SECONDS + 1:
        if case.investigation and case.investigation.introspection:
            return warned(f"{said}, but ZITADEL takes what is signed here: then that Date is not its own", THAT_DATE)
        return failed(f"{said}: what is signed with the key of ZITADEL_KEY_FILE is refused", SYNCHRONISE)
    if case.settings and case.settings.key and KEY_TOLERANCE_SECONDS < ahead <= CLOCK_TOLERANCE_SECONDS:
        return warned(f"{said}: who signs without a margin, as others may, is refused from 2 s on", SYNCHRONISE)
    if abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        return warned(f"{said}: tokens look expired, or not yet valid, before they are", SYNCHRONISE)
    return passed("agrees with ZITADEL's to a second or so")


CHECKS = (
    Check(
        id="zitadel.identity",
        what="what answers at ZITADEL_DOMAIN is a ZITADEL",
        needs=("net.tls",),
        examine=_identity,
    ),
    Check(
        id="zitadel.ready",
        what="it is ready: its database answers, and it is not limiting us",
        needs=("zitadel.identity",),
        examine=_ready,
    ),
    Check(
        id="zitadel.host",
        what="our host name is one of an instance (ExternalDomain)",
        needs=("zitadel.ready",),
        examine=_host,
    ),
    Check(
        id="zitadel.issuer",
        what="it calls itself what ZITADEL_DOMAIN says: scheme, host, port",
        needs=("zitadel.host",),
        examine=_issuer,
    ),
    Check(
        id="clock.skew",
        what="this machine's clock agrees with ZITADEL's",
        needs=("zitadel.identity",),
        examine=_clock,
    ),
)
