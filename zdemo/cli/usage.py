"""What is wrong with a command line: Click's errors in the words of zdemo."""

import re
from ast import literal_eval
from collections.abc import Sequence
from typing import Any

import typer

from zdemo.cli.suggestions import argument_hint, command_hint, near, odd_dash, option_hint, options_of, typed_option
from zdemo.errors import UsageError

# Typer has its own copy of Click and exports one of its errors; its base is the error of any wrong command line.
CommandLineError: Any = typer.BadParameter.__mro__[1]
WORDS = (  # Click's, and zdemo's
    (r"(?s)Got unexpected extra argument\(?s?\)? \((.*)\)", r"unexpected argument: \1"),
    (r"Option '(.*)' requires an argument", r"option \1 needs a value"),
    (r"Option '(.*)' does not take a value", r"option \1 takes no value"),
)


def refuse_odd_dashes(program: Any, arguments: Sequence[str]) -> None:
    """Raise UsageError for an option with a dash that is not a hyphen: it would be taken for another argument."""
    if all(map(str.isascii, arguments)):
        return
    if odd := odd_dash(arguments, options_of(called(program, arguments)[1])):
        raise UsageError(odd[0], hint=odd[1])


def wrong_command_line(error: Any, program: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """Return message and hint for an error of Click."""
    path, command = (error.ctx.command_path, error.ctx.command) if error.ctx else called(program, arguments)
    if type(error).__name__ == "NoSuchOption":
        option = typed_option(error.option_name, arguments)
        message, hint = f"no such option: {option}", option_hint(option, path, command, program, arguments)
    elif found := re.fullmatch(r"No such command (.*?)\.?", error.message, re.DOTALL):
        word = str(literal_eval(found[1]))
        message, hint = f"no such command: {word}", command_hint(word, command, arguments)
    else:
        message, hint = _message(error)
        hint = hint or argument_hint(message.removeprefix("unexpected argument: "), command)
    return message, hint or f"{path} --help"


def called(program: Any, arguments: Sequence[str]) -> tuple[str, Any]:
    """Return the command that the words name, and its path: Click does not say whose option lacks its value."""
    path, command = "zdemo", program
    for word in arguments:
        inner = command.get_command(None, word) if hasattr(command, "get_command") else None
        if inner is not None:
            path, command = f"{path} {word}", inner
    return path, command


def _message(error: Any) -> tuple[str, str]:
    """Return the message, and a hint if a value is near a right one."""
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "MissingParameter" and parameter:
        return f"missing {parameter.param_type_name}: {_name(parameter)}{_takes(parameter)}", ""
    if kind == "BadParameter" and parameter:
        return _bad_value(error.message, parameter)
    message = error.message.removesuffix(".")
    for pattern, words in WORDS:
        message = re.sub(pattern, words, message)
    return message[:1].lower() + message[1:], ""


def _bad_value(message: str, parameter: Any) -> tuple[str, str]:
    found = re.match(r"(?s)(.*) is not (?:one of|in the range|a valid)", message)
    typed = found[1] if found else ""
    typed = str(literal_eval(typed)) if typed[:1] in ("'", '"') else typed
    choices = getattr(parameter.type, "choices", ())
    meant = near(typed, [str(getattr(choice, "value", choice)) for choice in choices])
    what = f"invalid value for {_name(parameter)}"
    if choices and parameter.param_type_name == "argument":
        what = f"unknown {_name(parameter).lower()}"
    return f"{what}: {typed}{'' if meant else _takes(parameter)}", f"did you mean {meant}?" if meant else ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.human_readable_name)


def _takes(parameter: Any) -> str:
    """Return which values a parameter takes, in parentheses, where a few words can say it."""
    kind = parameter.type
    if choices := [str(getattr(choice, "value", choice)) for choice in getattr(kind, "choices", ())]:
        return f" ({', '.join(choices[:-1])} or {choices[-1]})"
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    return "" if least is None or most is None else f" ({least} to {most})"
