"""Turn a command line into an exit code, and every error into ``error:`` and ``hint:``."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer

from zdemo.cli.app import app
from zdemo.cli.options import ASK
from zdemo.cli.screen import Screen
from zdemo.cli.streams import drop, open_what_is_closed, why_unwritable
from zdemo.cli.usage import CommandLineError, wrong_command_line
from zdemo.config.masking import token_like
from zdemo.errors import ExitCode, ZdemoError

INTERRUPTED = 130  # what shells report for a program ended by SIGINT


def run(arguments: Sequence[str]) -> int:
    """Run one command line, and return its exit code."""
    open_what_is_closed()
    screen = Screen()
    screen.hide(*(piece for argument in arguments for piece in token_like(argument)))
    as_json = "--json" in arguments
    try:
        return _run(screen, arguments, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):  # at a question of Typer's, and before Typer runs
        screen.interrupted()
        return INTERRUPTED
    except ZdemoError as error:
        screen.failure(error.message, error.hint, as_json=as_json)
        return int(error.exit_code)
    except Exception as fault:
        why = why_unwritable(fault)
        if why is None:
            screen.failure(*_unforeseen(fault), as_json=as_json)
        elif why:
            screen.error(f"the answer cannot be written: {why}", "look at where standard output goes")
        drop(sys.stdout)
    return int(ExitCode.NO)


def _run(screen: Screen, arguments: Sequence[str], *, as_json: bool) -> int:
    program = typer.main.get_command(app)
    try:
        result = program(args=_with_asking(arguments), prog_name="zdemo", standalone_mode=False, obj=screen)
    except CommandLineError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            screen.say(error.ctx.get_help())
        else:
            screen.failure(*wrong_command_line(error, program, arguments), as_json=as_json)
        return int(ExitCode.USAGE)
    if result == INTERRUPTED:  # how Typer reports Ctrl-C
        screen.interrupted()
    return int(result) if isinstance(result, int) else int(ExitCode.YES)


def _with_asking(arguments: Sequence[str]) -> list[str]:
    """Mark a bare ``--pat`` or ``--admin-pat`` at the end: Typer has no optional values."""
    *others, last = arguments or [""]
    return [*others, f"{last}={ASK}"] if last in ("--pat", "--admin-pat") else list(arguments)


def _unforeseen(fault: Exception) -> tuple[str, str]:
    """Return message and hint for an error that was not raised on purpose.

    Without its text, which may hold anything, a token too.
    """
    if isinstance(fault, FileNotFoundError) and not _folder_exists():
        return "the folder that zdemo runs in was deleted", "cd to a folder that exists"
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if f"{os.sep}zdemo{os.sep}" in f.filename]
    place = "zdemo"
    if frames:
        place = f"{frames[-1].filename.rpartition(f'{os.sep}zdemo{os.sep}')[2]}, line {frames[-1].lineno}"
    system = getattr(fault, "strerror", None)
    what = f"{type(fault).__name__} at {place}" + (f": {system}" if isinstance(system, str) else "")
    return f"unexpected error: {what}", "this is likely a bug in zdemo: report this line"


def _folder_exists() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True
