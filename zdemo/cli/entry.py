"""The one place that turns a command line into an exit code, and every error into ``error:`` and ``hint:``."""

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


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line with a bare ``--pat`` or ``--admin-pat`` at its end marked: Typer has no optional values."""
    out = list(arguments)
    if out and out[-1] in ("--pat", "--admin-pat"):
        out[-1] = f"{out[-1]}={ASK}"
    return out


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    open_what_is_closed()
    screen = Screen()
    screen.hide(*(piece for argument in arguments for piece in token_like(argument)))
    as_json = "--json" in arguments
    try:
        return _run(screen, arguments, as_json=as_json)
    except (typer.Abort, KeyboardInterrupt):  # at a question of Typer's, and before it runs
        screen.interrupted()
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        drop(sys.stdout)
    except Exception as fault:
        if why := why_unwritable(fault):
            screen.error(f"the answer cannot be written: {why}", "look at where standard output goes")
        else:
            screen.failure(*_fault_of_ours(fault), as_json=as_json)
        drop(sys.stdout)
    return int(ExitCode.NO)


def _run(screen: Screen, arguments: Sequence[str], *, as_json: bool) -> int:
    command = typer.main.get_command(app)
    try:
        result = command(args=prepared(arguments), prog_name="zdemo", standalone_mode=False, obj=screen)
    except CommandLineError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            screen.say(error.ctx.get_help())
        else:
            screen.failure(*wrong_command_line(error, command, arguments), as_json=as_json)
        return int(ExitCode.USAGE)
    except ZdemoError as error:
        screen.failure(error.message, error.hint, as_json=as_json)
        return int(error.exit_code)
    except FileNotFoundError:
        if _folder_is_there():
            raise
        screen.failure("the folder that zdemo runs in was deleted", "cd to a folder that is there", as_json=as_json)
        return int(ExitCode.NO)
    if result == INTERRUPTED:  # how Typer reports Ctrl-C
        screen.interrupted()
    return int(result) if isinstance(result, int) else int(ExitCode.YES)


def _folder_is_there() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _fault_of_ours(fault: Exception) -> tuple[str, str]:
    """What nobody foresaw, without its text: that may hold anything, a token too."""
    ours = [frame for frame in traceback.extract_tb(fault.__traceback__) if f"{os.sep}zdemo{os.sep}" in frame.filename]
    place = f"{ours[-1].filename.rpartition(f'{os.sep}zdemo{os.sep}')[2]}, line {ours[-1].lineno}" if ours else "zdemo"
    system = getattr(fault, "strerror", None)
    said = f"{type(fault).__name__} at {place}" + (f": {system}" if isinstance(system, str) else "")
    return f"zdemo has met what it does not know: {said}", "it is likely a fault of zdemo: please report this line"
