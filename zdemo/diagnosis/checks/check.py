"""A check, and how checks run in order: a check is skipped if one that it needs has failed."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Generic, TypeVar

from zdemo.diagnosis.finding import Finding, Outcome, Severity
from zdemo.diagnosis.view import in_full
from zdemo.errors import ZdemoError
from zdemo.errors.problem import Problem
from zdemo.errors.steps import Step

S = TypeVar("S")

GROUPS = {  # titles by the part of an ID before the dot, which is the title of all other groups
    "net": "network",
    "zitadel": "ZITADEL",
    "clock": "ZITADEL",
    "client": "credentials",
    "admin": "administrator",
    "api": "API",
}
LEADS = {Severity.HOLE: "lets in ", Severity.CRASH: "fails at "}  # before the verdicts of checks


@dataclass(frozen=True, kw_only=True)
class Check(Generic[S]):
    """A check of a subject; its result is a finding."""

    id: str
    what: str
    needs: tuple[str, ...] = ()  # the checks that it builds on
    verdict: str = ""  # shown in its group's line when it failed or warned, if its finding has no brief
    explains: str = ""  # the ID of the check whose failure a warning of this one explains
    group: str = ""
    examine: Callable[[S], Finding]

    @property
    def anchor(self) -> str:
        """Where the documentation explains it."""
        return f"docs/troubleshooting.md#{self.id}"


def check(name: str, *needs: str, what: str = "", **more: str) -> Callable[[Callable[[S], Finding]], Check[S]]:
    """Make a check of a function, whose docstring says ``what`` must be true; ``more`` are other fields."""
    beginning = name.partition(".")[0]
    fields = {"group": GROUPS.get(beginning, beginning)} | more

    def check_of(examine: Callable[[S], Finding]) -> Check[S]:
        text = what or (examine.__doc__ or "").removesuffix(".")
        text = text if text[1:2].isupper() else text[:1].lower() + text[1:]  # a name in capitals stays
        return Check(id=name, what=text, needs=needs, examine=examine, **fields)

    return check_of


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A check that ran or was skipped, and its result."""

    check: Check[Any]
    result: Finding
    requested: bool = True  # false when it ran only because another check builds on it
    blockers: tuple[Check[Any], ...] = ()  # the first unsatisfied checks that it builds on: why it was skipped
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """The ID of the check."""
        return self.check.id

    @property
    def worth_showing(self) -> bool:
        """Whether it was requested, or is the reason why a requested one was skipped."""
        return self.requested or (not self.blockers and not self.result.satisfied)


def passed(evidence: str, *, brief: str = "") -> Finding:
    """Return the result of a check that found nothing wrong."""
    return Finding(outcome=Outcome.PASS, cause=evidence, brief=brief)


def warned(evidence: str, *fix: Step, brief: str = "", stops: bool = False) -> Finding:
    """Return the result for something that works, but may not be what was meant."""
    return Finding(outcome=Outcome.WARN, cause=evidence, fix=fix, brief=brief, stops=stops)


def failed(evidence: str, *fix: Step, severity: Severity = Severity.FAILURE, **more: Any) -> Finding:
    """Return the result for something that does not work; ``more`` are other fields."""
    return Finding(cause=evidence, fix=fix, severity=severity, **more)


def with_problems(problems: Sequence[Problem], outcome: Outcome, fix: Sequence[Step] = ()) -> Finding:
    """Return the result for problems of the settings; the fix is all of their steps, unless another one is given."""
    steps = dict.fromkeys(step for problem in problems for step in problem.steps)
    cause, more = problems[0].text, f" (and {len(problems) - 1} more)" if problems[1:] else ""
    brief = cause + more if outcome is Outcome.WARN else ""
    return Finding(outcome=outcome, cause=cause, problems=tuple(problems), fix=tuple(fix or steps), brief=brief)


def nothing_to_check(why: str) -> Finding:
    """Return the result of a check that does not apply; checks that build on it still run."""
    return Finding(outcome=Outcome.SKIP, cause=why)


def skipped(why: str, *, brief: str = "") -> Finding:
    """Return the result of a check that could not run, so that those that build on it cannot either."""
    return replace(nothing_to_check(why), brief=brief, stops=True)


def selected(checks: Sequence[Check[S]], requested: Collection[str] = ()) -> list[Check[S]]:
    """Return the requested checks and those that they build on, in order; all of them when none is requested."""
    names = set(requested)
    for current in reversed(checks):  # what a check builds on comes before it
        if current.id in names:
            names.update(current.needs)
    return [current for current in checks if current.id in names or not requested]


def examine(checks: Sequence[Check[S]], subject: S, requested: Collection[str] = ()) -> Iterator[CheckReport]:
    """Run the selected checks, each when the next report is asked for.

    An error that a check raises makes it fail, with the error's hint as the fix.
    """
    blockers: dict[str, tuple[Check[Any], ...]] = {}  # of each check that was not satisfied; itself if it ran
    for current in selected(checks, requested):
        started = time.monotonic()
        missing = [name for name in current.needs if name in blockers]
        try:
            result = skipped(f"needs {' and '.join(missing)}") if missing else current.examine(subject)
        except ZdemoError as error:
            result = failed(error.message, *error.steps, id=error.finding)
        roots = {root.id: root for name in missing for root in blockers[name]}
        if not result.satisfied:
            blockers[current.id] = tuple(roots.values()) or (current,)
        yield CheckReport(
            check=current,
            result=result,
            requested=not requested or current.id in requested,
            blockers=tuple(roots.values()),
            seconds=time.monotonic() - started,
        )


def outcome_of(reports: Sequence[CheckReport]) -> Outcome:
    """Return the outcome of a group: the worst of its checks; one that could not run is worse than one that passed."""
    outcomes = {report.result.outcome for report in reports if report.result.outcome is not Outcome.SKIP}
    if any(not report.result.satisfied for report in reports) and outcomes <= {Outcome.PASS}:
        return Outcome.SKIP
    return next((worst for worst in (Outcome.FAIL, Outcome.WARN, Outcome.PASS) if worst in outcomes), Outcome.SKIP)


def worst_first(reports: Sequence[CheckReport], outcome: Outcome) -> list[CheckReport]:
    """Return the reports with this outcome; those that are equally bad in their order."""
    return sorted((r for r in reports if r.result.outcome is outcome), key=lambda report: report.result.severity)


def line_of(reports: Sequence[CheckReport]) -> str:
    """Return what the line of a group says of its checks."""
    outcome = outcome_of(reports)
    with_it = worst_first(reports, outcome)
    if outcome in (Outcome.FAIL, Outcome.WARN):
        grouped = groupby(with_it, key=lambda report: LEADS.get(report.result.severity, ""))
        return "; ".join(lead + ", ".join(r.result.brief or r.check.verdict for r in group) for lead, group in grouped)
    with_it.sort(key=lambda report: report.result.satisfied)  # only in a group of those that were skipped they differ
    if with_it[0].blockers:
        return f"needs {' and '.join(dict.fromkeys(root.group for root in with_it[0].blockers))}"
    briefs = [report.result.brief for report in with_it if report.result.brief] or [in_full(with_it[0].result)]
    return ", ".join(briefs if outcome is Outcome.PASS else briefs[:1])
