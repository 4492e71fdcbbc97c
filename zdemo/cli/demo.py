"""``zdemo demo``: the tour, step by step."""

from __future__ import annotations

import logging
import signal
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.demo_screen import show_step, show_tour_begin, show_tour_end, tour_as_json
from zdemo.cli.options import EnvFile, Json
from zdemo.cli.screen import Screen, printable
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources
from zdemo.config.environment import read_environment
from zdemo.config.settings import AdminSettings
from zdemo.demo.environment import Stage
from zdemo.errors import ExitCode, SettingsError

SIGNALLED = 128  # what shells add to the number of the signal that ended a program
LIVE_HINT = (
    "set {what} in the environment or in .env: docs/setup.md says where to get them, and starts a ZITADEL if there is "
    "none; zdemo demo alone needs nothing"
)


def demo(
    ctx: typer.Context,
    as_json: Json = False,
    live: Annotated[
        bool, typer.Option("--live", help="At your own ZITADEL, with objects that are removed at the end.")
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """See it all work, with nothing configured.

    The API and a built-in ZITADEL emulator, eleven requests over real HTTP, and the reason for each answer.

    Example: zdemo demo
    """
    screen: Screen = ctx.obj
    logging.getLogger("zdemo").addHandler(logging.NullHandler())  # an API logs its outage, and this demo makes one
    if not live:
        from zdemo.demo.emulated import emulated_tour  # here, since the other tour needs no emulator

        return _go_through(screen, emulated_tour(), as_json=as_json, live=False)
    from zdemo.demo.interruption import Interrupted

    try:
        return _go_through(screen, _live(screen, env_file), as_json=as_json, live=True)
    except Interrupted as signalled:
        if signalled.number != signal.SIGINT:  # Ctrl-C is told where it is told for every command
            screen.tell("interrupted")
        return SIGNALLED + signalled.number


def _live(screen: Screen, env_file: Path | None) -> AbstractContextManager[Stage]:
    """Raises SettingsError with every setting that is missing or wrong."""
    from zdemo.demo.live import Told, live_tour

    environment = read_environment(env_file)
    hide_secrets(screen, environment)
    try:
        settings = AdminSettings.from_env(environment)
    except SettingsError as error:
        what = "it" if len(error.problems) == 1 else "them"
        raise SettingsError(error.problems, hint=LIVE_HINT.format(what=what)) from None
    tell_mixed_sources(screen, environment, "ZITADEL_ADMIN_PAT", "ZITADEL_DOMAIN")
    return live_tour(settings, Told(tell=lambda text: screen.tell(printable(text)), hide=screen.hide))


def _go_through(screen: Screen, tour: AbstractContextManager[Stage], *, as_json: bool, live: bool) -> int:
    steps = []
    start = time.monotonic()
    with tour as stage:
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
    if as_json:
        screen.document(tour_as_json(steps))
    else:
        show_tour_end(screen, steps, time.monotonic() - start, live=live)
    return ExitCode.YES if all(step.passed for step in steps) else ExitCode.NO
