"""A finding: a cause, how certain it is, the evidence for it, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from functools import partial
from pathlib import Path
from typing import Self

from zdemo.config.new_dotenv import with_env_file
from zdemo.errors.problem import Problem
from zdemo.errors.steps import Repair, Step, repair_in, usable

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
    EMULATOR = "emulator"  # as certain, but only zdemo's emulator tells it


class Severity(IntEnum):
    """How bad a failure is: of several, the worst is explained first."""

    HOLE = 0  # a request is let in that must be refused
    FAILURE = 1  # what should work does not
    CRASH = 2  # a request makes the API fail that must be refused
    FORM = 3  # a right decision in the wrong words: checks that build on it make sense


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a token is refused, or why ZITADEL or the API cannot be used; also the result of a check.

    Apart from the values of steps, a finding never holds a token or a secret. ``diagnosis.view`` has its words.
    """

    id: str = ""  # stable and dotted
    cause: str  # only what is known, when the cause is open; of a check where nothing is wrong, the evidence
    likely: bool = False
    only_emulator: bool = False  # whether a real ZITADEL would not tell
    candidates: tuple[str, ...] = ()  # most likely first: possible causes, or the alternatives to a likely one
    seen: tuple[tuple[str, str], ...] = ()  # the evidence: label and text
    fix: tuple[Step, ...] = ()  # the least harmful
    otherwise: tuple[Step, ...] = ()  # where the fix is not possible or does not help
    outcome: Outcome = Outcome.FAIL
    severity: Severity = Severity.FAILURE
    problems: tuple[Problem, ...] = ()  # of the settings, where they are the cause: the first one is ``cause``
    because: tuple[Problem, ...] = ()  # problems with where settings come from: they come first, and so do their steps
    brief: str = ""  # what the line of a check's group says
    stops: bool = False  # whether checks that build on this one make no sense

    @property
    def satisfied(self) -> bool:
        """Whether a check that builds on this one makes sense."""
        return (self.outcome is not Outcome.FAIL or self.severity is Severity.FORM) and not self.stops

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that can be done: the fix, and what to do otherwise."""
        return (*self.fix, *self.otherwise)

    @property
    def repair(self) -> Repair | None:
        """The step of the fix that zdemo can take itself: one change, certain, harmless and reversible."""
        return repair_in(self.fix)

    @property
    def certainty(self) -> Certainty:
        """How certain the cause is."""
        if self.only_emulator:
            return Certainty.EMULATOR
        if self.likely:
            return Certainty.LIKELY
        return Certainty.OPEN if self.candidates else Certainty.CERTAIN

    def and_seen(self, lines: Iterable[tuple[str, str]]) -> Self:
        """Return the finding with more evidence after its own: a screen may cut the list."""
        return replace(self, seen=(*self.seen, *lines))

    def with_env_file(self, path: Path | None) -> Self:
        """Return the finding with the ``.env`` that its commands need; ``None`` stands for the usual one."""
        fix, otherwise = (tuple(with_env_file(step, path) for step in steps) for steps in (self.fix, self.otherwise))
        return replace(self, fix=fix, otherwise=otherwise)

    def without(self, secrets: Iterable[str]) -> Self:
        """Return the finding without these texts: a server may echo what it was sent."""
        hidden = partial(without_secrets, secrets=tuple(secrets))
        return replace(
            self,
            cause=hidden(self.cause),
            candidates=tuple(map(hidden, self.candidates)),
            seen=tuple((label, hidden(text)) for label, text in self.seen),
            fix=usable(self.fix, hidden),
            otherwise=usable(self.otherwise, hidden),
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
