"""The screen of ``zdemo demo``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from zdemo.cli.screen import WIDTH, Screen, headline
from zdemo.demo.scenario import DemoEnvironment, StepResult


def show_begin(screen: Screen, environment: DemoEnvironment) -> None:
    """Show where ZITADEL and the API are."""
    both = f"ZITADEL {environment.zitadel}    API {environment.api_url}"
    for line in [both] if len(both) <= WIDTH else both.split("    "):
        screen.say(line)
    screen.say()


def show_result(screen: Screen, number: int, result: StepResult) -> None:
    """Show one step: what was sent, what came, whether that was expected, and why."""
    step, seconds = result.step, result.seconds
    after = f", after {seconds:.1f} s" if seconds is not None and seconds >= 0.05 else ""
    verdict = "as expected" if result.passed else f"EXPECTED {step.expected}"
    words = screen.mark(f"{verdict}{after}", "green" if result.passed else "red")
    screen.say(f"{number:2}  {step.name:<38} {result.actual}   {words}")
    screen.say(f"      GET {step.route.path}, {step.caller.value}")
    screen.say(f"      {step.why}")


def show_end(screen: Screen, results: Sequence[StepResult], seconds: float, *, live: bool) -> None:
    """Show the total, and what to do next."""
    good = sum(result.passed for result in results)
    screen.say()
    screen.say(headline(f"{good} of {len(results)} as expected", f"{seconds:.1f} s"))
    if live:
        screen.say("next  zdemo setup                   creates the same, to keep, and writes .env")
    else:
        screen.say(f"next  {_command()} serve --emulator        runs both, and says what to try")


def _command() -> str:
    """Return the command as this shell knows it: by its path, where its folder is not on ``PATH``."""
    program = Path(sys.argv[0])
    return "zdemo" if shutil.which("zdemo") or program.name != "zdemo" else os.path.relpath(program)


def results_as_json(results: Sequence[StepResult]) -> str:
    """Return the same as one document."""
    rows = [
        {
            "name": result.step.name,
            "request": f"GET {result.step.route.path}, {result.step.caller.value}",
            "expected": result.step.expected,
            "actual": result.actual,
            "passed": result.passed,
            "seconds": None if result.seconds is None else round(result.seconds, 3),
            "why": result.step.why,
        }
        for result in results
    ]
    return json.dumps({"passed": all(result.passed for result in results), "steps": rows}, ensure_ascii=False)
