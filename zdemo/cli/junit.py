"""Reports as JUnit XML, which CI systems show: a suite for each group, a case for each check or question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from zdemo.config.files import read_file
from zdemo.config.printable import printable
from zdemo.doctor import Outcome
from zdemo.errors import UsageError, ZdemoError

OPTION = "--junit"
STANDARD_OUTPUT = "-"
BEGINNING = '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="zdemo {command}" '
NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 cannot hold


@dataclass(frozen=True, kw_only=True)
class ReportedCase:
    """One case of a report; ``text`` says all that is known of it."""

    group: str
    id: str
    outcome: Outcome
    message: str
    text: str
    seconds: float


def check_report(name: str, command: str, *, as_json: bool) -> None:
    """Raise UsageError if the file exists and is not a report of this command, or if its folder does not exist."""
    path, example = Path(name), f"e.g. {OPTION} {command}.xml"
    if name == STANDARD_OUTPUT:
        if as_json:
            raise UsageError("--json and --junit - both write to standard output", hint="give --junit a file")
        return
    beginning = BEGINNING.format(command=command).encode()
    try:
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"{OPTION} is not a file in an existing folder: {name}", hint=example)
        found = read_file(path, len(beginning))[0] if path.is_file() else b""
    except OSError as error:
        raise ZdemoError(f"cannot read {name}: {error.strerror}", hint="choose another file") from None
    if found and not found.startswith(beginning):
        raise UsageError(f"{OPTION} would overwrite {name}, which is not a report of zdemo {command}", hint=example)


def write_report(name: str, text: str) -> None:
    """Write the report to a file."""
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ZdemoError(f"cannot write {name}: {error.strerror}", hint="choose another file") from None


def junit(command: str, cases: Sequence[ReportedCase], seconds: float, hidden: Callable[[str], str]) -> str:
    """Return the report of a command; ``hidden`` removes secrets from a text."""
    suites = [
        _suite(command, group, list(found), hidden) for group, found in groupby(cases, key=lambda case: case.group)
    ]
    return "\n".join((f"{BEGINNING.format(command=command)}{_counts(cases, seconds)}>", *suites, "</testsuites>"))


def junit_of_error(command: str, error: ZdemoError, seconds: float, hidden: Callable[[str], str]) -> str:
    """Return the report of a command that ended with an error before its first case; ``hidden`` removes secrets."""
    counts = f'tests="1" failures="0" errors="1" skipped="0" time="{seconds:.3f}"'
    message, hint = (_clean(text, hidden) for text in (error.message, error.hint))
    return "\n".join(
        (
            f"{BEGINNING.format(command=command)}{counts}>",
            f'  <testsuite name="{command}" {counts}>',
            f'    <testcase classname="zdemo.{command}" name="start" time="{seconds:.3f}">'
            f'<error message="{message}">hint: {hint}</error></testcase>',
            "  </testsuite>",
            "</testsuites>",
        )
    )


def _clean(text: str, hidden: Callable[[str], str]) -> str:
    return escape(NOT_XML.sub("", printable(hidden(text))))


def _counts(cases: Sequence[ReportedCase], seconds: float) -> str:
    failed, skipped = (sum(case.outcome is outcome for case in cases) for outcome in (Outcome.FAIL, Outcome.SKIP))
    return f'tests="{len(cases)}" failures="{failed}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'


def _suite(command: str, group: str, cases: Sequence[ReportedCase], hidden: Callable[[str], str]) -> str:
    counts = _counts(cases, sum(case.seconds for case in cases))
    lines = "\n".join(_case(command, case, hidden) for case in cases)
    return f'  <testsuite name="{group}" {counts}>\n{lines}\n  </testsuite>'


def _case(command: str, case: ReportedCase, hidden: Callable[[str], str]) -> str:
    message = f'"{_clean(case.message, hidden)}"'
    if case.outcome is Outcome.FAIL:
        inner = f"<failure message={message}>{_clean(case.text, hidden)}</failure>"
    elif case.outcome is Outcome.SKIP:
        inner = f"<skipped message={message}/>"
    else:
        warning = f"warning: {case.text}" if case.outcome is Outcome.WARN else case.message
        inner = f"<system-out>{_clean(warning, hidden)}</system-out>"
    name = f'classname="zdemo.{command}.{case.group}" name="{case.id}" time="{case.seconds:.3f}"'
    return f"    <testcase {name}>{inner}</testcase>"
