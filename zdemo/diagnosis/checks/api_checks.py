"""Checks of the API at ZDEMO_API_URL, and of the store in which its workers share ZITADEL's answers."""

import time
from urllib.parse import urlsplit

from zdemo.config.parsers import CACHE_URL
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.checks.check import check, failed, nothing_to_check, passed, skipped, warned
from zdemo.diagnosis.checks.doctor_context import NOT_USABLE, DoctorContext
from zdemo.diagnosis.evidence import refusal_of
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.api_response import ANOTHER_API, OWN_API, ApiCase, code_of
from zdemo.diagnosis.rules.refused_call import finding_for_disagreement, other_api
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.wording import described
from zdemo.errors import ConnectionFailed, FailureKind, Refused
from zdemo.errors.steps import Command
from zdemo.http.api_call import Call, ask_difference
from zdemo.http.example_api import PUBLIC_ANSWER, Route

CORRECT = Command("serve", does="starts the API"), "set ZDEMO_API_URL to where it runs"
TTL = "ZDEMO_CACHE_TTL"


@check("api.reachable", "settings.readable", verdict="does not answer")
def _reachable(context: DoctorContext) -> Finding:
    """The API at ZDEMO_API_URL answers."""
    if context.api is None:
        return skipped(context.not_usable("ZDEMO_API_URL", "ZDEMO_ALLOW_HTTP", "ZDEMO_TIMEOUT") or NOT_USABLE)
    try:
        public = context.called(Route.PUBLIC)
    except ConnectionFailed as failure:
        if failure.kind is not FailureKind.REFUSED or context.environment.source("ZDEMO_API_URL"):
            raise
        return warned(failure.message, *failure.steps, brief=f"not running at {context.api.api_url}", stops=True)
    what = f"{context.api.api_url} answers in {public.answer.seconds * 1000:.0f} ms"
    return passed(what, brief=what)


@check("api.identity", "api.reachable", verdict="does not answer like zdemo serve")
def _identity(context: DoctorContext) -> Finding:
    """The API is a zdemo API, and guards its private route."""
    public = context.called(Route.PUBLIC)
    if public.answer.status == 200 and public.body == PUBLIC_ANSWER:
        private = context.called(Route.PRIVATE)
        if private.answer.status == 401 and private.challenge and not private.challenge.error:
            return passed("a zdemo API, which requires a token where it should")
        what = f"its private route answers {private.answer.status} without a token, not 401 with a challenge"
        return failed(what, "check the API's log, and that of any proxy in front of it")
    host = urlsplit(public.url).netloc
    other = failed(
        f"the server at {host} is not a zdemo API: {described(public.answer)}", *CORRECT, otherwise=(OWN_API,)
    )
    return decide(ANOTHER_API, ApiCase(call=public, issuer=context.zitadel.server)) or other


@check("api.agrees", "api.identity", "client.accepted", verdict="disagrees with ZITADEL")
def _agrees(context: DoctorContext) -> Finding:
    """The API agrees with ZITADEL about PAT: it uses the same ZITADEL and the same application."""
    settings, introspection = context.settings, context.investigation.introspection
    assert context.api and settings and introspection  # noqa: S101, PT018  # by the checks that this one builds on
    if other := ask_difference(context.api.api_url, settings.issuer, settings.client_id, settings.project_id):
        return other_api(other, "ZDEMO_API_URL")
    if not context.has_token:
        return skipped("PAT is not set, or cannot be sent")
    call = context.called(Route.SCOPED, context.token)
    refusal = refusal_of(introspection, settings, role=Route.SCOPED.role, now=time.time())
    return _compared(context, settings, call, refusal)


def _compared(context: DoctorContext, settings: Settings, call: Call, refusal: Refused | None) -> Finding:
    here, what = context.investigation.finding, "the API and ZITADEL agree about PAT"
    if call.accepted and refusal is None:
        return passed(f"{what}: the API accepts it ({call.answer.status})", brief="accepts PAT")
    if not call.accepted and refusal and code_of(call.answer) == refusal.code:
        return passed(f"{what}: {refusal.code} ({call.answer.status})", brief="refuses PAT as expected")
    if call.accepted and here and here.id in ("client.in_other_project", "role.other_project_configured"):
        return nothing_to_check("the API accepts PAT; only ZITADEL_PROJECT_ID is why zdemo refuses it here")
    if call.accepted:
        case = ApiCase(call=call, issuer=settings.issuer)
        return finding_for_disagreement(case, here.cause if here else "it is refused")
    known, now = context.investigation, time.time()
    finding, _ = explain(call, context.token, settings, context.environment, now=now, known=known)
    return finding


@check("cache.reachable", "settings.readable", verdict="the store cannot be used")
def _store_reachable(context: DoctorContext) -> Finding:
    """The store of ZDEMO_CACHE_URL answers, and accepts this API."""
    if CACHE_URL not in context.environment:
        return skipped(f"{CACHE_URL} is not set: each worker keeps its own answers")
    if (settings := context.settings) is None:
        return skipped(context.not_usable(CACHE_URL) or NOT_USABLE)
    if not settings.cache_ttl_seconds:
        what = f"the store is not used: {TTL} is 0, so no answer is reused"
        return warned(what, f"set {TTL} to the seconds for which answers may be reused", brief="not used", stops=True)
    if not (state := context.store).ok and not state.reads:
        return failed(f"{state.reason}; the API works without it, and asks ZITADEL more often", state.hint)
    return passed("the store answers, and accepts this API", brief="answers")


@check("cache.writable", "cache.reachable", verdict="the store accepts no answers")
def _writable(context: DoctorContext) -> Finding:
    """The store accepts what this API writes."""
    if not (state := context.store).ok:
        return failed(state.reason, state.hint)
    return passed("the store takes what this API writes", brief="takes answers")


CHECKS = (_store_reachable, _writable, _reachable, _identity, _agrees)
