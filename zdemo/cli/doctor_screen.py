"""What ``zdemo doctor`` prints: a line for each group, then what failed in full, as far as it fits on one screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

from zdemo.cli.layout import WITHOUT_TERMINAL, behind, step
from zdemo.cli.marks import COLOURS, marks
from zdemo.cli.screen import Screen
from zdemo.diagnosis import Certainty
from zdemo.doctor import Check, CheckReport, Outcome, explains, group_of, line_of, outcome_of, selected

GROUP_WIDTH, ID_WIDTH, LABEL_WIDTH, INDENT = 14, 20, 12, 2
HEADING_WIDTH = INDENT + LABEL_WIDTH
MOST_LINES = 24
FORM = "token.form"  # a token of an odd form has a cause, which is found with it
LINES_BELOW = 3  # a blank one, the numbers, and where there is more
ALTERNATIVE = re.compile(
    r"(?:or|else|otherwise|if|only if|to find out|for an API)\b"
)  # begins a step that is not needed after the first
OTHER_VALUES = r" \([^()]*\)"  # what is shown of a hidden value, which a warning does not show


@dataclass(frozen=True, kw_only=True)
class Detail:
    """How much is said of what failed; of ``entries``, only so many are in full, and the others are named or not.

    ``warnings``: also those that explain no failure. ``tight``: the steps of a fix share their lines. ``alternatives``:
    steps that are not needed are shown too.
    """

    seen: int = 100
    tight: bool = False
    candidates: int = 100
    steps: int = 100
    entries: int = 100
    entries_in_full: int = 100
    warnings: bool = True
    names_others: bool = True
    alternatives: bool = False


TIGHT = Detail(seen=0, warnings=False, entries_in_full=1, entries=1, tight=True)
LEVELS = (
    Detail(),
    Detail(seen=2),
    Detail(seen=2, warnings=False),
    Detail(seen=0, warnings=False),
    *(Detail(seen=0, warnings=False, entries_in_full=1, entries=entries) for entries in (3, 2, 1)),
    TIGHT,
    replace(TIGHT, names_others=False),
    replace(TIGHT, names_others=False, steps=1),
    replace(TIGHT, names_others=False, steps=1, candidates=3),
    replace(TIGHT, names_others=False, entries_in_full=0),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A check that failed or warned, in lines: what stands at the left, and the text behind it."""

    id: str
    colour: str
    lines: Sequence[tuple[str, str]]


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
            _show_line(screen, report.result.outcome, f"{report.id:<{ID_WIDTH}}  ", report.result.evidence)
        yield from done


def _show_line(screen: Screen, outcome: Outcome, name: str, text: str) -> None:
    mark = screen.mark(marks(screen.stdout)[outcome], COLOURS[outcome])
    screen.behind(f"{mark} {name}", step(text))


def show_details(screen: Screen, done: Sequence[CheckReport], *, verbose: bool) -> None:
    """Show what failed and what warns, in full, or in as much detail as leaves all of it on one screen."""
    level = Detail(alternatives=True) if verbose else _fitting_level(screen, done)
    shown, also = _entries(done, level)
    for entry in shown:
        screen.say()
        for lead, text in entry.lines:
            screen.behind(lead.replace(entry.id, screen.mark(entry.id, entry.colour), 1), text)
    if also:
        screen.say()
        screen.behind(f"{'also':<{HEADING_WIDTH}}  ", ", ".join(also))


def _fitting_level(screen: Screen, done: Sequence[CheckReport]) -> Detail:
    """Return the first level whose lines fit, as they would at a terminal of the usual width."""
    room = MOST_LINES - LINES_BELOW - len({group_of(one.id) for one in done})
    return next((level for level in LEVELS if _height(screen, *_entries(done, level)) <= room), LEVELS[-1])


def _height(screen: Screen, entries: Sequence[Block], also: Sequence[str]) -> int:
    texts = [line for entry in entries for line in entry.lines]
    lines = sum(len(behind(lead, screen.redaction(text), WITHOUT_TERMINAL)) for lead, text in texts)
    return lines + len(entries) + (2 if also else 0)


