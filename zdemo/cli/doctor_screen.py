"""The screen of ``doctor``: a line for each check, with possible causes and fixes below it, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from zdemo.cli.screen import WIDTH, Screen, headline, printable, step, wrapped
from zdemo.diagnosis import Certainty
from zdemo.doctor import Check, CheckReport, Outcome

LABELS = {Outcome.PASS: "ok", Outcome.WARN: "warn", Outcome.FAIL: "FAIL", Outcome.SKIP: "skip"}
COLOURS = {Outcome.PASS: "green", Outcome.WARN: "yellow", Outcome.FAIL: "red", Outcome.SKIP: "bright_black"}
LABEL_WIDTH, ID_WIDTH = 6, 22
INDENT = " " * (LABEL_WIDTH + ID_WIDTH)
A_GLANCE = 8  # checks that fit on a screen with their failures
MOST_SEEN = 6  # lines of evidence; --json has all of them


def show_done(screen: Screen, done: CheckReport) -> None:
    """Show one check."""
    result = done.result
    first, *rest = wrapped(result.evidence, WIDTH - len(INDENT))
    label = screen.mark(LABELS[result.outcome], COLOURS[result.outcome])
    pad = " " * (LABEL_WIDTH - len(LABELS[result.outcome]))
    screen.say(f"{label}{pad}{done.id:<{ID_WIDTH}}{first}".rstrip())
    for line in rest:
        screen.say(f"{INDENT}{line}")
    if result.outcome in (Outcome.PASS, Outcome.SKIP):
        return
    if result.seen:
        _below(screen, "seen: ", "; ".join(f"{label}: {text}" for label, text in result.seen[:MOST_SEEN]))
    if result.candidates:
        can_be = "it can be: " if result.certainty is Certainty.OPEN else "perhaps: "
        for candidate in result.candidates:
            _below(screen, can_be, candidate)
            can_be = "       or: "
    _below(screen, "fix: ", *(f"{fix};" for fix in result.fix[:-1]), *result.fix[-1:])
    _below(screen, "see: ", done.anchor)


def _below(screen: Screen, lead: str, *texts: str) -> None:
    """Show each text on its own lines, all of them aligned behind ``lead``."""
    for text in texts:
        for line in wrapped(step(text), WIDTH - len(INDENT) - len(lead)):
            screen.say(f"{INDENT}{lead}{line}")
            lead = " " * len(lead)


def show_summary(screen: Screen, done: Sequence[CheckReport], seconds: float) -> None:
    """Show how many checks had which outcome; repeat what failed when it may have scrolled off the screen."""
    screen.say()
    screen.say(headline(summary(done), f"{seconds:.1f} s"))
    if len(done) <= A_GLANCE:
        return
    for one in done:
        if one.result.outcome is Outcome.FAIL:
            what = step((*one.result.fix, one.result.evidence)[0])
            screen.pairs([("failed", f"{one.id}: {what}")], label_width=LABEL_WIDTH)


def summary(done: Sequence[CheckReport]) -> str:
    """Return the numbers of outcomes, without zeros."""
    count = Counter(one.result.outcome for one in done)
    words = {
        Outcome.FAIL: "failed",
        Outcome.WARN: "warning" if count[Outcome.WARN] == 1 else "warnings",
        Outcome.PASS: "passed",
        Outcome.SKIP: "skipped",
    }
    return ", ".join(f"{count[outcome]} {word}" for outcome, word in words.items() if count[outcome])


def show_list(screen: Screen, checks: Sequence[Check[Any]], *, as_json: bool) -> None:
    """Show the IDs of checks and what they check."""
    if as_json:
        screen.document(
            {"checks": [{"id": c.id, "what": c.what, "needs": list(c.needs), "anchor": c.anchor} for c in checks]}
        )
        return
    for check in checks:
        first, *rest = wrapped(check.what, WIDTH - ID_WIDTH)
        screen.say(f"{check.id:<{ID_WIDTH}}{first}")
        for line in rest:
            screen.say(f"{' ' * ID_WIDTH}{line}")


def as_document(done: Sequence[CheckReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs; ``fix`` is one text, empty where nothing needs a fix."""
    return {
        "passed": not any(one.result.outcome is Outcome.FAIL for one in done),
        "summary": {outcome.value: sum(one.result.outcome is outcome for one in done) for outcome in Outcome},
        "seconds": round(seconds, 3),
        "checks": [
            {
                "id": one.id,
                "outcome": one.result.outcome.value,
                "evidence": printable(one.result.evidence),
                "fix": step("; ".join(one.result.fix)),
                "certainty": one.result.certainty.value,
                "candidates": [printable(text) for text in one.result.candidates],
                "seen": [printable(f"{label}: {text}") for label, text in one.result.seen],
                "anchor": one.anchor,
            }
            for one in done
        ],
    }
