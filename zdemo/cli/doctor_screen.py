"""What ``zdemo doctor`` prints: a line for each group, then what failed in full, as far as it fits on one screen."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, NamedTuple

from zdemo.cli.junit import ReportedCase
from zdemo.cli.layout import behind, step
from zdemo.cli.marks import COLOURS, marks
from zdemo.cli.screen import Screen
from zdemo.config.columns import WITHOUT_TERMINAL
from zdemo.diagnosis import Certainty
from zdemo.doctor import Check, CheckReport, Outcome, Result, explains, group_of, line_of, outcome_of, selected

GROUP_WIDTH, ID_WIDTH, LABEL_WIDTH, INDENT = 14, 20, 12, 2
HEADING_WIDTH = INDENT + LABEL_WIDTH
MOST_LINES = 24
LINES_BELOW = 3  # a blank one, the numbers, and where there is more
FORM = "token.form"  # a token of an odd form has a cause, which is found with it
HIDING = "settings.shadowed"
ABOUT_HIDDEN = ("certain", "hidden")  # evidence about hidden values, which is always shown


@dataclass(frozen=True, kw_only=True)
class Detail:
    """How much the screen says about what failed: at most ``entries`` of them in full, and the others by ID.

    ``warnings``: also those that explain no failure. ``otherwise``: also what to do where the fix is no help.
    """

    seen: int = 100
    steps: int = 100
    entries: int = 100
    warnings: bool = True
    otherwise: bool = False


BRIEF = Detail(seen=0, warnings=False)
LEVELS = (
    Detail(),
    Detail(seen=2),
    Detail(seen=0),
    BRIEF,
    *(replace(BRIEF, entries=entries) for entries in (3, 2, 1)),
    replace(BRIEF, entries=1, steps=1),
)


class Line(NamedTuple):
    """What stands at the left, the text behind it, and how far to the right it goes on in the next line."""

    lead: str
    text: str
    hang: int = 0


@dataclass(frozen=True, kw_only=True)
class Block:
    """A check that failed or warned, in lines."""

    id: str
    colour: str
    lines: Sequence[Line]


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
    """Show what failed and what warns, in as much detail as leaves it on one screen; return the IDs of the rest."""
    level = Detail(otherwise=True) if verbose else _fitting_level(screen, done)
    shown, also = _entries(done, level)
    for entry in shown:
        screen.say()
        for lead, text, hang in entry.lines:
            screen.behind(lead.replace(entry.id, screen.mark(entry.id, entry.colour), 1), text, hang=hang)
    return also


def _fitting_level(screen: Screen, done: Sequence[CheckReport]) -> Detail:
    """Return the first level whose lines fit, as they would at a terminal of the usual width."""
    room = MOST_LINES - LINES_BELOW - len({group_of(one.id) for one in done})
    return next((level for level in LEVELS if _height(screen, *_entries(done, level)) <= room), LEVELS[-1])


def _height(screen: Screen, entries: Sequence[Block], also: Sequence[str]) -> int:
    lines = [line for entry in entries for line in entry.lines]
    height = sum(len(behind(lead, screen.redaction(text), WITHOUT_TERMINAL, hang=hang)) for lead, text, hang in lines)
    return height + len(entries) + bool(also)


def _entries(done: Sequence[CheckReport], level: Detail) -> tuple[list[Block], list[str]]:
    """Return the failures, each with the warnings that may explain it, and the other warnings; and what is left out.

    A failure with the same fix as one before it is the same fault. A warning that is left out is in its group's line.
    """
    failures = [one for one in done if one.result.outcome is Outcome.FAIL]
    warnings = [one for one in done if one.result.outcome is Outcome.WARN]
    entries: list[Block] = []
    also, fixes = [], set[tuple[str, ...]]()
    for report in (*failures, *(warnings if level.warnings or not failures else ())):
        if report.result.fix in fixes:
            continue
        explaining = [warning for warning in warnings if warning is not report and explains(warning, report)]
        fixes.update(warning.result.fix for warning in explaining)
        fixes.add(report.result.fix)
        if len(entries) < level.entries:
            news = [warning for warning in explaining if not _is_needless(report, warning)]
            entries.append(_entry(report, news, level))
        elif report in failures:
            also.append(report.id)
    return entries, also


def _entry(report: CheckReport, warnings: Sequence[CheckReport], level: Detail) -> Block:
    result = report.result
    about_hidden = [row for row in result.seen if row[0] in ABOUT_HIDDEN]
    others = [row for row in result.seen if row[0] not in ABOUT_HIDDEN]
    lead = f"{report.id:<{HEADING_WIDTH}}  "
    lines = [Line(lead, step(result.evidence)), *(Line(" " * len(lead), step(text)) for text in result.also)]
    lines += [_row("warning", _in_short(warning)) for warning in warnings]
    lines += [_row(label, text) for label, text in (*about_hidden, *others[: level.seen])]
    if result.candidates:
        lines.append(Line(" " * INDENT + heading_of_candidates(result), ""))
    lines += [Line(" " * 2 * INDENT, text, hang=INDENT) for text in result.candidates]
    steps = (result.steps if level.otherwise else result.fix)[: level.steps]
    lines += [_row("" if number else "fix", text) for number, text in enumerate(steps)]
    return Block(id=report.id, colour=COLOURS[result.outcome], lines=lines)


def heading_of_candidates(result: Result) -> str:
    """Return what stands above the possible causes: they are all that is known, or alternatives to a likely one."""
    return "it can be" if result.certainty is Certainty.OPEN else "or else"


def _row(label: str, text: str) -> Line:
    return Line(f"{' ' * INDENT}{label:<{LABEL_WIDTH}}  ", text)


def _in_short(warning: CheckReport) -> str:
    result = warning.result
    if len(result.fix) > 1:  # one fix alone would seem to be that of what is said last
        return f"{result.text}: zdemo doctor --explain {warning.id}"
    return ": ".join((result.text, *map(step, result.fix)))


def _is_needless(failure: CheckReport, warning: CheckReport) -> bool:
    """Return whether the failure says what the warning says, or its cause is known without that."""
    if warning.id == HIDING:
        return any(label in ABOUT_HIDDEN for label, _ in failure.result.seen)
    return warning.id == FORM and failure.result.certainty is Certainty.CERTAIN


def show_summary(
    screen: Screen, done: Sequence[CheckReport], seconds: float, *, also: Sequence[str], more: Sequence[str]
) -> None:
    """Show how many checks had which outcome, which ones failed without being shown, and what shows more."""
    screen.say()
    screen.headline(_numbers(done), f"{seconds:.1f} s")
    rows = (("also", ", ".join(also)), ("more", ", ".join(more)))
    screen.pairs([row for row in rows if row[1]], label_width=HEADING_WIDTH)


def _numbers(done: Sequence[CheckReport]) -> str:
    """Return the numbers of outcomes, without zeros."""
    count = Counter(one.result.outcome for one in done)
    words = {
        Outcome.FAIL: "failed",
        Outcome.WARN: "warning" if count[Outcome.WARN] == 1 else "warnings",
        Outcome.PASS: "passed",
        Outcome.SKIP: "skipped",
    }
    return ", ".join(f"{count[outcome]} {word}" for outcome, word in words.items() if count[outcome])


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
