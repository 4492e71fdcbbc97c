"""Judgments: what was seen goes in, a verdict comes out. All are pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from zdemo.diagnosis.finding import quoted
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.verify.api_client import ApiReply, problem_of
from zdemo.verify.case import Mark, Verdict, unless
from zdemo.zitadel.introspection_client import basic_credentials

PUBLIC_SECONDS = 2.0  # what needs no ZITADEL must have been answered by then
RECOVERY_SECONDS = 10.0  # after an outage, a valid token must be let in again by then
MOST_FLIGHTS = 4  # introspections for simultaneous requests with one token: one per worker process
VARIES = r"(?i)(?:^|[\s,])(?:authorization|\*)(?:$|[\s,])"
LIKE_A_TRACE = ("Traceback (most recent call last)", "\tat ", "goroutine ", "panicked at", "System.Exception")

Test = Callable[[ApiReply], bool]
OnReply = Callable[[ApiReply], Verdict]


def in_words(replies: Sequence[ApiReply]) -> str:
    """Return the replies in words, equal ones once."""
    return "; ".join(dict.fromkeys(reply.in_words() for reply in replies))


def one(right: Test) -> OnReply:
    """Return the judgment that a reply must pass a test."""
    return lambda reply: unless("" if right(reply) else reply.in_words(), reply.in_words())


def every(right: Test, seen: str = "", problem: str = "{}") -> Callable[[Sequence[ApiReply]], Verdict]:
    """Return the judgment that each reply must pass a test.

    ``seen`` is said if all pass, with their number; ``problem`` is said of those that do not pass.
    """

    def judge(replies: Sequence[ApiReply]) -> Verdict:
        wrong = in_words([reply for reply in replies if not right(reply)])
        return unless(wrong and problem.format(wrong), seen.format(len(replies)) if seen else in_words(replies))

    return judge


# --- who is let in, and how a refusal looks

accepted = one(lambda reply: 200 <= reply.status < 300)
refused = one(lambda reply: not reply.let_in)  # how it is refused is for other cases
none_let_in = every(lambda reply: not reply.let_in)


def impersonated(reply: ApiReply) -> Verdict:
    """Judge the answer to a token that names an actor: the API may decide, and only its log can tell what it knows."""
    if reply.let_in:
        what = "an impersonated token (act) is let in as its user's own; zdemo's guards refuse it with actor=False"
        return Verdict(Mark.PASS, what, is_note=True)
    return unless("" if reply.status in (401, 403) else reply.in_words(), reply.in_words())


def guarded(reply: ApiReply) -> Verdict:
    """Judge the answer to a request without a token; other statuses than these show that the path is not guarded."""
    seen = reply.in_words()
    if 200 <= reply.status < 300:
        return Verdict(Mark.FAIL, f"open to everybody: {seen} without a token", says_all=True)
    return unless("" if reply.status in (400, 401, 403) else seen, seen)


def no_way_around(replies: Sequence[ApiReply]) -> Verdict:
    """Judge other spellings of a guarded path; the first answer is that of a path that does not exist."""
    nowhere, *others = replies
    wrong = [reply for reply in others if 200 <= reply.status < 300 and reply.body != nowhere.body]
    return unless(in_words(wrong), f"{len(others)} spellings, none let in")


def refused_as(code: str, *statuses: int) -> OnReply:
    """Return the judgment that a request is refused with this error code, and one of these statuses."""

    def judge(reply: ApiReply) -> Verdict:
        seen = reply.in_words()
        wrong = f"{seen}, no WWW-Authenticate: Bearer" if reply.status == 401 and reply.error is None else seen
        return unless("" if reply.status in statuses and reply.error == code else wrong, seen)

    return judge


unchallenged = refused_as("", 401)  # without a token: a challenge without an error code


def same(replies: Sequence[ApiReply]) -> Verdict:
    """Judge whether all answers are like the first."""
    first, *others = replies
    wrong = [reply for reply in others if (reply.status, reply.error) != (first.status, first.error)]
    return unless(f"{first.in_words()}, but {in_words(wrong)}" if wrong else "", first.in_words())


def each_has(value_of: Callable[[ApiReply], object], did: str) -> Callable[[Sequence[ApiReply]], Verdict]:
    """Return the judgment that a value is not empty in any reply that needs it; in others it is ``None``."""

    def judge(replies: Sequence[ApiReply]) -> Verdict:
        values = [value for reply in replies if (value := value_of(reply)) is not None]
        if not values:
            return Verdict(Mark.SKIP, f"the API never {did}")
        without = sum(not value for value in values)
        return unless(f"{without} of {len(values)} have none" if without else "", f"{len(values)} have one")

    return judge


challenged = each_has(lambda reply: reply.challenge.strip() if reply.status == 401 else None, "answered 401")
named_realm = each_has(lambda reply: reply.bearer and reply.bearer.parameters, "sent a bearer challenge")
retry_after = each_has(
    lambda reply: reply.headers.get("retry-after", "") if reply.status == 503 else None, "answered 503"
)


def well_formed(replies: Sequence[ApiReply]) -> Verdict:
    """Judge the syntax of all challenges."""
    texts = {reply.challenge: None for reply in replies if reply.challenge}
    if not texts:
        return Verdict(Mark.SKIP, "the API never sent a challenge")
    return unless("; ".join(dict.fromkeys(filter(None, map(problem_of, texts)))), f"{len(texts)} different challenges")


def names_scope(reply: ApiReply) -> Verdict:
    """Judge whether a refusal for a missing role says what is missing."""
    if reply.bearer is None or reply.error != "insufficient_scope":
        return Verdict(Mark.SKIP, "the API does not answer insufficient_scope")
    scope = reply.bearer.parameters.get("scope", "")
    return unless("" if scope else "insufficient_scope without scope", f"scope={quoted(scope, 60)}")


def readable(replies: Sequence[ApiReply]) -> Verdict:
    """Judge the bodies of a guard's refusals: JSON where they say so, and no web page."""
    refusals = [reply for reply in replies if reply.status in (400, 401, 403, *GATEWAY_STATUSES) and reply.body]
    problems = dict.fromkeys(f"{reply.status} with {what}" for reply in refusals if (what := _unreadable(reply)))
    return unless("; ".join(problems), "no web page, and JSON where it says so")


