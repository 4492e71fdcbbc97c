"""Why a request was refused, as JSON: the words are those of ``zdemo.diagnosis``."""

import os
from dataclasses import replace
from typing import Any

from zdemo.client import Call
from zdemo.config.env_file import COMMANDS, steps_with_env_file
from zdemo.config.printable import printable
from zdemo.diagnosis import Finding, code_of
from zdemo.page.context import PageOptions
from zdemo.page.control import was_stopped

OF_THE_BODY = (400, 411, 413, 415)
START_AGAIN = "press Start ZITADEL: it was stopped on purpose"
ERROR_CODES, CHALLENGE = "RFC 6750 §3.1", "RFC 6750 §3"


def rule_of(call: Call) -> str:
    """Return the section of the RFC by which an API refuses like this; empty if it is none about tokens."""
    if code_of(call.answer):
        return ERROR_CODES
    return CHALLENGE if call.answer.status == 401 else ""


def finding_for_own_refusal(call: Call) -> Finding | None:
    """Return why the API itself refuses a request whatever its token; ``None`` for any other answer.

    What answers is known, so nothing else can be the cause.
    """
    answer, path = call.answer, printable(call.route.path)
    if code_of(answer):
        return None
    if answer.status == 404:
        return Finding(id="call.not_found", cause=f"the API has no path {path}")
    if answer.status == 405:
        allowed = printable(answer.headers.get("allow", ""))
        takes = f"; it takes {allowed}" if allowed else ""
        return Finding(id="call.method_not_allowed", cause=f"{path} does not take {call.method}{takes}")
    said = answer.json_object().get("error_description")
    if answer.status in OF_THE_BODY and isinstance(said, str):
        return Finding(id="call.invalid_request", cause=said)
    return None


def with_fix_if_stopped(finding: Finding, options: PageOptions) -> Finding:
    """Return why ZITADEL did not answer, with how to start an emulator that was stopped on purpose."""
    return replace(finding, fix=(START_AGAIN,), otherwise=()) if was_stopped(options) else finding


def why_document(finding: Finding, rule: str, options: PageOptions) -> dict[str, Any]:
    """Return a finding as the page shows it, with commands that work: they use ``steps_file``, or write it first."""
    file, first = options.steps_file, options.file_step
    needs_file = any(COMMANDS.search(step) for step in (*finding.fix, *finding.otherwise))
    finding = steps_with_env_file(finding, file)
    if first and needs_file and file and not os.path.lexists(file):
        finding = replace(finding, fix=(first, *finding.fix))
    return {
        "sentence": printable(finding.sentence),
        "rfc": rule,
        "certainty": finding.certainty,
        "candidates": [printable(text) for text in finding.candidates],
        "seen": [[printable(label), printable(text)] for label, text in finding.seen],
        "fix": [printable(step) for step in finding.steps],
    }
