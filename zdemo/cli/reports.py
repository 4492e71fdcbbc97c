"""The reports of ``zdemo doctor`` and ``zdemo verify``: a line for each group, then in full what failed; and JUnit."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from zdemo.cli.screen import Screen
from zdemo.config.file_io import read_file
from zdemo.diagnosis.checks.check import Check, CheckReport, line_of, outcome_of, selected, worst_first
from zdemo.diagnosis.finding import Certainty, Outcome
from zdemo.diagnosis.view import brief, heading, in_full, plain_text, why
from zdemo.errors import ExitCode, UsageError, ZdemoError
from zdemo.errors.steps import Command
from zdemo.text.printable import printable
from zdemo.verify.case import ACCEPTS, Case, CaseReport, Group, Mark
from zdemo.verify.examine import grade, in_groups

SIGNS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.WARN: "!", Outcome.SKIP: "-"}
WORDS = {Outcome.PASS: "ok  ", Outcome.FAIL: "FAIL", Outcome.WARN: "warn", Outcome.SKIP: "skip"}
COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.WARN: "yellow", Outcome.SKIP: "bright_black"}
CHECK_WIDTH, CASE_WIDTH, LABEL_WIDTH, INDENT = 20, 30, 12, 2
HEADING_WIDTH = INDENT + LABEL_WIDTH
BLOCK: dict[str, Any] = {"indent": INDENT, "label_width": LABEL_WIDTH}


def _mark(screen: Screen, outcome: Outcome) -> str:
    """Return the outcome as a sign if standard output can show it, else as a word; all have the same width."""
    can_show = re.fullmatch("(?i)utf-?8", getattr(screen.stdout, "encoding", None) or "utf-8")
    return screen.mark((SIGNS if can_show else WORDS)[outcome], COLOURS[outcome])


def _heading(screen: Screen, name: str, outcome: Outcome) -> str:
    return screen.mark(f"{name:<{HEADING_WIDTH}}", COLOURS[outcome])


def _show_summary(
    screen: Screen, numbers: Sequence[tuple[int, str]], seconds: float, rows: Sequence[tuple[str, str]] = ()
) -> None:
    screen.say()
    screen.headline(", ".join(f"{number} {word}" for number, word in numbers if number), f"{seconds:.1f} s")
    screen.pairs([(label, text) for label, text in rows if text], label_width=HEADING_WIDTH)


def show_list(screen: Screen, kind: str, rows: Sequence[Mapping[str, Any]], text: str, *, as_json: bool) -> ExitCode:
    """Show the IDs of checks or cases by group, each with one ``text`` of its row."""
    if as_json:
        screen.document({kind: rows})
        return ExitCode.YES
    for group, members in groupby(rows, key=itemgetter("group")):
        screen.say(group)
        for row in members:
            screen.behind(f"  {row['id']:<{CASE_WIDTH}}", row[text])
    return ExitCode.YES


# --- doctor: what failed, its cause, the evidence, and the fix

GROUP_WIDTH = 14
MOST_SEEN, MOST_CANDIDATES, MOST_STEPS, MOST_PROBLEMS, MOST_NOTES = 2, 6, 3, 4, 3  # without --verbose


def stream_groups(
    screen: Screen, checks: Sequence[Check[Any]], reports: Iterator[CheckReport], only: Sequence[str], *, show: str = ""
) -> Iterator[CheckReport]:
    """Show ``groups``, ``checks`` or nothing as they are done, and yield the reports that are worth showing."""
    for name, members in groupby(selected(checks, only), key=lambda check: check.group):
        with screen.waiting(f"checking: {name}"):
            done = [report for report in islice(reports, len(list(members))) if report.worth_showing]
        if done and show == "groups":
            screen.behind(f"{_mark(screen, outcome_of(done))} {name:<{GROUP_WIDTH}}", line_of(done))
        for report in done if show == "checks" else ():
            lead = f"{_mark(screen, report.result.outcome)} {report.id:<{CHECK_WIDTH}}  "
            screen.behind(lead, in_full(report.result))
        yield from done


def show_checks(
    screen: Screen, done: Sequence[CheckReport], seconds: float, command: Command, *, verbose: bool = False
) -> None:
    """Show the worst failure with what may explain it, or else the first warning, on a screen with the groups' lines.

    ``verbose`` shows everything, as ``command`` would.
    """
    failures, warnings = (worst_first(done, outcome) for outcome in (Outcome.FAIL, Outcome.WARN))
    first = failures[0] if failures and not verbose else None
    notes = [w for w in warnings if first and w.check.explains == first.id and w.result.fix != first.result.fix]
    for report in [*failures, *warnings][: None if verbose else 1]:
        _show_check(screen, report, notes, verbose=verbose)
    count = Counter(report.result.outcome for report in done)
    numbers = [
        (len(done), "check" if len(done) == 1 else "checks"),
        (count[Outcome.FAIL], "failed"),
        (count[Outcome.WARN], "warning" if count[Outcome.WARN] == 1 else "warnings"),
        (count[Outcome.PASS], "passed"),
        (count[Outcome.SKIP], "skipped"),
    ]
    explain = [Command(f"doctor --explain {report.id}") for report in (failures or warnings)[:1]]
    _show_summary(screen, numbers, seconds)
    screen.steps("more", explain if verbose else [command][: len(explain)], label_width=HEADING_WIDTH)


def _show_check(screen: Screen, report: CheckReport, notes: Sequence[CheckReport], *, verbose: bool) -> None:
    """Show a finding; the fix is that of the ``notes``, the warnings that explain it, unless evidence decides."""
    result = report.result if verbose else brief(report.result)
    screen.say()
    screen.behind(f"{_heading(screen, report.id, result.outcome)}  ", why(result))
    for problem in result.problems[1 : None if verbose else MOST_PROBLEMS]:
        screen.behind(" " * (HEADING_WIDTH + 2), problem.text)
    is_decided = (result.certainty is Certainty.CERTAIN and result.seen) or result.only_emulator
    theirs = [step for note in notes if not is_decided for step in note.result.fix]
    own = result.steps if verbose else result.fix[:MOST_STEPS]
    texts = [*(problem.text for problem in result.because), *(in_full(note.result) for note in notes)]
    screen.pairs([("note", text) for text in texts[: None if verbose else MOST_NOTES]], **BLOCK)
    screen.steps("fix", own if verbose else theirs or own, **BLOCK)
    candidates = result.candidates if verbose else () if texts else result.candidates[:MOST_CANDIDATES]
    if candidates:
        screen.say(f"{' ' * INDENT}{heading(result)}")
    for text in candidates:
        screen.behind(" " * 2 * INDENT, text, hang=INDENT)
    screen.pairs(result.seen if verbose else () if texts or result.candidates else result.seen[:MOST_SEEN], **BLOCK)


# --- verify: what failed, then a grade for each group

CASE_GROUP_WIDTH, GRADE_WIDTH = 9, 8
MOST_IN_FULL, MOST_IN_GROUP, MOST_PRINTED, MOST_OF_LINE = 3, 2, 4, 200
MOST_SEEN_OF_CASE = 120  # characters, without --verbose
OUTCOMES = dict(zip(Mark, (Outcome.PASS, Outcome.FAIL, Outcome.WARN, Outcome.SKIP, Outcome.SKIP), strict=True))
COUNTED = {Mark.FAIL: "failed", Mark.UNASKED: "not asked", Mark.PASS: "passed", Mark.SKIP: "skipped"}


def described(case: Case) -> dict[str, str]:
    """Return what is known of a case before it is asked."""
    texts = {"asked": case.asked, "must": case.must, "source": case.source, "fix": case.fix, "needs": case.needs.value}
    return {"id": case.id, "group": case.group.value, **texts}


def show_cases(
    screen: Screen, reports: Sequence[CaseReport], seconds: float, printed: Sequence[str], *, verbose: bool
) -> None:
    """Show what failed, the worst first, with what the API ``printed`` if it refused everything; then the grades."""
    groups = in_groups(reports)
    failures = [report for report in chain(*groups.values()) if report.mark is Mark.FAIL]
    if failures and failures[0].verdict.says_all and not verbose:
        screen.behind(f"{_mark(screen, Outcome.FAIL)} ", failures[0].verdict.seen)
        return
    for report in chain(*groups.values()) if verbose else ():
        screen.behind(f"{_mark(screen, OUTCOMES[report.mark])} {report.case.id:<{CASE_WIDTH}}", report.verdict.seen)
    hints = [report for report in reports if report.mark is Mark.HINT]
    blocks = [*failures, *hints] if verbose else failures[:MOST_IN_FULL]
    for report in blocks:
        if verbose:
            screen.say()
        screen.behind(f"{_heading(screen, report.case.id, OUTCOMES[report.mark])}  ", report.case.asked)
        lines = printed[0 if verbose else -MOST_PRINTED :] if report.case.id == ACCEPTS else ()
        texts = [("" if number else "printed", shortened(screen, line)) for number, line in enumerate(lines)]
        screen.pairs([*_rows(report, verbose=verbose), *texts], **BLOCK)
    if blocks:
        screen.say()
    _show_grades(screen, groups)
    reasons: dict[str, list[str]] = {}
    for report in reports:
        if report.mark is Mark.UNASKED or (report.mark is Mark.SKIP and (verbose or not failures)):
            reasons.setdefault(report.verdict.seen, []).append(report.case.id)
    skipped = [(ids[0] if len(ids) == 1 else f"{len(ids)} cases", reason) for reason, ids in reasons.items()]
    rows = [("skipped", f"{names}: {reason}") for names, reason in skipped]
    rows += [("note", report.verdict.seen) for report in reports if report.verdict.is_note and not failures]
    if len(failures) > len(blocks):
        rows.append(("more", f"zdemo verify -v shows all {len(failures)}"))
    numbers = [(sum(report.mark is mark for report in reports), word) for mark, word in COUNTED.items()]
    _show_summary(screen, [*numbers, (len(hints), "hint" if len(hints) == 1 else "hints")], seconds, rows)


def _show_grades(screen: Screen, groups: Mapping[Group, Sequence[CaseReport]]) -> None:
    for group, members in groups.items():
        passed, counted = grade(members)
        if not counted:
            continue
        lead = f"{group.value:<{CASE_GROUP_WIDTH}}  {f'{passed} of {counted}':>{GRADE_WIDTH}}    "
        names = [report.case.id.partition(".")[2] for report in members if report.mark is Mark.FAIL]
        if len(names) > MOST_IN_GROUP + 1:
            names[MOST_IN_GROUP:] = [f"and {len(names) - MOST_IN_GROUP} others"]
        if names:
            lead += f"{_mark(screen, Outcome.FAIL)} "
        if any(report.mark is Mark.HINT for report in members):
            names = ["not counted: -v shows what failed, --strict counts it"]
        screen.behind(lead, ", ".join(names))


def shortened(screen: Screen, line: str) -> str:
    """Return a line of the API's output without secrets, and not too much of it."""
    return screen.redaction(line)[:MOST_OF_LINE]


