"""Checks of any API that takes bearer tokens, as a black box: does it refuse requests as RFC 6750 says?

One URL that requires a token is enough. The requests have no token, a made-up token or a malformed header. A real
token, if there is one, is sent once and in the header, so that no log contains it. What is asked, and what must come,
is what ``zdemo verify`` asks too.
"""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from zdemo.config.names import with_path
from zdemo.diagnosis.ask.explain import explain
from zdemo.diagnosis.ask.facts import random_token
from zdemo.diagnosis.checks.check import Check, check, failed, passed, skipped, warned
from zdemo.diagnosis.checks.doctor_context import LONGEST_STEP_SECONDS, MOST_SECONDS, DoctorContext
from zdemo.diagnosis.finding import Finding, Severity
from zdemo.diagnosis.rules.api_response import BEHIND_NOTHING, ApiCase, is_zitadel
from zdemo.diagnosis.rules.rule import decide
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.errors.steps import Command
from zdemo.http.api_call import Call, OtherRoute
from zdemo.verify.api_client import ApiClient, ApiReply
from zdemo.verify.case import Group, Mark
from zdemo.verify.cases import CASES
from zdemo.verify.run import VerifyRun

OPTION = "--api"
ANOTHER_URL = "give --api a URL that requires a token"
MUST_REFUSE = "check the API's log: it must refuse the request, not fail"
CHALLENGE = "answer 401 with WWW-Authenticate: Bearer (RFC 6750 section 3)"
ONLY_THE_HEADER = "take tokens from the Authorization header alone (RFC 6750 section 2.3, RFC 9700)"
REFUSALS, QUERY = "refusals", "query"  # groups of checks
BY_ID = {case.id: case for case in CASES}


@dataclass(kw_only=True)
class Target(VerifyRun):
    """An API as the cases of ``zdemo verify`` ask it, without users; it should accept the token of the ``context``."""

    origin: str
    context: DoctorContext

    @classmethod
    def at(cls, origin: str, path: str, context: DoctorContext) -> Self:
        """Return the API at this address."""
        client = ApiClient(origin, path, MOST_SECONDS, setting=OPTION, seconds=LONGEST_STEP_SECONDS)
        issuer_url = context.zitadel.issuer
        return cls(api=client, issuer=None, role="", origin=origin, context=context, issuer_url=issuer_url)

    @cached_property
    def bare(self) -> ApiReply:
        """The answer to a request without a token."""
        return self.api.send()

    def severity(self, reply: ApiReply) -> Severity:
        """Return the severity of a missing refusal; a redirect lets nobody in."""
        if 300 <= reply.status < 500:
            return Severity.FORM
        return Severity.HOLE if reply.let_in else Severity.CRASH


def _judged(target: Target, name: str) -> Finding:
    """Judge as this case of ``zdemo verify`` does; a polite one only warns."""
    case = BY_ID[name]
    verdict = case.judge(asked := case.ask(target))
    if verdict.mark is Mark.PASS:
        return passed(verdict.seen)
    what, fix = f"{verdict.seen}; expected: {case.must}", f"{case.fix} ({case.source})"
    replies = asked if isinstance(asked, list) else [asked]
    if case.group is Group.POLITE:
        is_open = any(300 <= (reply.status or 300) < 400 for reply in replies)  # 0: no answer came
        return skipped("no answer shows it") if is_open else warned(what, fix)
    severity = min(map(target.severity, replies))
    return failed(what, *[MUST_REFUSE] * (severity is Severity.CRASH), fix, severity=severity)


@check("api.reachable", verdict="does not answer")
def _reachable(target: Target) -> Finding:
    """The URL answers."""
    reply = target.bare
    if reply.failure:
        reply.failure.steps = with_path(reply.failure.steps, OPTION, "" if target.api.path == "/" else target.api.path)
        raise reply.failure
    return passed(f"{target.origin}{_shown(target.api.path)} answers {reply.status} in {reply.seconds * 1000:.0f} ms")


def _shown(path: str) -> str:
    return path.partition("?")[0]


@check("api.no_token", "api.reachable", verdict="a request without a token", group=REFUSALS)
def _no_token(target: Target) -> Finding:
    """A request without a token: 401, and a challenge without an error code."""
    # the route is empty, so that the whole path counts as the address, also in a proposed address
    reply, path = target.bare, _shown(target.api.path)
    call = Call(route=OtherRoute(path="", typed=""), url=reply.url, answer=reply, setting=OPTION)
    case = ApiCase(call=call, issuer=target.issuer_url)
    if (reply.status == 401 and not is_zitadel(case)) or (reply.status < 300 and "error" in reply.json_object()):
        return _judged(target, "correct.no_token")
    if reply.status < 300:
        what = f"{path} answers {reply.status} without a token: it is open to anyone"
        return failed(what, f"guard it, or {ANOTHER_URL}", severity=Severity.HOLE)
    if before := decide(BEHIND_NOTHING, case):
        return before
    other = {404: (ANOTHER_URL, f"or, if the route is there: {CHALLENGE}"), 405: (f"{ANOTHER_URL} and allows GET",)}
    steps = other.get(reply.status, (CHALLENGE if 400 <= reply.status < 500 else MUST_REFUSE,))
    severity = Severity.FORM if steps == (CHALLENGE,) else Severity.FAILURE
    return failed(f"{reply.status} for a request without a token, not 401", *steps, severity=severity)


