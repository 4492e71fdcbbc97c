"""A finding: a cause, how certain it is, the evidence for it, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import ParamSpec

P = ParamSpec("P")

LONGEST_QUOTE = 120  # characters of a text that came over the network
LEAST_SECRET = 16  # characters; ZITADEL's secrets are longer, and a shorter text may be an ordinary word


class Outcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105  # not a password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Certainty(StrEnum):
    """How certain a cause is; ``OPEN`` means that the evidence does not decide between the candidates."""

    CERTAIN = "certain"
    LIKELY = "likely"
    OPEN = "open"


@dataclass(frozen=True)
class SetVariable:
    """Give a variable another value; a person pastes it where ``value`` is empty."""

    name: str
    value: str = field(default="", repr=False)  # it may be a secret


@dataclass(frozen=True)
class RenameVariable:
    """Give a misspelled variable its right name."""

    name: str
    right: str


@dataclass(frozen=True)
class TightenMode:
    """Let only its owner read a file."""

    path: Path


@dataclass(frozen=True)
class GrantRole:
    """Grant a user a role in the API's project."""

    user_id: str
    user: str
    role: str


Repair = SetVariable | RenameVariable | TightenMode | GrantRole


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a token is refused, or why ZITADEL or the API cannot be used; also the result of a check.

    ``id`` is stable and dotted. When the cause is open, it says only what is known, and ``candidates`` are the possible
    causes, most likely first; those of a ``likely`` cause are the alternatives. ``seen`` is the evidence: pairs of
    label and text. ``fix`` is the least harmful fix: steps that a person can take or paste. ``otherwise`` are for
    where the fix is not possible or does not help. ``repair`` is the fix where zdemo can make it itself: one change
    that is certain, harmless and reversible. Apart from that, a finding never holds a token or a secret.

    Of a check, ``cause`` is the evidence where nothing is wrong, ``also`` are sentences about further faults, and
    ``brief`` is what the line of its group says. ``stops``: a check that builds on it makes no sense.
    """

    id: str = ""
    cause: str
    likely: bool = False
    candidates: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    fix: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    repair: Repair | None = None
    outcome: Outcome = Outcome.FAIL
    also: tuple[str, ...] = ()
    brief: str = ""
    stops: bool = False

    @property
    def satisfied(self) -> bool:
        """Whether a check that builds on this one makes sense."""
        return self.outcome is not Outcome.FAIL and not self.stops

    @property
    def text(self) -> str:
        """All of the evidence on one line."""
        return "; ".join((self.sentence, *self.also))

    @property
    def steps(self) -> tuple[str, ...]:
        """All that can be done: the fix, and what to do otherwise."""
        return (*self.fix, *self.otherwise)

    @property
    def certainty(self) -> Certainty:
        """How certain the cause is."""
        if self.likely:
            return Certainty.LIKELY
        return Certainty.OPEN if self.candidates else Certainty.CERTAIN

    @property
    def sentence(self) -> str:
        """The cause, marked as likely when it is."""
        return f"most likely, {self.cause}" if self.likely else self.cause

    def and_seen(self, lines: Iterable[tuple[str, str]]) -> Finding:
        """Return the finding with more evidence after its own: a screen may cut the list."""
        return replace(self, seen=(*self.seen, *lines))

    def without(self, secrets: Iterable[str]) -> Finding:
        """Return the finding without these texts: a server may echo what it was sent."""
        known = tuple(secrets)
        return replace(
            self,
            cause=without_secrets(self.cause, known),
            candidates=tuple(without_secrets(text, known) for text in self.candidates),
            seen=tuple((label, without_secrets(text, known)) for label, text in self.seen),
            fix=tuple(without_secrets(text, known) for text in self.fix),
            otherwise=tuple(without_secrets(text, known) for text in self.otherwise),
        )


def first(rules: Callable[P, Iterator[Finding]]) -> Callable[P, Finding | None]:
    """Make one function of rules in order: it returns what the first one that decides yields."""

    @wraps(rules)
    def decided(*args: P.args, **kwargs: P.kwargs) -> Finding | None:
        return next(rules(*args, **kwargs), None)

    return decided


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret in a text by an ellipsis."""
    for secret in secrets:
        if len(secret) >= LEAST_SECRET:
            text = text.replace(secret, "…")
    return text


def quoted(value: object, limit: int = LONGEST_QUOTE) -> str:
    """Return text from the network so that it fits into a sentence: printable, and not too long."""
    text = "".join(c for c in value if c.isprintable()) if isinstance(value, str) else ""
    return text if len(text) <= limit else text[: limit - 1] + "…"
