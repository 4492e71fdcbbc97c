"""A check, its result, and how checks run in order: a check is skipped if one that it needs has failed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from zdemo.config.packaged import TROUBLESHOOTING
from zdemo.diagnosis import Certainty, Finding
from zdemo.errors import ZdemoError

S = TypeVar("S")


class Outcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105  # not a password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a check: one sentence of evidence and, unless it passed, what to do.

    ``satisfied``: a check that builds on this one makes sense. ``candidates`` are the possible causes when the cause
    is open, and ``seen`` is the evidence for it.
    """

    outcome: Outcome
    evidence: str
    fix: tuple[str, ...] = ()
    certainty: Certainty = Certainty.CERTAIN
    candidates: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    satisfied: bool = True


@dataclass(frozen=True)
class Check(Generic[S]):
    """One check of a subject.

    ``id`` is stable; ``what`` says in one line what is checked; ``needs`` are the checks that it builds on.
    """

    id: str
    what: str
    needs: tuple[str, ...]
    examine: Callable[[S], Result]

    @property
    def anchor(self) -> str:
        """Where the documentation explains it."""
        return f"{TROUBLESHOOTING}#{self.id}"


def check(name: str, what: str, *needs: str) -> Callable[[Callable[[S], Result]], Check[S]]:
    """Make a check of the function below."""
    return partial(Check, name, what, needs)


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A check that ran or was skipped.

    ``requested``: it was asked for, and does not only support another check. ``ran``: nothing it builds on failed.
    """

    id: str
    anchor: str
    result: Result
    requested: bool = True
    ran: bool = True

    @property
    def worth_showing(self) -> bool:
        """Whether it was requested, or is the reason why a requested one was skipped."""
        return self.requested or (self.ran and not self.result.satisfied)


def passed(evidence: str) -> Result:
    """Return the result of a check that found nothing wrong."""
    return Result(outcome=Outcome.PASS, evidence=evidence)


def warned(evidence: str, *fix: str) -> Result:
    """Return the result for something that works, but may not be what was meant."""
    return Result(outcome=Outcome.WARN, evidence=evidence, fix=fix)


def failed(evidence: str, *fix: str) -> Result:
    """Return the result for something that does not work."""
    return Result(outcome=Outcome.FAIL, evidence=evidence, fix=fix, satisfied=False)


def failed_with(error: ZdemoError) -> Result:
    """Return the result for an error, with its hint as the fix."""
    return failed(error.message, error.hint)


def nothing_to_check(why: str) -> Result:
    """Return the result of a check that does not apply; checks that build on it still run."""
    return Result(outcome=Outcome.SKIP, evidence=why)


def skipped(why: str) -> Result:
    """Return the result of a check that could not run, so that those that build on it cannot either."""
    return Result(outcome=Outcome.SKIP, evidence=why, satisfied=False)


def from_finding(finding: Finding, outcome: Outcome = Outcome.FAIL) -> Result:
    """Return a finding of the diagnosis as the result of a check."""
    return Result(
        outcome=outcome,
        evidence=finding.sentence,
        fix=finding.fix,
        certainty=finding.certainty,
        candidates=finding.candidates,
        seen=finding.seen,
        satisfied=outcome is not Outcome.FAIL,
    )


def required(checks: Sequence[Check[S]], requested: Collection[str]) -> set[str]:
    """Return the IDs of the requested checks and of all that they build on."""
    names = set(requested)
    for check in reversed(checks):  # what a check builds on comes before it
        if check.id in names:
            names.update(check.needs)
    return names


def examine(checks: Sequence[Check[S]], subject: S, requested: Collection[str] = ()) -> Iterator[CheckReport]:
    """Run the requested checks and those that they build on; all of them when none is requested."""
    names = required(checks, requested) if requested else {check.id for check in checks}
    unsatisfied: set[str] = set()
    for check in checks:
        if check.id not in names:
            continue
        missing = [name for name in check.needs if name in unsatisfied]
        result = skipped(f"needs {' and '.join(missing)}") if missing else _examined(check, subject)
        if not result.satisfied:
            unsatisfied.add(check.id)
        is_requested = not requested or check.id in requested
        yield CheckReport(id=check.id, anchor=check.anchor, result=result, requested=is_requested, ran=not missing)


def _examined(check: Check[S], subject: S) -> Result:
    """Run a check; an error that it does not expect, such as an unusable CA bundle, makes it fail."""
    try:
        return check.examine(subject)
    except ZdemoError as error:
        return failed_with(error)
