"""Asks the cases, in an order in which none disturbs another, within the time of the run."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from zdemo.verify.case import OF_THE_API, Case, CaseReport, Group, Mark, Needs, Verdict
from zdemo.verify.cases import CASES
from zdemo.verify.run import VerifyRun

NOT_JUDGED = Verdict(Mark.SKIP, "not judged at a proxy: it is up to the API behind it")
Tell = Callable[[int, int, Case], None]


def requested(cases: Sequence[Case], only: Collection[str]) -> list[Case]:
    """Return the cases with these IDs or of these groups; all of them when none is named."""
    return [case for case in cases if not only or case.id in only or case.group in only]


def examine(
    run: VerifyRun, only: Collection[str] = (), *, strict: bool = False, tell: Tell = lambda *_: None
) -> Iterator[CaseReport]:
    """Ask the requested cases and those that they build on; yield a report of each, in the order of the questions.

    A failure of the group hardening is a hint, unless ``strict``. ``tell`` is called before each question with its
    number, the number of all, and the case.
    """
    wanted = [case for case in requested(CASES, only) if (case.group is Group.MCP) is run.mcp]
    if run.backend is None:
        wanted = [case for case in wanted if case.group is not Group.PROXY]
    needed = {case.id for case in wanted}.union(*(case.builds_on for case in wanted))
    in_order = sorted((case for case in CASES if case.id in needed), key=lambda case: case.stage)
    failed: set[str] = set()
    for number, case in enumerate(in_order, 1):
        tell(number, len(in_order), case)
        started = time.monotonic()
        verdict = NOT_JUDGED if run.backend and case.id in OF_THE_API else _verdict(case, run, failed)
        if verdict.mark is not Mark.PASS:
            failed.add(case.id)
        if verdict.mark is Mark.FAIL and case.group is Group.HARDENING and not strict:
            verdict = replace(verdict, mark=Mark.HINT)
        if case in wanted or verdict.mark is Mark.FAIL:
            yield CaseReport(case=case, verdict=verdict, seconds=time.monotonic() - started)


def _verdict(case: Case, run: VerifyRun, failed: Collection[str]) -> Verdict:
    if case.needs is Needs.ROLE and not run.role:
        return Verdict(Mark.SKIP, "the path requires no role (--no-role)")
    if missing := [name for name in case.builds_on if name in failed]:
        return Verdict(Mark.SKIP, f"needs {missing[0]}")
    too_late = Verdict(Mark.UNASKED, f"not asked: {run.api.run_seconds:g} s were over")
    if run.api.is_out_of_time:
        return too_late
    if how := run.gone():
        return Verdict(Mark.UNASKED, f"not asked: {how}")
    verdict = case.judge(case.ask(run))
    return too_late if verdict.mark is Mark.FAIL and run.api.is_out_of_time else verdict


def in_groups(reports: Sequence[CaseReport]) -> dict[Group, list[CaseReport]]:
    """Return the reports by their groups, those of a group in the order of the table."""
    order = {case.id: number for number, case in enumerate(CASES)}
    ordered = sorted(reports, key=lambda report: order[report.case.id])
    groups = {group: [report for report in ordered if report.case.group is group] for group in Group}
    return {group: of_group for group, of_group in groups.items() if of_group}


def grade(reports: Sequence[CaseReport]) -> tuple[int, int]:
    """Return how many cases passed, and of how many; those that were skipped do not count."""
    counted = [report for report in reports if report.mark is not Mark.SKIP]
    return sum(report.mark is Mark.PASS for report in counted), len(counted)