@check("api.garbage", "api.no_token", verdict="a made-up token", group=REFUSALS)
def _garbage(target: Target) -> Finding:
    """A made-up token: 401 invalid_token."""
    is_hole = target.severity(target.refused_garbage) is Severity.HOLE
    if target.refused_garbage.status in GATEWAY_STATUSES:
        what = f"{target.refused_garbage.status}: the API cannot have tokens checked"
        steps = "check the API's log", Command("doctor", does="checks ZITADEL and the settings here")
        return failed(what, *steps, severity=Severity.FORM)  # the real token shows more
    return _judged(target, "safe.unknown" if is_hole else "correct.invalid_token")


@check("api.query", "api.no_token", verdict="a token in the query is read", group=QUERY)
def _query(target: Target) -> Finding:
    """A token in the query is not accepted."""
    reply = target.api.send(query=random_token())  # a real one would end up in logs
    if reply.failure:
        return failed(reply.failure.message, MUST_REFUSE)
    if reply.status < 300:
        what = f"a token in the query is accepted ({reply.status}): URLs end up in logs and histories"
        return failed(what, ONLY_THE_HEADER, severity=Severity.HOLE, brief="a token in the query")
    as_in_the_header = reply.error == "invalid_token" or reply.in_words() == target.refused_garbage.in_words()
    if as_in_the_header and reply.in_words() != target.bare.in_words():
        return failed("the API reads a token in the query: it answers as if it were in the header", ONLY_THE_HEADER)
    return passed(f"{reply.status}: the token in the query is ignored (tried with a made-up token)")


@check("api.accepts", "api.garbage", verdict="the token is not accepted", group="acceptance")
def _accepts(target: Target) -> Finding:
    """PAT is accepted, or refused only for a missing role."""
    context, path = target.context, target.api.path
    if not context.has_token:
        return skipped("PAT is not set, or cannot be sent")
    reply = target.api.bearer(context.token)
    if reply.failure:
        raise reply.failure
    route, unasked = OtherRoute(path=path, typed=target.origin + path), "; ".join(map(str, context.problems))
    call = Call(route=route, url=f"{target.origin}{_shown(path)}", answer=reply, setting=OPTION)
    if reply.status in (401, 403) and reply.error == "insufficient_scope":
        what = f"{reply.status} insufficient_scope: the token is valid, but the API does not find the role"
        return warned(what, replace(call.command, does="names the cause"))
    if reply.status < 300 or 404 <= reply.status < 429:  # the guard let it through, since it refused others before
        return passed(f"{reply.status}")
    finding, _ = explain(call, context.token, context.settings, context.environment, now=time.time(), unasked=unasked)
    return finding


def _same_as(case: str, name: str, what: str, verdict: str, need: str = "api.no_token") -> Check[Target]:
    """Return a check that asks and judges as a case of ``zdemo verify`` does."""
    group = {"both_ways": QUERY, "caching": "caching"}.get(name, REFUSALS)
    make = check(f"api.{name}", need, what=what, verdict=verdict, group=group)
    return make(lambda target: _judged(target, case))


IN_SMALL_LETTERS = "bearer is Bearer: case does not matter", "bearer in small letters"
IN_TWO_WAYS = "a token in header and query: 400 invalid_request", "two tokens are not refused"
API_CHECKS: tuple[Check[Target], ...] = (
    _reachable,
    _no_token,
    _garbage,
    _same_as("correct.other_scheme", "other_scheme", "another scheme: treated as no token", "another scheme"),
    _same_as("correct.malformed", "malformed", "a malformed header: invalid_request, 400 or 401", "a malformed header"),
    _same_as("robust.too_long", "too_long", "a token of 16 KiB: refused", "a long token"),
    _same_as("correct.scheme_case", "scheme_case", *IN_SMALL_LETTERS, "api.garbage"),
    _query,
    _same_as("polite.two_ways", "both_ways", *IN_TWO_WAYS),
    _same_as("polite.cached_refusal", "caching", "refusals are not cached", "refusals may be cached"),
    _accepts,
)
