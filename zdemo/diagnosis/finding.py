"""A finding: a cause, how certain it is, the evidence for it, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

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

    Apart from ``repair``, a finding never holds a token or a secret.
    """

    id: str = ""  # stable and dotted
    cause: str  # only what is known, when the cause is open; of a check where nothing is wrong, the evidence
    likely: bool = False
    candidates: tuple[str, ...] = ()  # most likely first: possible causes, or the alternatives to a likely one
    seen: tuple[tuple[str, str], ...] = ()  # the evidence: label and text
    fix: tuple[str, ...] = ()  # the least harmful: steps that a person can take or paste
    otherwise: tuple[str, ...] = ()  # where the fix is not possible or does not help
    repair: Repair | None = None  # the fix where zdemo can make it: one change, certain, harmless and reversible
    outcome: Outcome = Outcome.FAIL
    also: tuple[str, ...] = ()  # sentences about further faults that a check found
    brief: str = ""  # what the line of a check's group says
    stops: bool = False  # whether checks that build on this one make no sense

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
