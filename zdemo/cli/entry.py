"""The one place that turns a command line into an exit code, and every error into ``error:`` and ``hint:``."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from copy import copy
from typing import Any

import typer

from zdemo.cli.app import app
from zdemo.cli.options import ASK
from zdemo.cli.redaction import token_like
from zdemo.cli.render import Screen
from zdemo.errors import ExitCode, ZdemoError

# Typer brings its own Click and exports of its errors only this one; its base is the error of any wrong command line.
CommandLineError: Any = typer.BadParameter.__mro__[1]

INTERRUPTED = 130  # what shells report for a program ended by SIGINT


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line with a bare ``--pat`` or ``--admin-pat`` at its end marked: Typer has no optional values."""
    out = list(arguments)
    if out and out[-1] in ("--pat", "--admin-pat"):
        out[-1] = f"{out[-1]}={ASK}"
    return out


def _needed(arguments: Sequence[str]) -> typer.Typer:
    """The app with the command that is called alone: Typer takes apart the signature of every command that it has."""
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    commands = [c for c in app.registered_commands if (c.name or getattr(c.callback, "__name__", "")) == name]
    groups = [g for g in app.registered_groups if g.name == name]
    if not commands and not groups:
        return app
    needed = copy(app)
    needed.registered_commands, needed.registered_groups = commands, groups
    return needed


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    screen = Screen()
    screen.hide(*(piece for argument in arguments for piece in token_like(argument)))
    try:
        command = typer.main.get_command(_needed(arguments))
        result = command(args=prepared(arguments), prog_name="zdemo", standalone_mode=False)
    except CommandLineError as error:
        return _wrong_command_line(screen, error)
    except ZdemoError as error:
        screen.error(error.message, error.hint)
        return int(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        _drop_output()
        return int(ExitCode.NO)
    except Exception as fault:
        screen.error(*_fault_of_ours(fault))
        _drop_output()
        return int(ExitCode.NO)
    return int(result) if isinstance(result, int) else int(ExitCode.YES)


def _drop_output() -> None:
    """What is still buffered must not raise again when Python ends."""
    if sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fault_of_ours(fault: Exception) -> tuple[str, str]:
    """What nobody foresaw, without its text: that may hold anything, a token too."""
    ours = [frame for frame in traceback.extract_tb(fault.__traceback__) if f"{os.sep}zdemo{os.sep}" in frame.filename]
    place = f"{ours[-1].filename.rpartition(f'{os.sep}zdemo{os.sep}')[2]}, line {ours[-1].lineno}" if ours else "zdemo"
    system = getattr(fault, "strerror", None)
    said = f"{type(fault).__name__} at {place}" + (f": {system}" if isinstance(system, str) else "")
    return f"zdemo has met what it does not know: {said}", "it is likely a fault of zdemo: please report this line"


def _wrong_command_line(screen: Screen, error: Any) -> int:
    """Say what is wrong without repeating what was typed: a token may stand in the wrong place."""
    kind = type(error).__name__
    command = error.ctx.command_path if error.ctx else "zdemo"
    name = _parameter_name(error)
    if kind == "NoArgsIsHelpError":
        screen.say(error.ctx.get_help())
        return int(ExitCode.USAGE)
    message = {
        "NoSuchOption": "there is no such option",
        "BadOptionUsage": "an option lacks its value, or has one that it does not take",
        "MissingParameter": f"{name} is missing",
        "BadParameter": f"the value of {name} is not one that it takes",
    }.get(kind, _usage_message(str(error.message)))
    screen.error(f"{message}", f"{command} --help")
    return int(ExitCode.USAGE)


def _parameter_name(error: Any) -> str:
    parameter = getattr(error, "param", None)
    if parameter is None:
        return "an argument"
    return str(parameter.opts[-1]) if parameter.param_type_name == "option" else str(parameter.human_readable_name)


def _usage_message(text: str) -> str:
    if text.startswith("No such command"):
        return "there is no such command"
    if text.startswith("Got unexpected extra argument"):
        return "there is an argument too many"
    return "the command line is wrong"
