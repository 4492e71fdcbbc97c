"""The screen of ``zdemo demo``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from zdemo.cli.screen import WIDTH, Screen, headline
from zdemo.demo.environment import Stage
from zdemo.demo.scenario import Step


def show_tour_begin(screen: Screen, stage: Stage) -> None:
    """Who is who."""
    both = f"ZITADEL {stage.zitadel}    API {stage.api_url}"
    for line in [both] if len(both) <= WIDTH else both.split("    "):
        screen.say(line)
    screen.say()


def show_step(screen: Screen, number: int, step: Step) -> None:
    """One step: what was sent, what came, whether that was expected, and why."""
    after = f", after {step.seconds:.1f} s" if step.seconds is not None and step.seconds >= 0.05 else ""
    verdict = "as expected" if step.passed else f"EXPECTED {step.leg.expected}"
    words = screen.mark(f"{verdict}{after}", "green" if step.passed else "red")
    screen.say(f"{number:2}  {step.leg.name:<38} {step.actual}   {words}")
    screen.say(f"      GET {step.leg.route.path}, {step.leg.caller.value}")
    screen.say(f"      {step.leg.why}")


def show_tour_end(screen: Screen, steps: Sequence[Step], seconds: float, *, live: bool) -> None:
    """The sum, and where to go from here."""
    good = sum(step.passed for step in steps)
    screen.say()
    screen.say(headline(f"{good} of {len(steps)} as expected", f"{seconds:.1f} s"))
    if live:
        screen.say("next  zdemo setup                   makes the same, to keep, and writes .env")
    else:
        screen.say(f"next  {_called()} serve --emulator        runs both, and says what to try")


def _called() -> str:
    """The command as this shell knows it: by its path, where its folder is not on ``PATH``."""
    program = Path(sys.argv[0])
    return "zdemo" if shutil.which("zdemo") or program.name != "zdemo" else os.path.relpath(program)


def tour_as_json(steps: Sequence[Step]) -> str:
    """The same as one document."""
    rows = [
        {
            "name": step.leg.name,
            "request": f"GET {step.leg.route.path}, {step.leg.caller.value}",
            "expected": step.leg.expected,
            "actual": step.actual,
            "passed": step.passed,
            "seconds": None if step.seconds is None else round(step.seconds, 3),
            "why": step.leg.why,
        }
        for step in steps
    ]
    return json.dumps({"passed": all(step.passed for step in steps), "steps": rows}, ensure_ascii=False)
