"""A check and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from zdemo.diagnosis import Certainty, Finding

PAGE = "docs/troubleshooting.md"
S = TypeVar("S")


class Outcome(StrEnum):
    """How a check came out."""

    PASS = "pass"  # noqa: S105  # no password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a check came to: one sentence of evidence and, unless it passed, what to do.

    ``satisfied``: whether a check that builds on this one makes sense. ``candidates`` are what it can be when that is
    open, ``seen`` what it rests on.
    """

    outcome: Outcome
    evidence: str
    fix: tuple[str, ...] = ()
    certainty: Certainty = Certainty.CERTAIN
    candidates: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    satisfied: bool = True


@dataclass(frozen=True, kw_only=True)
class Check(Generic[S]):
    """One check of a subject.

    ``id`` is stable; ``what`` says in a line what is checked; ``needs`` are the checks that it builds on.
    """

    id: str
    what: str
    needs: tuple[str, ...]
    examine: Callable[[S], Result]

    @property
    def anchor(self) -> str:
        """Where more about it is written."""
        return f"{PAGE}#{self.id}"


def passed(evidence: str) -> Result:
    """All is well."""
    return Result(outcome=Outcome.PASS, evidence=evidence)


def warned(evidence: str, *fix: str) -> Result:
    """It works, and may not be what is meant."""
    return Result(outcome=Outcome.WARN, evidence=evidence, fix=fix)


def failed(evidence: str, *fix: str) -> Result:
    """It does not work."""
    return Result(outcome=Outcome.FAIL, evidence=evidence, fix=fix, satisfied=False)


def nothing_to_check(why: str) -> Result:
    """The question does not arise, and nothing is missing for others."""
    return Result(outcome=Outcome.SKIP, evidence=why)


def skipped(why: str) -> Result:
    """It could not be done, so that what builds on it cannot either."""
    return Result(outcome=Outcome.SKIP, evidence=why, satisfied=False)


def from_finding(finding: Finding, outcome: Outcome = Outcome.FAIL) -> Result:
    """What a diagnosis says, as the result of a check."""
    return Result(
        outcome=outcome,
        evidence=finding.said,
        fix=finding.fix,
        certainty=finding.certainty,
        candidates=finding.candidates,
        seen=finding.seen,
        satisfied=outcome is not Outcome.FAIL,
    )
