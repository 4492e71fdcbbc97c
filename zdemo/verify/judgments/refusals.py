"""Judgments of who is let in, and of how a refusal looks: its status, its challenge and its body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from zdemo.diagnosis.finding import quoted
from zdemo.response import Response
from zdemo.verify.asker import Asked, in_words
from zdemo.verify.case import Verdict, bad, good, skip, unless
from zdemo.verify.challenge import bearer_of, problem_of


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


def too_long(asked: Asked) -> Verdict:
    """Judge the answer to a token of 16 KiB: it may also be that the server closes the connection."""
    broke = not isinstance(asked.reply, Response) and not asked.timed_out
    right = broke or asked.status in (400, 401, 413, 431)
    return unless("" if right else asked.in_words(), asked.in_words())


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


def ambiguous(asked: Sequence[Asked]) -> Verdict:
    """Judge the answers to requests with two tokens: 400, or 401 as for a token that is not valid."""
    wrong = [one for one in asked if one.status not in (400, 401)]
    return unless(in_words(wrong), in_words(asked))


def same(asked: Sequence[Asked]) -> Verdict:
    """Judge whether all answers are like the first."""
    first, *others = asked
    wrong = [one for one in others if (one.status, one.error) != (first.status, first.error)]
    return unless(f"{first.in_words()}, but {in_words(wrong)}" if wrong else "", first.in_words())


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


def retry_after(asked: Sequence[Asked]) -> Verdict:
    """Judge whether each 503 says when to come back."""
    unavailable = [one for one in asked if one.status == 503]
    if not unavailable:
        return skip("the API never answered 503")
    without = [one for one in unavailable if not one.header("retry-after")]
    return unless("503 without Retry-After" if without else "", f"Retry-After: {unavailable[0].header('retry-after')}")


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
