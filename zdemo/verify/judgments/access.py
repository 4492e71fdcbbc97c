"""Judgments of what is let in."""

from collections.abc import Sequence

from zdemo.http.response import Response
from zdemo.verify.asked import Asked, in_words
from zdemo.verify.case import Verdict, unless


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
