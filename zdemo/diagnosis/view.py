"""The words of a finding: every screen, document, report and log takes them from here, so that they never differ."""

from __future__ import annotations

from typing import NamedTuple

from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.errors.steps import Step, does, in_words

HEADINGS = {  # what stands above the candidates
    Certainty.OPEN: "one of these; they cannot be told apart from outside",
    Certainty.LIKELY: "it can also be",
    Certainty.CERTAIN: "",
}


class StepText(NamedTuple):
    """A step: the line that a person reads or pastes, and the remark that stands below it, or nothing."""

    line: str
    remark: str


class FindingText(NamedTuple):
    """A finding in words."""

    why: str
    heading: str
    candidates: tuple[str, ...]
    seen: tuple[tuple[str, str], ...]
    fix: tuple[StepText, ...]
    otherwise: tuple[StepText, ...]

    @property
    def steps(self) -> tuple[StepText, ...]:
        """The fix, and what to do otherwise."""
        return (*self.fix, *self.otherwise)

    @property
    def lines(self) -> list[str]:
        """The steps for programs: the lines alone."""
        return [step.line for step in self.steps]


def text_of(finding: Finding, blank: str = " ") -> FindingText:
    """Return the words of a finding; ``blank`` stands between the words of its commands."""
    return FindingText(
        why=why(finding),
        heading=HEADINGS[finding.certainty] if finding.candidates else "",
        candidates=finding.candidates,
        seen=finding.seen,
        fix=tuple(step_text(step, blank) for step in finding.fix),
        otherwise=tuple(step_text(step, blank) for step in finding.otherwise),
    )


def why(finding: Finding) -> str:
    """Return the cause, marked as likely when it is."""
    return f"most likely, {finding.cause}" if finding.likely else finding.cause


def step_text(step: Step, blank: str = " ") -> StepText:
    """Return the words of a step."""
    return StepText(in_words(step, blank), does(step))
