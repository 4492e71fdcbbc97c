"""Checks of the API at ZDEMO_API_URL: it answers, is a zdemo API, and agrees with ZITADEL about the token."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

from zdemo.client import Call, Route
from zdemo.config.settings import API_URL, Settings
from zdemo.diagnosis import (
    DISAGREES,
    can_be_cached,
    code_of,
    described,
    finding_for_changed_refusal,
    finding_for_disagreement,
    finding_for_no_example_api,
    finding_for_unsteady,
    refusal_of,
)
from zdemo.doctor.check import (
    Result,
    check,
    failed,
    failed_with,
    from_finding,
    nothing_to_check,
    passed,
    skipped,
    warned,
)
from zdemo.doctor.context import NOT_USABLE, DoctorContext
from zdemo.errors import FailureKind
from zdemo.investigation import explain

PUBLIC_MESSAGE = "Public route"  # the beginning of the public route's message
ABOUT_PROJECT = ("client.in_other_project", "role.other_project_configured", "role.hidden", "token.hidden")
MORE_CALLS = 3  # with the first, enough to see each of two or three instances that take turns
MOST_SECONDS_TO_REPEAT = 1.0  # that a call took
LONGEST_WAIT_SECONDS = 5  # for the API to ask ZITADEL again
PAUSE_SECONDS = 0.25
CORRECT = "start it with zdemo serve, and set ZDEMO_API_URL to where it runs"


@check("api.reachable", "the API at ZDEMO_API_URL answers", "settings.readable")
def _reachable(context: DoctorContext) -> Result:
    if context.api is None:
        return skipped(context.not_usable("ZDEMO_API_URL", "ZDEMO_ALLOW_HTTP", "ZDEMO_TIMEOUT") or NOT_USABLE)
    public = context.called(Route.PUBLIC)
    if isinstance(public, Call):
        what = f"{context.api.api_url} answers in {public.answer.seconds * 1000:.0f} ms"
        return passed(what, brief=what)
    if public.kind is FailureKind.REFUSED and not context.environment.source("ZDEMO_API_URL"):
        not_running = f"not running at {context.api.api_url}"
        return replace(warned(public.message, public.hint, brief=not_running), satisfied=False)
    return failed_with(public)


@check("api.identity", "it is a zdemo API, and guards its private route", "api.reachable")
def _identity(context: DoctorContext) -> Result:
    public = context.called(Route.PUBLIC)
    if not isinstance(public, Call):
        return skipped("it did not answer")
    message = public.body.get("message") if isinstance(public.body, dict) else None
    if public.answer.status == 200 and isinstance(message, str) and message.startswith(PUBLIC_MESSAGE):
        return _guarded(context)
    host = urlsplit(public.url).netloc
    if "zitadel" in public.answer.headers.get("set-cookie", "").lower() or context.api_is_zitadel:
        return failed(f"the server at {host} is ZITADEL, not the API", CORRECT)
    if finding := finding_for_no_example_api(public.answer, API_URL):
        return from_finding(finding)
    return failed(
        f"the server at {host} is not a zdemo API: {described(public.answer)}",
        CORRECT,
        otherwise=("for an API of your own: zdemo doctor --api URL, with a URL that requires a token",),
    )


def _guarded(context: DoctorContext) -> Result:
    private = context.called(Route.PRIVATE)
    if not isinstance(private, Call):
        return failed_with(private)
    if private.answer.status == 401 and private.challenge and not private.challenge.error:
        return passed("a zdemo API, which requires a token where it should")
    if changed := finding_for_changed_refusal(private.answer):
        return from_finding(changed)
    what = f"its private route answers {private.answer.status} without a token, not 401 with a challenge"
    return failed(what, "check the API's log, and that of any proxy in front of it")


@check(
    "api.agrees",
    "it agrees with ZITADEL about PAT: it uses the same ZITADEL and the same application",
    "api.identity",
    "client.accepted",
)
def _agrees(context: DoctorContext) -> Result:
    if not context.has_token:
        return skipped("PAT is not set, or cannot be sent")
    settings, introspection = context.settings, context.investigation.introspection
    if settings is None or introspection is None:
        return skipped("needs client.accepted")
    call = context.called(Route.SCOPED, context.token)
    if not isinstance(call, Call):
        return failed_with(call)
    repeats = MORE_CALLS if call.answer.seconds < MOST_SECONDS_TO_REPEAT else 0
    more = [context.call_again(Route.SCOPED, context.token) for _ in range(repeats)]
    calls = [call, *filter(None, more)]
    if unsteady := finding_for_unsteady(calls):
        return from_finding(unsteady)
    refusal = refusal_of(introspection, settings, role=Route.SCOPED.role, now=time.time())
    return _compared(context, settings, calls[-1], refusal.code if refusal else None)


def _compared(context: DoctorContext, settings: Settings, call: Call, expected: str | None) -> Result:
    """Compare the API's answer with the error code that it should have; ``None`` when it should accept PAT."""
    if _fits(call, expected):
        return _agreed(call, "the API and ZITADEL agree about PAT")
    here = context.investigation.finding
    if call.accepted and here and here.id in ABOUT_PROJECT:
        return nothing_to_check("the API accepts PAT; what is refused here is due to ZITADEL_PROJECT_ID")
    waits = 0 < settings.cache_ttl_seconds <= LONGEST_WAIT_SECONDS and can_be_cached(call)
    waits = waits and context.has_time(settings.cache_ttl_seconds)
    if waits and (later := _later(context, settings.cache_ttl_seconds, expected)):
        return _agreed(later, "the API reused an earlier answer of ZITADEL, and agrees about PAT now")
    if call.accepted:
        zitadel = here.cause if here else f"it is refused ({expected})"
        return from_finding(finding_for_disagreement(call, zitadel, settings, waited=waits))
    limited = replace(settings, timeout_seconds=context.step_seconds)
    explanation = explain(call, context.token, limited, context.environment, unasked="", again="", now=time.time())
    if explanation is None:
        return failed("the API and ZITADEL disagree", CORRECT)
    finding = explanation.finding
    if waits and finding.id == DISAGREES:
        finding = finding_for_disagreement(call, dict(finding.seen)["ZITADEL"], settings, waited=True)
    return from_finding(finding)


def _fits(call: Call, expected: str | None) -> bool:
    return call.accepted if expected is None else not call.accepted and code_of(call.answer) == expected


def _agreed(call: Call, what: str) -> Result:
    if call.accepted:
        return passed(f"{what}: it is accepted ({call.answer.status})", brief="accepts PAT")
    return passed(f"{what}: {code_of(call.answer)} ({call.answer.status})", brief="refuses PAT as expected")


def _later(context: DoctorContext, seconds: float, expected: str | None) -> Call | None:
    """Return the first answer that fits, until the API may reuse none from before; ``None`` if none does."""
    end = time.monotonic() + seconds
    is_last = False
    while not is_last:
        time.sleep(PAUSE_SECONDS)
        is_last = time.monotonic() > end
        call = context.call_again(Route.SCOPED, context.token)
        if call and _fits(call, expected):
            return call
    return None


CHECKS = (_reachable, _identity, _agrees)