def _entries(done: Sequence[CheckReport], level: Detail) -> tuple[list[Block], list[str]]:
    """Return the failures, each with the warnings that may explain it, and the other warnings; and what is left out.

    What has the same fix as one before it is the same fault. A warning that is left out stands in its group's line.
    """
    failures = [one for one in done if one.result.outcome is Outcome.FAIL]
    warnings = [one for one in done if one.result.outcome is Outcome.WARN]
    entries: list[Block] = []
    also, fixes = [], set[tuple[str, ...]]()
    for report in (*failures, *(warnings if level.warnings or not failures else ())):
        if report.result.fix in fixes:
            continue
        explaining = [warning for warning in warnings if explains(warning, report)]
        fixes.update(warning.result.fix for warning in explaining)
        fixes.add(report.result.fix)
        if len(entries) < level.entries:
            rows = [
                ("warning", _in_short(warning)) for warning in explaining if not _is_needless(report, warning, level)
            ]
            entries.append(_entry(report, rows, level, in_full=len(entries) < level.entries_in_full))
        elif level.names_others and report in failures:
            also.append(report.id)
    return entries, also


def _entry(report: CheckReport, before: list[tuple[str, str]], level: Detail, *, in_full: bool) -> Block:
    result = report.result
    lines = [(f"{report.id:<{HEADING_WIDTH}}  ", step(result.evidence))]
    lines += [_row(label, text) for label, text in (*before, *result.seen[: level.seen])]
    if in_full and (candidates := _candidates(report, level)):
        lines += [(_row("it can be" if result.certainty is Certainty.OPEN else "or else", "")[0], "")]
        lines += [(" " * 2 * INDENT, candidate) for candidate in candidates]
    steps = _steps(report, level, in_full=in_full)
    if level.tight and steps:
        lines += [(f"{' ' * INDENT}fix  ", "; ".join(map(step, steps)))]
    else:
        lines += [_row("" if number else "fix", fix) for number, fix in enumerate(steps)]
    return Block(id=report.id, colour=COLOURS[result.outcome], lines=lines)


def _row(label: str, text: str) -> tuple[str, str]:
    return f"{' ' * INDENT}{label:<{LABEL_WIDTH}}  ", text


def _candidates(report: CheckReport, level: Detail) -> list[str]:
    candidates = report.result.candidates
    more = len(candidates) - level.candidates
    return [*candidates[: level.candidates], *([f"{more} more: zdemo doctor -v"] if more > 0 else [])]


def _steps(report: CheckReport, level: Detail, *, in_full: bool) -> list[str]:
    """Return the steps of the fix that are needed: the first, and of the others those that are no alternatives."""
    first, others = report.result.fix[:1], report.result.fix[1:]
    needed = [*first, *(fix for fix in others if level.alternatives or (in_full and not ALTERNATIVE.match(fix)))]
    return needed[: level.steps]


def _in_short(warning: CheckReport) -> str:
    return ": ".join((warning.result.evidence, *(step(fix) for fix in warning.result.fix[:1])))


def _is_needless(failure: CheckReport, warning: CheckReport, level: Detail) -> bool:
    """Return whether the cause is known without the warning, or what is shown of the failure says the same."""
    if failure.result.certainty is Certainty.CERTAIN and warning.id == FORM:
        return True
    said = "; ".join((failure.result.evidence, *(text for _, text in failure.result.seen[: level.seen])))
    return re.sub(OTHER_VALUES, "", warning.result.evidence) in re.sub(OTHER_VALUES, "", said)


def show_summary(screen: Screen, done: Sequence[CheckReport], seconds: float, *, more: Sequence[str]) -> None:
    """Show how many checks had which outcome, and which commands show more."""
    screen.say()
    screen.headline(_numbers(done), f"{seconds:.1f} s")
    if more:
        screen.pairs([("more", ", ".join(more))], label_width=HEADING_WIDTH)


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
