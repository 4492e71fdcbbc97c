"""Whether an answer is as it must be. Pure: an answer goes in, a verdict comes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from zdemo.diagnosis import quoted
from zdemo.http.response import GATEWAY_STATUSES, Response
from zdemo.verify.asked import Asked, in_words
from zdemo.verify.case import Verdict, bad, good, skip, unless
from zdemo.verify.challenge import bearer_of, problem_of

ANSWER_SECONDS = 10.0  # an API must have answered by then while ZITADEL does not
PUBLIC_SECONDS = 2.0  # what needs no ZITADEL must have been answered by then
COLD_CALLS = 64  # simultaneous requests with one token
MOST_FLIGHTS = 4  # introspections for simultaneous requests with one token: one per worker process
LIKE_A_TRACE = ("Traceback (most recent call last)", "\tat ", "goroutine ", "panicked at", "System.Exception")


def accepted(asked: Asked) -> Verdict:
    """Judge the answer to a request that must be let in."""
    return unless("" if 200 <= asked.status < 300 else asked.in_words(), asked.in_words())


def refused(asked: Asked) -> Verdict:
    """Judge the answer to what must not be let in; how it is refused is for other cases."""
    return unless(asked.in_words() if asked.let_in else "", asked.in_words())


def guarded(asked: Asked) -> Verdict:
    """Judge the answer to a request without a token; another one than 401 or 403 shows that this is no guarded path."""
    return unless("" if asked.status in (400, 401, 403) else asked.in_words(), asked.in_words())


def none_let_in(asked: Sequence[Asked]) -> Verdict:
    """Judge several answers of that kind."""
    return unless(in_words([one for one in asked if one.let_in]), in_words(asked))


def no_way_around(asked: Sequence[Asked]) -> Verdict:
    """Judge other spellings of a guarded path; the first answer is that of a path that does not exist."""
    nowhere, *others = asked
    wrong = [one for one in others if 200 <= one.status < 300 and one.body != nowhere.body]
    return unless(in_words(wrong), f"{len(others)} spellings, none let in")


def unchallenged(asked: Asked) -> Verdict:
    """Judge the answer to a request without a token: 401, with a bearer challenge that has no error code."""
    right = asked.status == 401 and asked.error == ""
    return unless("" if right else _with_challenge(asked), asked.in_words())


def _with_challenge(asked: Asked) -> str:
    if asked.status == 401 and asked.error is None:
        return f"{asked.in_words()}, no WWW-Authenticate: Bearer"
    return asked.in_words()


@dataclass(frozen=True)
class RefusedAs:
    """The judgment that a token is refused with this error code, and one of these statuses."""

    code: str
    statuses: tuple[int, ...]

    def __call__(self, asked: Asked) -> Verdict:
        """Judge the answer."""
        right = asked.status in self.statuses and asked.error == self.code
        return unless("" if right else _with_challenge(asked), asked.in_words())


INVALID_TOKEN = RefusedAs("invalid_token", (401,))
INSUFFICIENT_SCOPE = RefusedAs("insufficient_scope", (403, 401))
INVALID_REQUEST = RefusedAs("invalid_request", (400,))


def all_malformed(asked: Sequence[Asked]) -> Verdict:
    """Judge the answers to malformed headers."""
    wrong = [INVALID_REQUEST(one).seen for one in asked if INVALID_REQUEST(one) != good(one.in_words())]
    return unless("; ".join(dict.fromkeys(wrong)), in_words(asked))


def too_long(asked: Asked) -> Verdict:
    """Judge the answer to a token of 16 KiB: it may also be that the server closes the connection."""
    broke = not isinstance(asked.reply, Response) and not asked.timed_out
    right = broke or asked.status in (400, 401, 413, 431)
    return unless("" if right else asked.in_words(), asked.in_words())


def ambiguous(asked: Sequence[Asked]) -> Verdict:
    """Judge the answers to requests with two tokens: 400, or 401 as for a token that is not valid."""
    wrong = [one for one in asked if one.status not in (400, 401)]
    return unless(in_words(wrong), in_words(asked))


def outage(asked: Asked) -> Verdict:
    """Judge the answer to a valid, cold token while ZITADEL does not answer as it should."""
    if asked.status in GATEWAY_STATUSES:
        return good(f"{asked.in_words()} after {asked.seconds:.1f} s")
    return bad(asked.in_words())


def no_failure(asked: Sequence[Asked]) -> Verdict:
    """Judge the answers to odd tokens; a server may also close the connection."""
    wrong = [one for one in asked if one.status >= 500 or one.let_in or one.timed_out]
    return unless(in_words(wrong), in_words(asked))


def no_crash(asked: Sequence[Asked]) -> Verdict:
    """Judge all answers that were given while ZITADEL answered."""
    wrong = [one for one in asked if one.status == 500]
    return unless(in_words(wrong), f"{len(asked)} answers, none is 500")


def retry_after(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each 503 says when to come back."""
    unavailable = [one for one in asked if one.status == 503]
    if not unavailable:
        return skip("the API never answered 503")
    without = [one for one in unavailable if not one.header("retry-after")]
    return unless("503 without Retry-After" if without else "", f"Retry-After: {unavailable[0].header('retry-after')}")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How long something took, in seconds, or ``None`` if it did not happen within ``limit``."""

    seconds: float | None
    limit: float
    before: Asked  # the answer that must have let the token in, and what it was last
    last: Asked


def ended_in_time(measured: Measured) -> Verdict:
    """Judge a removal window."""
    if not measured.before.let_in:
        return skip(f"the token was never let in: {measured.before.in_words()}")
    if measured.seconds is None:
        return bad(f"{measured.last.in_words()}, {measured.limit:.0f} s after the change")
    return good(f"refused after {measured.seconds:.1f} s")


@dataclass(frozen=True, kw_only=True)
class Stale:
    """What was answered to a deleted token that the API knew, after its removal window, while ZITADEL failed."""

    window: Measured  # of such a token, while ZITADEL answered
    before: Asked
    asked: Sequence[Asked]


def refused_while_away(stale: Stale) -> Verdict:
    """Judge whether an outage keeps a deleted token alive."""
    if not stale.before.let_in:
        return skip(f"the token was never let in: {stale.before.in_words()}")
    if stale.window.seconds is None:
        return skip("a deleted token is let in anyway (safe.window_token)")
    return none_let_in(stale.asked)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How long an API took until it let a token in again, by what had been wrong; ``None``: it did not."""

    seconds: dict[str, float | None]
    limit: float


