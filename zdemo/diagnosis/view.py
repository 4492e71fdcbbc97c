"""The words of a finding: every screen, document, report and log takes them from here, so that they never differ."""

from dataclasses import replace
from typing import Any

from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.errors.problem import ProblemKind
from zdemo.errors.steps import Paste, Step, does, in_lines, in_words
from zdemo.text.printable import printable

OPEN = "one of these; they cannot be told apart from outside"


def why(finding: Finding) -> str:
    """Return the cause, marked when it is likely, or when only the emulator tells it."""
    mark = " (only the emulator tells: a real ZITADEL would not)" if finding.only_emulator else ""
    return f"most likely, {finding.cause}" if finding.likely else f"{finding.cause}{mark}"


def brief(finding: Finding) -> Finding:
    """Return the finding with its first cause alone: what is wrong with the settings, if that explains it.

    Where that is one value that hides another, which may be meant, the fix of the cause stays if it is known, or for a
    token, which ends some time.
    """
    steps = tuple(step for problem in finding.because for step in problem.steps)
    if [problem.kind for problem in finding.because] == [ProblemKind.HIDDEN]:
        is_known = finding.certainty is not Certainty.OPEN or "PAT" in finding.because[0].names
        steps += finding.fix if is_known else ()
    return replace(finding, fix=steps, otherwise=(), candidates=(), seen=()) if steps else finding


def in_full(finding: Finding) -> str:
    """Return the cause, and all other problems of the settings, on one line."""
    return "; ".join((why(finding), *(problem.text for problem in finding.problems[1:])))


def heading(finding: Finding) -> str:
    """Return what stands above the candidates; empty where there are none."""
    if not finding.candidates:
        return ""
    return OPEN if finding.certainty is Certainty.OPEN else "it can also be"


def plain_text(finding: Finding) -> str:
    """Return all that is known, a line each and remarks below, for reports and logs."""
    lines = [in_full(finding), *(f"note: {problem.text}" for problem in finding.because)]
    lines += [f"{label}: {text}" for label, text in finding.seen]
    lines += [f"fix: {in_lines(step)}" for problem in finding.because for step in problem.steps]
    lines += [f"{heading(finding)}: {candidate}" for candidate in finding.candidates]
    lines += [f"fix: {in_lines(step)}" for step in finding.fix]
    return "\n".join([*lines, *(f"otherwise: {in_lines(step)}" for step in finding.otherwise)])


def document(finding: Finding) -> dict[str, Any]:
    """Return what every document for programs, and the page, says of a finding."""
    return {
        "finding": finding.id or None,
        "because": [printable(problem.text) for problem in finding.because],
        "certainty": finding.certainty.value,
        "candidates": [printable(text) for text in finding.candidates],
    }


def reason(finding: Finding | None) -> dict[str, Any]:
    """Return why a token is refused, for the documents of ``call`` and ``introspect``; for an accepted one, nothing."""
    if finding is None:
        return {"finding": None, "because": [], "why": None, "certainty": None, "candidates": [], "next": []}
    steps = [printable(in_words(step)) for step in finding.steps]
    return {**document(finding), "why": printable(why(finding)), "next": steps}


def step_document(step: Step) -> dict[str, Any]:
    """Return a step for the page."""
    return {"line": in_words(step), "remark": does(step), "is_command": isinstance(step, Paste)}
