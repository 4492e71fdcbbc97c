"""Judgments of an API over time, under load, and while ZITADEL fails."""

from collections.abc import Sequence
from dataclasses import dataclass

from zdemo.response import GATEWAY_STATUSES, Response
from zdemo.verify.asker import Asked, in_words
from zdemo.verify.case import Verdict, bad, good, skip, unless
from zdemo.verify.judgments.refusals import none_let_in

ANSWER_SECONDS = 10.0  # an API must have answered by then while ZITADEL does not
PUBLIC_SECONDS = 2.0  # what needs no ZITADEL must have been answered by then
COLD_CALLS = 64  # simultaneous requests with one token
MOST_FLIGHTS = 4  # introspections for simultaneous requests with one token: one per worker process


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
