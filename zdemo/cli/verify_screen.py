"""What ``zdemo verify`` prints: a grade for each group, then what failed in full."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from zdemo.cli.doctor_screen import COLOURS, marks
from zdemo.cli.junit import ReportedCase
from zdemo.cli.screen import Screen
from zdemo.diagnosis.checks.check import Outcome
from zdemo.text.printable import printable
from zdemo.verify.case import Case, CaseReport, Mark
from zdemo.verify.examine import grade, in_groups

GROUP_WIDTH, GRADE_WIDTH, ID_WIDTH, LABEL_WIDTH, INDENT = 8, 11, 30, 14, 2
MOST_IN_FULL, MOST_IN_GROUP, MOST_OF_LINE = 4, 5, 200
ACCEPTS = "correct.accepts"
WORDS = {Mark.FAIL: "failed", Mark.UNASKED: "not asked", Mark.PASS: "passed", Mark.SKIP: "skipped"}


def show_list(screen: Screen, cases: Sequence[Case], *, as_json: bool) -> None:
    """Show the IDs of cases, and what is asked."""
    if as_json:
        screen.document({"cases": [described(case) for case in cases]})
        return
    for case in cases:
        screen.behind(f"{case.id:<{ID_WIDTH}}  ", case.asked)


def described(case: Case) -> dict[str, str]:
    """Return what is known of a case before it is asked."""
    return {
        "id": case.id,
        "group": case.group.value,
        "asked": case.asked,
        "must": case.must,
        "source": case.source,
        "fix": case.fix,
        "needs": case.needs.value,
    }


def show_grades(screen: Screen, reports: Sequence[CaseReport]) -> None:
    """Show for each group how many cases passed, and what was wrong."""
    for group, found in in_groups(reports).items():
        passed, counted = grade(found)
        lead = f"{group.value:<{GROUP_WIDTH}}  {f'{passed} of {counted}':>{GRADE_WIDTH - 2}}"
        wrong = [report.case.wrong for report in found if report.mark is Mark.FAIL]
        if not wrong:
            screen.say(lead)
        for text in _cut(wrong):
            screen.behind(f"{lead}    {_cross(screen)} ", text)
            lead = " " * len(lead)


def _cut(texts: Sequence[str]) -> list[str]:
    """Return the first texts, and how many there are besides."""
    more = len(texts) - MOST_IN_GROUP
    return list(texts) if more <= 1 else [*texts[:MOST_IN_GROUP], f"and {more} others"]


def _cross(screen: Screen) -> str:
    return screen.mark(marks(screen.stdout)[Outcome.FAIL], COLOURS[Outcome.FAIL])


def show_failures(screen: Screen, reports: Sequence[CaseReport], printed: Sequence[str], *, most: int | None) -> None:
    """Show what failed in full, the unsafe ones first; where nothing was let in, also what the API printed last."""
    failures = [report for found in in_groups(reports).values() for report in found if report.mark is Mark.FAIL]
    for report in failures[:most]:
        _show_failure(screen, report)
        for number, line in enumerate(printed if report.case.id == ACCEPTS else ()):
            screen.behind(f"{' ' * INDENT}{'' if number else 'printed':<{LABEL_WIDTH}}", shortened(screen, line))
    if more := failures[len(failures[:most]) :]:
        screen.say()
        screen.behind(f"{'more':<{LABEL_WIDTH + INDENT}}", f"{len(more)} others failed; -v shows them in full")


def shortened(screen: Screen, line: str) -> str:
    """Return a line of the API's output without secrets, and not too much of it."""
    return screen.redaction(line)[:MOST_OF_LINE]


def _show_failure(screen: Screen, report: CaseReport) -> None:
    case = report.case
    screen.say()
    screen.behind(f"{screen.mark(case.id, COLOURS[Outcome.FAIL])}  ", case.wrong)
    for label, text in _rows(report):
        screen.behind(f"{' ' * INDENT}{label:<{LABEL_WIDTH}}", text)


def _rows(report: CaseReport) -> list[tuple[str, str]]:
    case = report.case
    return [("seen", report.verdict.seen), ("must", f"{case.must} ({case.source})"), ("fix", case.fix)]


def show_all(screen: Screen, reports: Sequence[CaseReport]) -> None:
    """Show each case with what was seen."""
    for found in in_groups(reports).values():
        for report in found:
            outcome = _outcome(report)
            mark = screen.mark(marks(screen.stdout)[outcome], COLOURS[outcome])
            screen.behind(f"{mark} {report.case.id:<{ID_WIDTH}}", report.verdict.seen)
    screen.say()


def _outcome(report: CaseReport) -> Outcome:
    return Outcome.SKIP if report.mark is Mark.UNASKED else Outcome(report.mark.value)


def show_skipped(screen: Screen, reports: Sequence[CaseReport]) -> None:
    """Say why cases were not asked, each reason once."""
    reasons: dict[str, list[str]] = {}
    for report in reports:
        if report.mark in (Mark.SKIP, Mark.UNASKED):
            reasons.setdefault(report.verdict.seen, []).append(report.case.id)
    if reasons:
        screen.say()
    for reason, ids in reasons.items():
        names = ids[0] if len(ids) == 1 else f"{len(ids)} cases"
        screen.behind(f"{'skipped':<{LABEL_WIDTH + INDENT}}", f"{names}: {reason}")


def show_summary(screen: Screen, reports: Sequence[CaseReport], seconds: float) -> None:
    """Show how many cases had which outcome."""
    count = Counter(report.mark for report in reports)
    screen.say()
    numbers = ", ".join(f"{count[mark]} {word}" for mark, word in WORDS.items() if count[mark])
    screen.headline(numbers, f"{seconds:.1f} s")


def reported_cases(reports: Sequence[CaseReport]) -> list[ReportedCase]:
    """Return the cases for a JUnit report."""
    return [
        ReportedCase(
            group=group.value,
            id=report.case.id,
            outcome=_outcome(report),
            message=f"{report.case.wrong}: {report.verdict.seen}" if report.mark is Mark.FAIL else report.verdict.seen,
            text="\n".join(f"{label}: {text}" for label, text in _rows(report)),
            seconds=report.seconds,
        )
        for group, found in in_groups(reports).items()
        for report in found
    ]


def as_document(reports: Sequence[CaseReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs."""
    groups = in_groups(reports)
    grades = {group: grade(found) for group, found in groups.items()}
    return {
        "passed": all(report.mark in (Mark.PASS, Mark.SKIP) for report in reports),
        "summary": {mark.value: sum(report.mark is mark for report in reports) for mark in Mark},
        "grades": {group.value: {"passed": passed, "of": of} for group, (passed, of) in grades.items()},
        "seconds": round(seconds, 3),
        "cases": [
            {**described(report.case), "outcome": report.mark.value, "seen": printable(report.verdict.seen)}
            for found in groups.values()
            for report in found
        ],
    }
