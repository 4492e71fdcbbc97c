"""What ``zdemo doctor`` prints: a line for each group, then what failed: its cause, the evidence, and the fix."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import IO, Any

from zdemo.cli.junit import ReportedCase
from zdemo.cli.layout import step
from zdemo.cli.screen import Screen
from zdemo.diagnosis.checks.check import Check, CheckReport, Outcome, Result, group_of, line_of, outcome_of, selected
from zdemo.diagnosis.finding import Certainty

SIGNS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.WARN: "!", Outcome.SKIP: "-"}
WORDS = {Outcome.PASS: "ok  ", Outcome.FAIL: "FAIL", Outcome.WARN: "warn", Outcome.SKIP: "skip"}
COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.WARN: "yellow", Outcome.SKIP: "bright_black"}
WITH_SIGNS = re.compile(r"utf-?8", re.IGNORECASE)
GROUP_WIDTH, ID_WIDTH, LABEL_WIDTH, INDENT = 14, 20, 12, 2
HEADING_WIDTH = INDENT + LABEL_WIDTH
MOST_SEEN, MOST_CANDIDATES, MOST_STEPS = 2, 6, 3  # without --verbose


def marks(stream: IO[str]) -> Mapping[Outcome, str]:
    """Return the mark of each outcome, all of one width: signs where the terminal can show them, else words.

    ``LC_CTYPE`` does not count: Python sets it itself where ``LANG`` is ``C``.
    """
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or "utf-8"
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return SIGNS if WITH_SIGNS.search(locale) and WITH_SIGNS.fullmatch(encoding) else WORDS


def stream_groups(
    screen: Screen, checks: Sequence[Check[Any]], reports: Iterator[CheckReport], only: Sequence[str], *, show: str = ""
) -> Iterator[CheckReport]:
    """Yield the reports that are worth showing, after the line of their group, or of each check, was printed.

    ``show`` is ``groups``, ``checks`` or nothing.
    """
    for name, members in groupby(selected(checks, only), key=lambda check: group_of(check.id)):
        with screen.waiting(f"checking: {name}"):
            done = [report for report in islice(reports, len(list(members))) if report.worth_showing]
        if done and show == "groups":
            _show_line(screen, outcome_of(done), f"{name:<{GROUP_WIDTH}}", line_of(done))
        for report in done if show == "checks" else ():
            _show_line(screen, report.result.outcome, f"{report.id:<{ID_WIDTH}}  ", report.result.text)
        yield from done


def _show_line(screen: Screen, outcome: Outcome, name: str, text: str) -> None:
    mark = screen.mark(marks(screen.stdout)[outcome], COLOURS[outcome])
    screen.behind(f"{mark} {name}", step(text))


def show_details(screen: Screen, done: Sequence[CheckReport], *, verbose: bool) -> list[str]:
    """Show the first failure, with the warnings that may explain it or else its candidates; without one, all warnings.

    With ``verbose`` show all failures and warnings. Return the IDs of the failures that were not shown.
    """
    failures = [one for one in done if one.result.outcome is Outcome.FAIL]
    warnings = [one for one in done if one.result.outcome is Outcome.WARN]
    if verbose:
        for report in (*failures, *warnings):
            _show_report(screen, report, (), verbose=True)
        return []
    for report in failures[:1] or warnings:
        explaining = [one for one in warnings if one is not report and one.explains(report)]
        _show_report(screen, report, explaining, verbose=False)
    return [report.id for report in failures[1:]]


def _show_report(screen: Screen, report: CheckReport, explaining: Sequence[CheckReport], *, verbose: bool) -> None:
    result = report.result
    screen.say()
    lead = f"{report.id:<{HEADING_WIDTH}}  "
    screen.behind(lead.replace(report.id, screen.mark(report.id, COLOURS[result.outcome])), step(result.sentence))
    for text in result.also:
        screen.behind(" " * len(lead), step(text))
    rows = [("warning", _in_short(warning)) for warning in explaining]
    rows += result.seen if verbose else () if result.candidates else result.seen[:MOST_SEEN]
    screen.pairs([(label, step(text)) for label, text in rows], indent=INDENT, label_width=LABEL_WIDTH)
    candidates = result.candidates if verbose else () if explaining else result.candidates[:MOST_CANDIDATES]
    if candidates:
        screen.say(f"{' ' * INDENT}{heading_of_candidates(result)}")
    for text in candidates:
        screen.behind(" " * 2 * INDENT, text, hang=INDENT)
    steps = result.steps if verbose else result.fix[:MOST_STEPS]
    screen.pairs(
        [("" if number else "fix", text) for number, text in enumerate(steps)], indent=INDENT, label_width=LABEL_WIDTH
    )


def heading_of_candidates(result: Result) -> str:
    """Return what stands above the possible causes: they are all that is known, or alternatives to a likely one."""
    return "it can be" if result.certainty is Certainty.OPEN else "or else"


def _in_short(warning: CheckReport) -> str:
    result = warning.result
    if len(result.fix) > 1:  # one fix alone would seem to be that of what is said last
        return f"{result.text}: zdemo doctor --explain {warning.id}"
    return ": ".join((result.text, *result.fix))


def show_summary(
    screen: Screen, done: Sequence[CheckReport], seconds: float, *, also: Sequence[str], more: Sequence[str]
) -> None:
    """Show how many checks had which outcome, which ones failed without being shown, and what shows more."""
    count = Counter(one.result.outcome for one in done)
    words = {
        Outcome.FAIL: "failed",
        Outcome.WARN: "warning" if count[Outcome.WARN] == 1 else "warnings",
        Outcome.PASS: "passed",
        Outcome.SKIP: "skipped",
    }
    screen.say()
    numbers = ", ".join(f"{count[outcome]} {word}" for outcome, word in words.items() if count[outcome])
    screen.headline(numbers, f"{seconds:.1f} s")
    rows = (("also", ", ".join(also)), ("more", ", ".join(more)))
    screen.pairs([row for row in rows if row[1]], label_width=HEADING_WIDTH)


def first_to_explain(done: Sequence[CheckReport]) -> str:
    """Return the ID of the first check that failed or, where none did, warned; empty where all is well."""
    for outcome in (Outcome.FAIL, Outcome.WARN):
        if found := [one.id for one in done if one.result.outcome is outcome]:
            return found[0]
    return ""


def reported_cases(done: Sequence[CheckReport]) -> list[ReportedCase]:
    """Return the checks for a JUnit report."""
    return [
        ReportedCase(
            group=group_of(one.id),
            id=one.id,
            outcome=one.result.outcome,
            message=one.result.text,
            text=_in_full(one),
            seconds=one.seconds,
        )
        for one in done
    ]


def _in_full(report: CheckReport) -> str:
    result = report.result
    lines = [
        result.text,
        *(f"{label}: {text}" for label, text in result.seen),
        *(f"{heading_of_candidates(result)}: {candidate}" for candidate in result.candidates),
        *(f"fix: {step(fix)}" for fix in result.fix),
        *(f"otherwise: {step(other)}" for other in result.otherwise),
        f"more: zdemo doctor --explain {report.id}",
    ]
    return "\n".join(lines)
