"""``zdemo demo``: the tour, told step by step."""

from __future__ import annotations

import logging
import time

from zdemo.cli.demo_screen import show_step, show_tour_begin, show_tour_end, tour_as_json
from zdemo.cli.render import Screen
from zdemo.demo import tour
from zdemo.errors import ExitCode


def run_demo(*, as_json: bool) -> int:
    """``zdemo demo``."""
    logging.getLogger("zdemo").addHandler(logging.NullHandler())  # an API in an outage complains, as it should
    screen = Screen()
    steps = []
    start = time.monotonic()
    with tour() as stage:
        if not as_json:
            show_tour_begin(screen, stage)
        running = stage.steps()
        while True:
            with screen.waiting("the next step"):
                step = next(running, None)
            if step is None:
                break
            steps.append(step)
            if not as_json:
                show_step(screen, len(steps), step)
    passed = all(step.passed for step in steps)
    if as_json:
        screen.document(tour_as_json(steps))
    else:
        show_tour_end(screen, steps, time.monotonic() - start)
    return ExitCode.YES if passed else ExitCode.NO
