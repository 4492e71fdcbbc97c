"""Why a request was refused, as JSON: the words are those of ``zdemo.diagnosis``."""

from __future__ import annotations

from typing import Any

from zdemo.client import Call
from zdemo.config.printable import printable
from zdemo.diagnosis import Finding, code_of

ERROR_CODES, CHALLENGE = "RFC 6750 §3.1", "RFC 6750 §3"


def rule_of(call: Call) -> str:
    """Return the section of the RFC by which an API refuses like this; empty if it is none about tokens."""
    if code_of(call.answer):
        return ERROR_CODES
    return CHALLENGE if call.answer.status == 401 else ""


def why_document(finding: Finding, rule: str) -> dict[str, Any]:
    """Return a finding as the page shows it."""
    return {
        "sentence": printable(finding.sentence),
        "rfc": rule,
        "certainty": finding.certainty,
        "candidates": [printable(text) for text in finding.candidates],
        "seen": [[printable(label), printable(text)] for label, text in finding.seen],
        "fix": [printable(step) for step in finding.steps],
    }