def recovered(recovery: Recovery) -> Verdict:
    """Judge the recoveries after outages."""
    if not recovery.seconds:
        return skip("no outage was tried")
    never = [name for name, seconds in recovery.seconds.items() if seconds is None]
    if never:
        return bad(f"a valid token is still refused {recovery.limit:.0f} s after: {', '.join(never)}")
    slowest = max(recovery.seconds, key=lambda name: recovery.seconds[name] or 0.0)
    return good(f"{len(recovery.seconds)} outages, at most {recovery.seconds[slowest]:.1f} s (after {slowest})")


@dataclass(frozen=True, kw_only=True)
class Flights:
    """Simultaneous requests with one cold token, and how often ZITADEL was asked about it."""

    asked: Sequence[Asked]
    introspections: int


def single_flight(flights: Flights) -> Verdict:
    """Judge how often ZITADEL was asked."""
    requests = len(flights.asked)
    wrong = [one for one in flights.asked if not (200 <= one.status < 300 or one.status in (429, 503))]
    if wrong:
        return bad(f"{len(wrong)} of {requests}: {in_words(wrong)}")
    busy = sum(one.status >= 300 for one in flights.asked)
    some = f", {busy} of them refused for the moment" if busy else ""
    seen = f"{requests} requests{some}, introspections: {flights.introspections}"
    return unless(seen if busy == requests or not 0 < flights.introspections <= MOST_FLIGHTS else "", seen)


def prompt(asked: Asked | None) -> Verdict:
    """Judge the answer to a request that needs no ZITADEL, while others wait for it."""
    if asked is None:
        return skip("--public was not given")
    if not isinstance(asked.reply, Response):
        return bad(asked.in_words())
    seen = f"{asked.in_words()} after {asked.seconds:.1f} s"
    return unless(seen if asked.seconds > PUBLIC_SECONDS or asked.status >= 500 else "", seen)


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What arrived at the address that a redirect of ZITADEL named."""

    requests: int
    secrets: tuple[str, ...]  # what of a token or of credentials was in it


def stayed_here(elsewhere: Elsewhere) -> Verdict:
    """Judge whether token and credentials stayed where they belong."""
    if elsewhere.secrets:
        return bad(f"the API followed the redirect and sent {' and '.join(elsewhere.secrets)} there")
    return good("nothing secret went there")


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """Texts in which a token or secret of this run was found, by what it was."""

    where: str
    found: tuple[str, ...]
    looked_at: str


def nothing_leaked(leaks: Leaks) -> Verdict:
    """Judge whether a text shows tokens or secrets."""
    seen = f"none in {leaks.looked_at}"
    return unless(f"{' and '.join(leaks.found)} in {leaks.where}" if leaks.found else "", seen)


# --- what the answers of the whole run have in common


def challenged(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each 401 has a challenge."""
    refusals = [one for one in asked if one.status == 401]
    if not refusals:
        return skip("the API never answered 401")
    wrong = [one for one in refusals if not one.challenge.strip()]
    return unless(f"{len(wrong)} of {len(refusals)} have none" if wrong else "", f"{len(refusals)} have one")