def _unreadable(reply: ApiReply) -> str:
    media = reply.media_type
    if not media:
        return "a body, but no Content-Type"
    if media == "text/html":
        return "a web page"
    try:
        if media == "application/json" or media.endswith("+json"):
            reply.decoded()
    except ValueError:
        return "a body that is not JSON, but says so"
    return ""


def like_get(replies: Sequence[ApiReply]) -> Verdict:
    """Judge HEAD with a valid token: as GET but without a body, or not offered."""
    get, head = replies
    right = head.status in (get.status, 405, 501) and head.status and not head.body
    return unless("" if right else f"{get.in_words()}, but {head.in_words()}", head.in_words())


# --- under load, over time, and while ZITADEL fails


no_failure = every(lambda reply: reply.status < 500 and not reply.let_in and not reply.timed_out)  # may also break off
too_long = one(lambda reply: reply.status in (400, 401, 413, 431) or not (reply.status or reply.timed_out))


def outage(reply: ApiReply) -> Verdict:
    """Judge the answer to a valid, cold token while ZITADEL does not answer as it should."""
    seen = reply.in_words()
    return unless("" if reply.status in GATEWAY_STATUSES else seen, f"{seen} after {reply.seconds:.1f} s")


def prompt(reply: ApiReply | None) -> Verdict:
    """Judge the answer to a request that needs no ZITADEL, while others wait for it."""
    if reply is None:
        return Verdict(Mark.SKIP, "--public was not given")
    seen = f"{reply.in_words()} after {reply.seconds:.1f} s" if reply.status else reply.in_words()
    return unless("" if 0 < reply.status < 500 and reply.seconds <= PUBLIC_SECONDS else seen, seen)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How long something took, in seconds, or ``None`` if it did not happen within ``limit``."""

    seconds: float | None
    limit: float
    before: ApiReply  # the answer that must have let the token in, and what it was last
    last: ApiReply


def ended_in_time(measured: Measured) -> Verdict:
    """Judge a removal window."""
    if not measured.before.let_in:
        return Verdict(Mark.SKIP, f"the token was never let in: {measured.before.in_words()}")
    if measured.seconds is None:
        return Verdict(Mark.FAIL, f"{measured.last.in_words()}, {measured.limit:.0f} s after the change")
    return Verdict(Mark.PASS, f"refused after {measured.seconds:.1f} s")


def refused_while_away(seen: tuple[Measured, ApiReply, Sequence[ApiReply]]) -> Verdict:
    """Judge whether an outage keeps a deleted token valid: its window while ZITADEL answered, and then its answers."""
    window, before, replies = seen
    if not before.let_in:
        return Verdict(Mark.SKIP, f"the token was never let in: {before.in_words()}")
    if window.seconds is None:
        return Verdict(Mark.SKIP, "a deleted token is let in anyway (safe.window_token)")
    return none_let_in(replies)


def recovered(recoveries: Mapping[str, float | None]) -> Verdict:
    """Judge after how many seconds a token was let in again, by what had been wrong; ``None``: it was not."""
    if never := [name for name, seconds in recoveries.items() if seconds is None]:
        return Verdict(Mark.FAIL, f"a valid token is still refused {RECOVERY_SECONDS:.0f} s after: {', '.join(never)}")
    seconds, slowest = max((seconds or 0.0, name) for name, seconds in recoveries.items())
    return Verdict(Mark.PASS, f"{len(recoveries)} outages, at most {seconds:.1f} s (after {slowest})")


def single_flight(seen: tuple[Sequence[ApiReply], int]) -> Verdict:
    """Judge how often ZITADEL was asked, and the answers to simultaneous requests with one cold token."""
    replies, introspections = seen
    requests = len(replies)
    wrong = [reply for reply in replies if not (200 <= reply.status < 300 or reply.status in (429, 503))]
    if wrong:
        return Verdict(Mark.FAIL, f"{len(wrong)} of {requests}: {in_words(wrong)}")
    busy = sum(reply.status >= 300 for reply in replies)
    some = f", {busy} of them refused for the moment" if busy else ""
    summary = f"{requests} requests{some}, introspections: {introspections}"
    return unless(summary if busy == requests or not 0 < introspections <= MOST_FLIGHTS else "", summary)


# --- what an API shows that it should not


def nothing_leaked(seen: tuple[Sequence[str], str, str]) -> Verdict:
    """Judge whether a text shows tokens or secrets: which were found, where, and what was looked at."""
    leaks, where, looked_at = seen
    return unless(f"{' and '.join(leaks)} in {where}" if leaks else "", f"none in {looked_at}")


no_trace = every(
    lambda reply: not any(sign in reply.whole for sign in LIKE_A_TRACE),
    "no stack trace",
    "a stack trace in the answer: {}",
)


def _directives(reply: ApiReply) -> set[str]:
    return {part.partition("=")[0].strip() for part in reply.headers.get("cache-control", "").lower().split(",")}


def _forbids_storing(reply: ApiReply) -> bool:
    return not _directives(reply).isdisjoint(("no-store", "private", "no-cache"))


def kept_private(reply: ApiReply) -> Verdict:
    """Judge whether shared caches may keep what a token was needed for (RFC 9111 §3.5)."""
    control = reply.headers.get("cache-control", "") or "no Cache-Control"
    shared = not _directives(reply).isdisjoint(("public", "s-maxage", "must-revalidate"))
    return unless(f"Cache-Control: {control}" if shared and not _forbids_storing(reply) else "", control)


say_private = every(
    lambda reply: _forbids_storing(reply) or bool(re.search(VARIES, reply.headers.get("vary", ""))),
    "shared caches must not keep the answers",
    "shared caches may keep the answer: {}",
)
no_borrowed_rights = every(
    lambda reply: (
        not reply.headers.get("access-control-allow-origin", "")
        or reply.headers.get("access-control-allow-credentials", "").lower() != "true"
    ),
    "a foreign origin gets no credentials",
    "any origin is allowed together with credentials: {}",
)


# --- tokens and secrets in a text

LEAST = 20  # characters of a text that is looked for; shorter ones occur by chance
LEAST_DIFFERENT = 8  # different ones among them; fewer make a line of equals signs, not a part of a token
LIKE_A_TOKEN = re.compile(rf"[\w.~+/=-]{{{LEAST},}}", re.ASCII)


def leaks_in(text: str, tokens: Iterable[str], secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the tokens and secrets, which have names, a text holds.

    A part of a token counts too, except a JWT's header, which is not secret.
    """
    parts = {part for token in tokens for part in _parts(token.partition(".")[2] or token)}
    leaked = any(not parts.isdisjoint(_parts(match[0])) for match in LIKE_A_TOKEN.finditer(text))
    names = (name for name, secret in secrets.items() if len(secret) >= LEAST and secret in text)
    return (*(["a token"] if leaked else []), *names)


def _parts(text: str) -> Iterator[str]:
    """Yield what could be a part of a token, of the length that is looked for."""
    pieces = (text[start : start + LEAST] for start in range(len(text) - LEAST + 1))
    return (piece for piece in pieces if len(set(piece)) >= LEAST_DIFFERENT)


def secrets_of(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the forms in which a client's secret travels, by their names (RFC 6749 §2.3.1)."""
    basic = basic_credentials(client_id, client_secret).removeprefix("Basic ")
    return {"the client secret": client_secret, "the client credentials": basic}
