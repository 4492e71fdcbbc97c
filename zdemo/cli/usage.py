"""What is wrong with a command line: Click's errors in the words of zdemo."""

import re
from ast import literal_eval
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from zdemo.config.names import did_you_mean
from zdemo.errors import UsageError

# Typer has its own copy of Click and exports one of its errors; its base is the error of any wrong command line.
CommandLineError: Any = typer.BadParameter.__mro__[1]
ROUTES = ("public", "private", "scoped")  # often typed without call
LEAST_LIKE = 0.6  # doc is like doctor
ODD_DASH = re.compile(r"-?[\u2010-\u2015\u2212]+-?")  # hyphens, dashes and the minus sign beyond ASCII
WORDS = (  # Click's, and zdemo's
    (r"(?s)Got unexpected extra argument\(?s?\)? \((.*)\)", r"unexpected argument: \1"),
    (r"Option '(.*)' requires an argument", r"option \1 needs a value"),
    (r"Option '(.*)' does not take a value", r"option \1 takes no value"),
)


def refuse_odd_dashes(arguments: Iterable[str]) -> None:
    """Raise UsageError for an option with a dash that is not a hyphen: it would be taken for another argument."""
    for word in arguments:
        typed = word.partition("=")[0]
        if found := ODD_DASH.match(typed):
            odd, name = next(c for c in found[0] if not c.isascii()), typed[found.end() :]
            hint = f"did you mean {'--' if len(name) > 1 else '-'}{name}?"
            raise UsageError(f"the dash of {typed} is not a hyphen (U+{ord(odd):04X})", hint=hint)


def wrong_command_line(error: Any, arguments: Sequence[str], commands: Iterable[str]) -> tuple[str, str]:
    """Return message and hint for an error of Click. It does not always say in which command it occurred."""
    called = next((word for word in arguments if word in commands), "")
    path = error.ctx.command_path if error.ctx else f"zdemo {called}".strip()
    message, hint = _in_words(error, arguments)
    return message, hint or f"{path} --help"


def _in_words(error: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """Return the message, and a hint if a typed word is near a right one."""
    kind, parameter, command = type(error).__name__, getattr(error, "param", None), error.ctx and error.ctx.command
    options = [name for p in command.params if p.param_type_name == "option" for name in p.opts] if command else []
    if kind == "NoSuchOption":
        return _no_such_option(_typed_option(error.option_name, arguments), options, command, error.ctx.command_path)
    if kind == "MissingParameter" and parameter:
        return f"missing {parameter.param_type_name}: {_name(parameter)}{_takes(parameter)}", ""
    if kind == "BadParameter" and parameter:
        return _bad_value(error.message, parameter)
    message = error.message.removesuffix(".")
    if found := re.fullmatch(r"(?s)No such command (.*)", message):
        word = str(literal_eval(found[1]))
        meant = f"zdemo call {word}" if word in ROUTES else did_you_mean(word, command.commands, least=LEAST_LIKE)
        return f"no such command: {word}", f"did you mean {meant}?" if meant else ""
    for pattern, words in WORDS:
        message = re.sub(pattern, words, message)
    option = f"--{message.removeprefix('unexpected argument: ')}"
    return message[:1].lower() + message[1:], f"did you mean {option}?" if option in options else ""


def _typed_option(option: str, arguments: Sequence[str]) -> str:
    """Return what was typed where Click names one letter of it: ``-pat`` for ``-p``."""
    words = (word.partition("=")[0] for word in arguments if len(option) == 2 and re.match(r"-\w\w", word))
    return next((word for word in words if option[1] in word), option)


def _no_such_option(typed: str, options: Iterable[str], command: Any, path: str) -> tuple[str, str]:
    hint = ""
    if meant := did_you_mean(f"--{typed.lstrip('-')}", options):
        hint = f"did you mean {meant}?"
    elif hasattr(command, "commands"):
        hint = f"put options behind the command; {path} --help lists the commands"
    return f"no such option: {typed}", hint


def _bad_value(message: str, parameter: Any) -> tuple[str, str]:
    found = re.match(r"(?s)(.*) is not (?:one of|in the range|a valid)", message)
    typed = found[1] if found else ""
    typed = str(literal_eval(typed)) if typed[:1] in ("'", '"') else typed
    meant = did_you_mean(typed, _choices(parameter))
    what = f"invalid value for {_name(parameter)}: {typed}"
    return f"{what}{'' if meant else _takes(parameter)}", f"did you mean {meant}?" if meant else ""


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.human_readable_name)


def _choices(parameter: Any) -> list[str]:
    return [str(getattr(choice, "value", choice)) for choice in getattr(parameter.type, "choices", ())]


def _takes(parameter: Any) -> str:
    """Return which values a parameter takes, in parentheses, where a few words can say it."""
    if choices := _choices(parameter):
        return f" ({', '.join(choices[:-1])} or {choices[-1]})"
    least, most = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    return "" if least is None or most is None else f" ({least} to {most})"
