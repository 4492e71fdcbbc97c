"""Reports as JUnit XML, which CI systems show: a suite for each group, a case for each check or question."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from zdemo.config.file_io import read_file
from zdemo.diagnosis.checks.check import Outcome
from zdemo.errors import UsageError, ZdemoError
from zdemo.text.printable import printable

OPTION = "--junit"
STANDARD_OUTPUT = "-"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
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
    beginning = f'{DECLARATION}<testsuites name="zdemo {command}" '.encode()
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
    root = Element("testsuites", {"name": f"zdemo {command}", **_counts(cases, seconds)})
    for group, found in groupby(cases, key=lambda case: case.group):
        suite = list(found)
        counts = _counts(suite, sum(case.seconds for case in suite))
        parent = SubElement(root, "testsuite", {"name": group, **counts})
        for case in suite:
            _add(parent, command, case, hidden)
    return _text(root)


def junit_of_error(command: str, error: ZdemoError, seconds: float, hidden: Callable[[str], str]) -> str:
    """Return the report of a command that ended with an error before its first case; ``hidden`` removes secrets."""
    time = f"{seconds:.3f}"
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": time}
    root = Element("testsuites", {"name": f"zdemo {command}", **counts})
    suite = SubElement(root, "testsuite", {"name": command, **counts})
    case = SubElement(suite, "testcase", classname=f"zdemo.{command}", name="start", time=time)
    message, hint = (_clean(text, hidden) for text in (error.message, error.hint))
    SubElement(case, "error", message=message).text = f"hint: {hint}"
    return _text(root)


def _counts(cases: Sequence[ReportedCase], seconds: float) -> dict[str, str]:
    failed, skipped = (sum(case.outcome is outcome for case in cases) for outcome in (Outcome.FAIL, Outcome.SKIP))
    numbers = {"tests": len(cases), "failures": failed, "errors": 0, "skipped": skipped}
    return {name: str(number) for name, number in numbers.items()} | {"time": f"{seconds:.3f}"}


def _add(suite: Element, command: str, case: ReportedCase, hidden: Callable[[str], str]) -> None:
    name = f"zdemo.{command}.{case.group}"
    element = SubElement(suite, "testcase", classname=name, name=case.id, time=f"{case.seconds:.3f}")
    message, text = _clean(case.message, hidden), _clean(case.text, hidden)
    if case.outcome is Outcome.FAIL:
        SubElement(element, "failure", message=message).text = text
    elif case.outcome is Outcome.SKIP:
        SubElement(element, "skipped", message=message)
    else:
        SubElement(element, "system-out").text = f"warning: {text}" if case.outcome is Outcome.WARN else message


def _clean(text: str, hidden: Callable[[str], str]) -> str:
    return NOT_XML.sub("", printable(hidden(text)))


def _text(root: Element) -> str:
    indent(root)
    return DECLARATION + tostring(root, encoding="unicode")
