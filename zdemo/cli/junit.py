"""The reports of doctor as JUnit XML, which CI systems show: a suite for each group, a case for each check."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from zdemo.cli.doctor_screen import heading_of_candidates
from zdemo.cli.layout import step
from zdemo.config.files import read_file
from zdemo.config.printable import printable
from zdemo.doctor import CheckReport, Outcome, group_of
from zdemo.errors import UsageError, ZdemoError

OPTION = "--junit"
EXAMPLE = f"e.g. {OPTION} doctor.xml"
STANDARD_OUTPUT = "-"
BEGINNING = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="zdemo doctor" '
NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 cannot hold


def check_report_path(name: str) -> None:
    """Raise UsageError if the file exists and is not such a report, or if its folder does not exist."""
    path = Path(name)
    if name == STANDARD_OUTPUT:
        return
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"{OPTION} is not a file in an existing folder: {name}", hint=EXAMPLE)
        beginning = read_file(path, len(BEGINNING))[0] if path.is_file() else b""
    except OSError as error:
        raise ZdemoError(f"cannot read {name}: {error.strerror}", hint="choose another file") from None
    if beginning and not beginning.startswith(BEGINNING.encode()):
        raise UsageError(f"{OPTION} would overwrite {name}, which is not a report of zdemo doctor", hint=EXAMPLE)


def write_report(name: str, text: str) -> None:
    """Write the report to a file."""
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ZdemoError(f"cannot write {name}: {error.strerror}", hint="choose another file") from None


def junit(done: Sequence[CheckReport], seconds: float, hidden: Callable[[str], str]) -> str:
    """Return the report; ``hidden`` removes secrets from a text."""
    suites = [_suite(name, list(reports), hidden) for name, reports in groupby(done, key=lambda one: group_of(one.id))]
    return "\n".join((f"{BEGINNING}{_counts(done, seconds)}>", *suites, "</testsuites>"))


def _counts(reports: Sequence[CheckReport], seconds: float) -> str:
    failed, skipped = (
        sum(one.result.outcome is outcome for one in reports) for outcome in (Outcome.FAIL, Outcome.SKIP)
    )
    return f'tests="{len(reports)}" failures="{failed}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'


def _suite(name: str, reports: Sequence[CheckReport], hidden: Callable[[str], str]) -> str:
    counts = _counts(reports, sum(one.seconds for one in reports))
    cases = "\n".join(_case(name, one, hidden) for one in reports)
    return f'  <testsuite name="{name}" {counts}>\n{cases}\n  </testsuite>'


def _case(group: str, report: CheckReport, hidden: Callable[[str], str]) -> str:
    def clean(text: str) -> str:
        return escape(NOT_XML.sub("", printable(hidden(text))))

    result = report.result
    message = f'"{clean(result.evidence)}"'
    if result.outcome is Outcome.FAIL:
        inner = f"<failure message={message}>{clean(_in_full(report))}</failure>"
    elif result.outcome is Outcome.SKIP:
        inner = f"<skipped message={message}/>"
    else:
        warning = f"warning: {_in_full(report)}" if result.outcome is Outcome.WARN else result.evidence
        inner = f"<system-out>{clean(warning)}</system-out>"
    name = f'classname="zdemo.doctor.{group}" name="{report.id}" time="{report.seconds:.3f}"'
    return f"    <testcase {name}>{inner}</testcase>"


def _in_full(report: CheckReport) -> str:
    result = report.result
    lines = [
        result.evidence,
        *(f"{label}: {text}" for label, text in result.seen),
        *(f"{heading_of_candidates(result)}: {candidate}" for candidate in result.candidates),
        *(f"fix: {step(fix)}" for fix in result.fix),
        *(f"otherwise: {step(other)}" for other in result.otherwise),
        f"more: zdemo doctor --explain {report.id}",
    ]
    return "\n".join(lines)