def well_formed(asked: Sequence[Asked]) -> Verdict:
    """Judge the syntax of all challenges."""
    texts = list(dict.fromkeys(one.challenge for one in asked if one.challenge))
    if not texts:
        return skip("the API never sent a challenge")
    problems = dict.fromkeys(filter(None, map(problem_of, texts)))
    return unless("; ".join(problems), f"{len(texts)} different challenges")


def named_realm(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each bearer challenge has at least one parameter."""
    found = [bearer for one in asked if (bearer := bearer_of(one.challenge))]
    if not found:
        return skip("the API never sent a bearer challenge")
    return unless("" if all(one.parameters for one in found) else "Bearer without a parameter", "each has one")


def names_scope(asked: Asked) -> Verdict:
    """Judge whether a refusal for a missing role says what is missing."""
    challenge = bearer_of(asked.challenge)
    if challenge is None or challenge.parameters.get("error") != "insufficient_scope":
        return skip("the API does not answer insufficient_scope")
    scope = challenge.parameters.get("scope", "")
    return unless("" if scope else "insufficient_scope without scope", f"scope={quoted(scope, 60)}")


def readable(asked: Sequence[Asked]) -> Verdict:
    """Judge the bodies of refusals: JSON where they say so, and no web page."""
    problems: dict[str, None] = {}
    for one in asked:
        if not isinstance(one.reply, Response) or one.status < 400 or not one.reply.body:
            continue
        media = one.reply.media_type
        if not media:
            problems[f"{one.status} with a body, but no Content-Type"] = None
        elif media == "text/html":
            problems[f"{one.status} with a web page"] = None
        elif (media == "application/json" or media.endswith("+json")) and not _is_json(one.reply):
            problems[f"{one.status} with a body that is not JSON, but says so"] = None
    return unless("; ".join(problems), "no web page, and JSON where it says so")


def _is_json(reply: Response) -> bool:
    try:
        json.loads(reply.text)
    except (ValueError, RecursionError):
        return False
    return True


def no_trace(asked: Sequence[Asked]) -> Verdict:
    """Judge whether an answer shows the API's inside."""
    wrong = [one for one in asked if any(sign in one.text for sign in LIKE_A_TRACE)]
    return unless(f"a stack trace in the answer: {in_words(wrong)}" if wrong else "", "no stack trace")


def kept_private(asked: Asked) -> Verdict:
    """Judge whether shared caches may keep what a token was needed for (RFC 9111 §3.5)."""
    directives = _directives(asked)
    found = [name for name in ("public", "s-maxage", "must-revalidate") if name in directives]
    allowed = "" if not found or _forbids_storing(directives) else f"Cache-Control: {asked.header('cache-control')}"
    return unless(allowed, asked.header("cache-control") or "no Cache-Control")


def say_private(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each answer says that it must not be kept, or depends on the token."""
    wrong = [one for one in asked if not (_forbids_storing(_directives(one)) or _depends_on_token(one))]
    said = (wrong[0].header("cache-control") or "no Cache-Control") if wrong else ""
    return unless(f"{in_words(wrong)}: {said}" if wrong else "", "each does")


def _depends_on_token(asked: Asked) -> bool:
    fields = [field.strip().lower() for field in asked.header("vary").split(",")]
    return "authorization" in fields or "*" in fields


def _forbids_storing(directives: dict[str, str]) -> bool:
    return any(name in directives for name in ("no-store", "private", "no-cache"))


def _directives(asked: Asked) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in asked.header("cache-control").lower().split(","))
    return {name.strip(): value.strip() for name, _, value in parts if name}


def like_get(asked: Sequence[Asked]) -> Verdict:
    """Judge HEAD with a valid token: as GET but without a body, or not offered."""
    get, head = asked
    if not isinstance(head.reply, Response):
        return bad(head.in_words())
    right = head.status in (get.status, 405, 501) and not head.reply.body
    return unless("" if right else f"{get.in_words()}, but {head.in_words()}", head.in_words())


def preflight(asked: Asked) -> Verdict:
    """Judge the answer to a browser's question before a request to another origin, which never has a token."""
    return unless(asked.in_words() if asked.status in (0, 401, 403) or asked.status >= 500 else "", asked.in_words())


def no_borrowed_rights(asked: Sequence[Asked]) -> Verdict:
    """Judge CORS: a foreign origin must not be let in together with a browser's credentials."""
    for one in asked:
        origin = one.header("access-control-allow-origin")
        if origin and one.header("access-control-allow-credentials").lower() == "true":
            return bad(f"any origin is allowed together with credentials: Access-Control-Allow-Origin: {origin[:60]}")
    return good("a foreign origin gets no credentials")


def same(asked: Sequence[Asked]) -> Verdict:
    """Judge whether all answers are like the first."""
    first, *others = asked
    wrong = [one for one in others if (one.status, one.error) != (first.status, first.error)]
    return unless(f"{first.in_words()}, but {in_words(wrong)}" if wrong else "", first.in_words())