def _rows(report: CaseReport, *, verbose: bool = True) -> list[tuple[str, str]]:
    case, seen = report.case, report.verdict.seen
    if not verbose and len(seen) > MOST_SEEN_OF_CASE:
        seen = f"{seen[:MOST_SEEN_OF_CASE]}…"
    return [("seen", seen), ("must", f"{case.must} ({case.source})" if verbose else case.must), ("fix", case.fix)]


def cases_as_document(reports: Sequence[CaseReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs."""
    groups = in_groups(reports)
    grades = {group: grade(members) for group, members in groups.items()}
    return {
        "passed": all(report.mark in (Mark.PASS, Mark.SKIP, Mark.HINT) for report in reports),
        "summary": {mark.value: sum(report.mark is mark for report in reports) for mark in Mark},
        "grades": {group.value: {"passed": passed, "of": of} for group, (passed, of) in grades.items()},
        "seconds": round(seconds, 3),
        "cases": [
            {**described(report.case), "outcome": report.mark.value, "seen": printable(report.verdict.seen)}
            for report in chain(*groups.values())
        ],
    }


# --- JUnit XML, which CI systems show: a suite for each group, a case for each check or question

STANDARD_OUTPUT = "-"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 cannot hold


class ReportedCase(NamedTuple):
    """One case of a report; ``text`` says all that is known of it."""

    group: str
    id: str
    outcome: Outcome
    message: str
    text: str
    seconds: float


def reported_checks(done: Sequence[CheckReport]) -> Iterator[ReportedCase]:
    """Yield the checks of doctor for a JUnit report."""
    for report in done:
        result, text = report.result, f"{plain_text(report.result)}\nmore: zdemo doctor --explain {report.id}"
        group, message = report.check.group, in_full(result)
        yield ReportedCase(group, report.id, result.outcome, message, text, report.seconds)


def reported_cases(reports: Sequence[CaseReport]) -> Iterator[ReportedCase]:
    """Yield the cases of verify for a JUnit report."""
    for report in chain(*in_groups(reports).values()):
        case, seen, outcome = report.case, report.verdict.seen, OUTCOMES[report.mark]
        message = f"{case.asked}: {seen}" if report.mark is Mark.FAIL else seen
        text = "\n".join(f"{label}: {text}" for label, text in _rows(report))
        yield ReportedCase(case.group.value, case.id, outcome, message, text, report.seconds)


def check_report(name: str, command: str, *, as_json: bool) -> None:
    """Raise UsageError if the file exists and is not a report of this command, or if its folder does not exist."""
    path, example = Path(name), f"e.g. --junit {command}.xml"
    if name == STANDARD_OUTPUT:
        if as_json:
            raise UsageError("--json and --junit - both write to standard output", hint="give --junit a file")
        return
    beginning = f'{DECLARATION}<testsuites name="zdemo {command}" '.encode()
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"--junit is not a file in an existing folder: {name}", hint=example)
        content, _ = read_file(path, len(beginning)) if path.is_file() else (b"", None)
    except OSError as error:
        raise ZdemoError(f"cannot read {name}: {error.strerror}", hint="choose another file") from None
    if content and not content.startswith(beginning):
        raise UsageError(f"--junit would overwrite {name}, which is not a report of zdemo {command}", hint=example)


def write_report(screen: Screen, name: str, command: str, cases: Iterable[ReportedCase], *, seconds: float) -> None:
    """Write the report of a command to a file, or to standard output."""
    text = _junit(command, [*cases], seconds, screen.redaction)
    if name == STANDARD_OUTPUT:
        screen.document(text)
        return
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ZdemoError(f"cannot write {name}: {error.strerror}", hint="choose another file") from None


def _junit(command: str, cases: Sequence[ReportedCase], seconds: float, hidden: Callable[[str], str]) -> str:
    root = Element("testsuites", {"name": f"zdemo {command}", **_counts(cases, seconds)})
    for group, members in groupby(cases, key=lambda case: case.group):
        grouped = list(members)
        total = sum(case.seconds for case in grouped)
        suite = SubElement(root, "testsuite", {"name": group, **_counts(grouped, total)})
        for case in grouped:
            name, time = f"zdemo.{command}.{group}", f"{case.seconds:.3f}"
            element = SubElement(suite, "testcase", classname=name, name=case.id, time=time)
            message, text = (NOT_XML.sub("", printable(hidden(text))) for text in (case.message, case.text))
            if case.outcome is Outcome.FAIL:
                SubElement(element, "failure", message=message).text = text
            elif case.outcome is Outcome.SKIP:
                SubElement(element, "skipped", message=message)
            else:
                SubElement(element, "system-out").text = f"warning: {text}" if case.outcome is Outcome.WARN else message
    indent(root)
    return DECLARATION + tostring(root, encoding="unicode")


def _counts(cases: Sequence[ReportedCase], seconds: float) -> dict[str, str]:
    failed, skipped = (sum(case.outcome is outcome for case in cases) for outcome in (Outcome.FAIL, Outcome.SKIP))
    numbers = {"tests": len(cases), "failures": failed, "errors": 0, "skipped": skipped}
    return {name: str(number) for name, number in numbers.items()} | {"time": f"{seconds:.3f}"}
