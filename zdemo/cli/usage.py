"""What is wrong with a command line, in words.

A module of its own because of what it must not do: repeat what was typed, since a token may stand in the wrong place.
Our own names are no secrets, so it says those: of the option that lacks its value, of the values that an argument
takes, of the command that is nearest to the one that there is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import typer

NEAR = 0.75  # of 1: --bogus is not --verbose
# Typer brings its own Click and exports of its errors only this one; its base is the error of any wrong command line.
CommandLineError: Any = typer.BadParameter.__mro__[1]


def wrong_command_line(error: Any, root: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """Message and hint for an error of Click; ``root`` is the program as Click's command."""
    path, command = _meant(root, arguments)
    if error.ctx:
        path, command = error.ctx.command_path, error.ctx.command
    return _message(error, path, command, arguments), f"{path} --help"


def nearest(typed: Iterable[str], names: Sequence[str]) -> str:
    """Which of our names is near to something that was typed; empty when none is."""
    near = [match for word in typed if word not in names for match in get_close_matches(word, names, 1, NEAR)]
    return f"; did you mean {near[0]}?" if near else ""


def _meant(root: Any, arguments: Sequence[str]) -> tuple[str, Any]:
    """The command that the words name, and its path: of an option without its value Click does not say whose it is."""
    path, command = "zdemo", root
    for word in arguments:
        inner = command.get_command(None, word) if hasattr(command, "get_command") else None
        if inner is not None:
            path, command = f"{path} {word}", inner
    return path, command


def _message(error: Any, path: str, command: Any, arguments: Sequence[str]) -> str:
    kind, text = type(error).__name__, str(error.message)
    if kind == "NoSuchOption":
        return f"{path} has no such option{nearest([error.option_name], _options(command))}"
    if kind == "BadOptionUsage":
        name = error.option_name if error.option_name in _options(command) else "an option"
        return f"{name} takes no value" if "does not take" in text else f"{name} lacks its value"
    if kind in ("MissingParameter", "BadParameter"):
        parameter = getattr(error, "param", None)
        state = "is missing" if kind == "MissingParameter" else "has a value that it does not take"
        return f"{_name(parameter)} {state}{_takes(parameter)}"
    if text.startswith("No such command"):
        names = command.list_commands(error.ctx)
        return "there is no such command" + (nearest(arguments, names) or f": {path} has {_listed(names, 'and')}")
    if text.startswith("Got unexpected extra argument"):
        names = [_name(p) for p in command.params if p.param_type_name == "argument"]
        return f"there is an argument too many: {path} takes {_listed(names, 'and') or 'none'}"
    return "the command line is wrong"


def _options(command: Any) -> list[str]:
    return [name for p in command.params if p.param_type_name == "option" for name in p.opts]


def _name(parameter: Any) -> str:
    if parameter is None:
        return "an argument"
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.human_readable_name)


def _takes(parameter: Any) -> str:
    """Which values a parameter takes, where they can be told in a few words."""
    kind = getattr(parameter, "type", None)
    if choices := getattr(kind, "choices", None):
        return f": give {_listed([str(getattr(choice, 'value', choice)) for choice in choices], 'or')}"
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    return "" if least is None or most is None else f": give a whole number from {least} to {most}"


def _listed(names: Sequence[str], last: str) -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)
