"""A check, its result, and how checks run in order: a check is skipped if one that it needs has failed."""

import time
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

    ``also`` are sentences about further faults of the same kind. ``otherwise`` are alternatives to the fix.
    ``satisfied``: a check that builds on this one makes sense. ``candidates`` are the possible causes when the cause is
    open, and ``seen`` is the evidence for it. ``brief`` is what the line of its group says about it.
    """

    outcome: Outcome
    evidence: str
    also: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()
    certainty: Certainty = Certainty.CERTAIN
    candidates: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    satisfied: bool = True
    brief: str = ""

    @property
    def text(self) -> str:
        """All of the evidence on one line."""
        return "; ".join((self.evidence, *self.also))

    @property
    def steps(self) -> tuple[str, ...]:
        """All that can be done: the fix, and what to do otherwise."""
        return (*self.fix, *self.otherwise)


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

    ``requested``: it was asked for, and does not only support another check. ``blockers`` are the first checks on the
    way to it that were not satisfied: because of them it was skipped. ``seconds`` is how long it took.
    """

    id: str
    anchor: str
    result: Result
    requested: bool = True
    blockers: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def worth_showing(self) -> bool:
        """Whether it was requested, or is the reason why a requested one was skipped."""
        return self.requested or (not self.blockers and not self.result.satisfied)


def passed(evidence: str, *, brief: str = "") -> Result:
    """Return the result of a check that found nothing wrong."""
    return Result(outcome=Outcome.PASS, evidence=evidence, brief=brief)


def warned(evidence: str, *fix: str, also: Sequence[str] = (), brief: str = "") -> Result:
    """Return the result for something that works, but may not be what was meant."""
    return Result(outcome=Outcome.WARN, evidence=evidence, also=tuple(also), fix=fix, brief=brief)


def failed(evidence: str, *fix: str, also: Sequence[str] = (), otherwise: tuple[str, ...] = ()) -> Result:
    """Return the result for something that does not work."""
    return Result(
        outcome=Outcome.FAIL, evidence=evidence, also=tuple(also), fix=fix, otherwise=otherwise, satisfied=False
    )


def failed_with(error: ZdemoError) -> Result:
    """Return the result for an error, with its hint as the fix."""
    return failed(error.message, error.hint)


def nothing_to_check(why: str) -> Result:
    """Return the result of a check that does not apply; checks that build on it still run."""
    return Result(outcome=Outcome.SKIP, evidence=why)


def skipped(why: str, *, brief: str = "") -> Result:
    """Return the result of a check that could not run, so that those that build on it cannot either."""
    return Result(outcome=Outcome.SKIP, evidence=why, satisfied=False, brief=brief)


def from_finding(finding: Finding, outcome: Outcome = Outcome.FAIL) -> Result:
    """Return a finding of the diagnosis as the result of a check."""
    return Result(
        outcome=outcome,
        evidence=finding.sentence,
        fix=finding.fix,
        otherwise=finding.otherwise,
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


def selected(checks: Sequence[Check[S]], requested: Collection[str] = ()) -> list[Check[S]]:
    """Return the requested checks and those that they build on, in order; all of them when none is requested."""
    names = required(checks, requested) if requested else {check.id for check in checks}
    return [check for check in checks if check.id in names]


def examine(checks: Sequence[Check[S]], subject: S, requested: Collection[str] = ()) -> Iterator[CheckReport]:
    """Run the selected checks, each when the next report is asked for."""
    blockers: dict[str, tuple[str, ...]] = {}  # of each check that was not satisfied; its own if it ran
    for check in selected(checks, requested):
        started = time.monotonic()
        missing = [name for name in check.needs if name in blockers]
        result = skipped(f"needs {' and '.join(missing)}") if missing else _examined(check, subject)
        if not result.satisfied:
            blockers[check.id] = tuple(dict.fromkeys(root for name in missing for root in blockers[name])) or (
                check.id,
            )
        is_requested = not requested or check.id in requested
        yield CheckReport(
            id=check.id,
            anchor=check.anchor,
            result=result,
            requested=is_requested,
            blockers=blockers[check.id] if missing else (),
            seconds=time.monotonic() - started,
        )


def _examined(check: Check[S], subject: S) -> Result:
    """Run a check; an error that it does not expect, such as an unusable CA bundle, makes it fail."""
    try:
        return check.examine(subject)
    except ZdemoError as error:
        return failed_with(error)
