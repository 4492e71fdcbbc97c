"""Checks of the API at ZDEMO_API_URL: it answers, is a zdemo API, and says of the token what ZITADEL says."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from zdemo.authorization import Policy, authorize
from zdemo.client import Call, Route
from zdemo.config.settings import API_URL, Settings
from zdemo.diagnosis import finding_before_the_api, finding_for_gateway
from zdemo.doctor.check import Check, Result, failed, from_finding, passed, skipped, warned
from zdemo.doctor.context import NOT_USABLE, DoctorContext
from zdemo.errors import FailureKind, Refused
from zdemo.investigation.api_comparison import RESTART, explain

PUBLIC_WORDS = "Public route"  # how the answer of the public route begins
CORRECT = "start it with zdemo serve, and set ZDEMO_API_URL to where it runs"
OTHER_PORT = "zdemo serve --port 5001, and ZDEMO_API_URL=http://127.0.0.1:5001"


def _reachable(case: DoctorContext) -> Result:
    if case.api is None:
        return skipped(case.not_usable("ZDEMO_API_URL", "ZDEMO_ALLOW_HTTP", "ZDEMO_TIMEOUT") or NOT_USABLE)
    found = case.called(Route.PUBLIC)
    if isinstance(found, Call):
        return passed(f"{case.api.api_url} answers in {found.answer.seconds * 1000:.0f} ms")
    if found.kind is FailureKind.REFUSED and not case.environment.source("ZDEMO_API_URL"):
        return replace(warned(found.message, found.hint), satisfied=False)
    return failed(found.message, found.hint)


def _identity(case: DoctorContext) -> Result:
    public = case.called(Route.PUBLIC)
    if not isinstance(public, Call):
        return skipped("it did not answer")
    said = public.body.get("message") if isinstance(public.body, dict) else None
    if public.answer.status == 200 and isinstance(said, str) and said.startswith(PUBLIC_WORDS):
        return _guarded(case)
    host = urlsplit(public.url).netloc
    kind = public.answer.media_type or "no media type"
    server = public.answer.headers.get("server", "")
    if "AirTunes" in server:
        return failed(f"{host} is AirPlay of macOS, which takes port 5000, not a zdemo API", OTHER_PORT)
    if "zitadel" in public.answer.headers.get("set-cookie", "").lower() or case.api_is_zitadel:
        return failed(f"what answers at {host} is ZITADEL, not the API", CORRECT)
    if before := finding_before_the_api(public.answer, API_URL) or finding_for_gateway(public.answer, API_URL):
        return from_finding(before)
    what = f"what answers at {host} is no zdemo API: {public.answer.status}, {kind}"
    named = "".join(c for c in server[:40] if c.isprintable())
    return failed(
        f"{what}, Server: {named}" if named else what,
        CORRECT,
        "for an API of your own: zdemo doctor --api URL, with the URL of something that wants a token",
    )


def _guarded(case: DoctorContext) -> Result:
    private = case.called(Route.PRIVATE)
    if not isinstance(private, Call):
        return failed(private.message, private.hint)
    if private.answer.status == 401 and private.challenge and not private.challenge.error:
        return passed("a zdemo API, which asks for a token where it should")
    what = f"its private route answers {private.answer.status} without a token, and not 401 with a challenge"
    return failed(what, "look at the API's log, and at a proxy before it")


def _agrees(case: DoctorContext) -> Result:
    if not case.has_token:
        return skipped("PAT is not set, or cannot be sent")
    found = case.investigation
    if case.settings is None or found is None or found.introspection is None:
        return skipped("needs client.accepted")
    call = case.called(Route.SCOPED, case.token)
    return _compared(case, case.settings, call) if isinstance(call, Call) else failed(call.message, call.hint)


def _compared(case: DoctorContext, settings: Settings, call: Call) -> Result:
    expected = _refusal(case)
    if call.accepted and expected is None:
        return passed(f"the API and ZITADEL say the same of PAT: it may pass ({call.answer.status})")
    if call.accepted:
        return failed(
            f"the API lets a token pass that ZITADEL refuses here ({expected})",
            "try again in some seconds: the API may reuse an answer for its ZDEMO_CACHE_TTL",
            RESTART,
            "compare ZITADEL_DOMAIN, CLIENT_ID and ZITADEL_PROJECT_ID of the API with those here",
        )
    code = call.challenge.error if call.challenge else ""
    if expected and code == expected:
        return passed(f"the API and ZITADEL say the same of PAT: {code} ({call.answer.status})")
    limited = replace(settings, timeout_seconds=case.step_seconds)
    explanation = explain(call, case.token, limited, unasked="", again="", now=case.now())
    return from_finding(explanation.finding) if explanation else failed("the API and ZITADEL disagree", CORRECT)


def _refusal(case: DoctorContext) -> str | None:
    """The error code that the API owes this token; ``None`` when it may pass."""
    found = case.investigation
    if case.settings is None or found is None or found.introspection is None:
        return None
    try:
        authorize(found.introspection, Policy.from_settings(case.settings), now=case.now(), role=Route.SCOPED.role)
    except Refused as refused:
        return refused.code
    return None


CHECKS = (
    Check(
        id="api.reachable",
        what="the API at ZDEMO_API_URL answers",
        needs=("settings.readable",),
        examine=_reachable,
    ),
    Check(
        id="api.identity",
        what="it is a zdemo API, and guards its private route",
        needs=("api.reachable",),
        examine=_identity,
    ),
    Check(
        id="api.agrees",
        what="it says of PAT what ZITADEL says here: it uses the same ZITADEL, as the same application",
        needs=("api.identity", "client.accepted"),
        examine=_agrees,
    ),
)
