"""How zdemo uses Typer: the help of a command, how its values are read, and the words for a wrong command line.

The text of a command is its docstring. A paragraph that begins with a label (``Exit codes: …``) stands below the
options, and the lines below ``Examples:`` are commands. The variables that the command reads follow, from the table of
settings. ``rich_help_panel`` of an option is its panel.
"""

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import EnumType
from functools import partial
from itertools import takewhile
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from zdemo.config.names import BEFORE_NAME
from zdemo.config.variables import BY_NAME, OTHER_NAMES, is_public, variables_of
from zdemo.errors import UsageError
from zdemo.errors.steps import Command, Step
from zdemo.text.columns import columns_of, shows_colour
from zdemo.text.masking import TOKEN_LIKE, holds_token, looks_random
from zdemo.text.spelling import did_you_mean

SETTINGS_GROUP, OUTPUT_GROUP = "Settings", "Output"
EXAMPLES = "Examples:\n"
LABEL = re.compile(r"[A-Z][a-z]+(?: [a-z]+)?: ")
WITH_HELP: Any = {
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "suggest_commands": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
# Typer has its own copy of Click and exports one of its errors; its base is the error of any wrong command line.
CommandLineError: Any = typer.BadParameter.__mro__[1]
INSTALLED = Path(__file__).parents[1] / "docs"  # the pages, in a wheel
PAGES = INSTALLED if INSTALLED.is_dir() else INSTALLED.parents[1] / "docs"
OTHER_WORDS = Path(__file__).with_name("other_words.toml")
NAMED = r"^[A-Z_]+$|(?<!zdemo )--[\w-]+"  # a setting, or options
SECRET_OPTIONS = ("--pat", "--admin-pat", "--client-secret")  # their value is optional: a bare one asks
NO_VALUE = "give a value: a variable there may be empty"
LONG_DASH = re.compile("-?[\u2013\u2014]-?")  # which editors write for --


class _Helped:
    """What a command and a group have in common."""

    help: str | None
    epilog: str | None
    callback: Callable[..., Any] | None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help in Typer's panels, in the width and colours of all other output."""
        from typer import rich_utils  # here, since only help needs it

        rich_utils.MAX_WIDTH = columns_of(sys.stdout)
        rich_utils.FORCE_TERMINAL = shows_colour(sys.stdout)
        names = variables_of(ctx.command_path.partition(" ")[2].partition(" ")[0])
        text = f"{self.help or ''}\n\nVariables: {', '.join(names)}" if names else self.help or ""
        if PAGES is INSTALLED:
            text = text.replace("docs/", f"{PAGES}/")
        plain, labelled = list[str](), list[str]()
        for paragraph in re.split(r"\n{2,}", text.replace("[", r"\[").strip()):
            is_example = paragraph.startswith(EXAMPLES)
            kind = labelled if is_example or LABEL.match(paragraph) else plain
            kind.append(paragraph if is_example else " ".join(paragraph.split()))
        unchanged = self.help, self.epilog
        self.help, self.epilog = "\n\n".join(plain), "\n\n".join(labelled)
        super().format_help(ctx, formatter)  # type: ignore[misc]  # Typer's
        self.help, self.epilog = unchanged

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, with zdemo's own way to read values.

        For its way, Typer loads pydantic from 0.29 on, which takes 100 ms, even if only the help option is not given.
        """
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # Typer's
        for param in params:
            param.process_value = partial(_value, param, self.callback)
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse words. Raises UsageError for wrong ones, whose message repeats them: the screen hides secrets in it."""
        typed = tuple(args)
        try:
            order = self.make_parser(ctx).parse_args(args=[*args])[2]  # type: ignore[attr-defined]  # Typer's
            twice = [p for p in order if order.count(p) > 1 and not (p.multiple or p.is_flag)]
            if twice and not ctx.resilient_parsing:  # Click would drop the first value without a word
                raise UsageError(f"{max(twice[0].opts, key=len)} is given twice", hint="leave out one of them")
            left: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]  # Typer's
        except CommandLineError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # which has shown the help
                raise
            raise _in_words(error, ctx, typed) from None
        return left


class HelpedCommand(_Helped, TyperCommand):
    """A command with this help. If its argument is another program's command line, that stands behind ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before ``--``, and keep those behind it for the other program."""
        program = next((param.name for param in self.params if param.nargs == -1), None)
        if program is None:
            return super().parse_args(ctx, args)
        own = list(takewhile(lambda word: word != "--", args))
        behind_dashes = args[len(own) + 1 :]
        misplaced = behind_dashes[0] if behind_dashes[:1] and behind_dashes[0].startswith("-") else ""
        if misplaced:
            own, behind_dashes = own + behind_dashes, []
        ctx.allow_interspersed_args = False  # the first word that is not an option begins the other command line
        left = super().parse_args(ctx, [*own])
        if args[-1:] == ["--"] and not behind_dashes:
            raise UsageError("the command after -- is missing", hint="is a variable there empty?")
        extra = list(ctx.params[program])
        if misplaced or (extra and "://" not in extra[0]):  # the command itself refuses an address
            raise _wrong_dashes(ctx, own[: len(own) - len(extra)], extra, behind_dashes, misplaced)
        ctx.params[program] = behind_dashes or extra
        return left


def _wrong_dashes(ctx: Any, own: list[str], extra: list[str], behind: list[str], misplaced: str) -> UsageError:
    """Return the error for words that no option takes, or for an option after ``--``, with the right command line."""
    first, rest = "".join(extra[:1]), extra[1:]
    message = f"an option is after --: {misplaced}" if misplaced else f"unexpected argument: {first}"
    if hint := _meant_by(first, ctx.command_path.partition(" ")[2], ()):  # no option: a program may be called like it
        return UsageError(message, hint=hint)
    if option := _option_for(first, [name for param in ctx.command.params for name in param.opts], own):
        own = [*own, option, first]
    elif own[-2:-1] == ["--env"] and "=" not in own[-1] and (behind or "{" in first):
        own[-1] += f"={first}"
    elif behind or first.isdigit():
        return UsageError(message, hint="leave it out, or put it after --")
    else:
        message, rest = f"{message}; put -- in front of the command to run", extra
    is_own = behind or "".join(rest[:1]).startswith("-")
    own, command = ([*own, *rest], behind) if is_own else (own, rest)
    line = shlex.join([*ctx.command_path.split()[1:], *own])
    return UsageError(message, hint=Command(f"{line} -- {as_typed(command)}" if command else line))


def _option_for(word: str, options: Collection[str], given: Collection[str]) -> str:
    """Return the option, not given yet, whose value a word is by its form; empty if there is none."""
    forms = () if holds_token(word) else other_words()["forms"].items()
    fits = (option for form, names in forms if re.fullmatch(form, word) for option in names.split())
    return next((option for option in fits if option in options and option not in given), "")


def is_quoted(words: Sequence[str]) -> bool:
    """Return whether a command line is one word, because it stands in quotes."""
    return len(words) == 1 and len(words[0].split()) > 1 and shutil.which(words[0]) is None


def as_typed(words: Sequence[str]) -> str:
    """Return a command line as a shell takes it, without quotes around the whole; what needs a shell gets one."""
    if not is_quoted(words):
        return shlex.join(words)
    return f"sh -c {shlex.quote(words[0])}" if re.search(r"[|&;<>$`]|^\w+=", words[0]) else words[0]


class HelpedGroup(_Helped, TyperGroup):
    """A group of commands with this help."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that the words call, itself, and the other words. Raises UsageError."""
        word = args[0]
        if not ctx.resilient_parsing and self.get_command(ctx, word) is None:
            meant = _meant_by(word, ctx.command_path.partition(" ")[2], self.commands)
            raise UsageError(f"no such command: {word}", hint=meant or _words_of(ctx))
        return super().resolve_command(ctx, args)


def meant_or(meant: str, otherwise: Step) -> Step:
    """Return the hint that names the word that was probably meant, or another step if there is none."""
    return f"did you mean {meant}?" if meant else otherwise


def settings_of(path: str, command: Any) -> Collection[str]:
    """Return the names of the settings that a command reads."""
    return BY_NAME if "\nVariables: all" in (command.help or "") else variables_of(path.partition(" ")[0])


def other_words() -> dict[str, dict[str, str]]:
    """Return the table of words of other programs."""
    import tomllib  # here, because only mistakes need it

    return tomllib.loads(OTHER_WORDS.read_text(encoding="utf-8"))


def _meant_by(word: str, command: str, known: Collection[str], settings: Collection[str] = ()) -> str:
    """Return the hint for an option or a command that does not exist; empty where nothing says what is meant."""
    table, usable = other_words(), {*known, *settings}
    shared = (row for row in table["*"].items() if usable.issuperset(re.findall(NAMED, row[0])))
    rows = (*table.get(command, {}).items(), *shared)
    meant = next((meant for meant, words in rows if word in words.split()), None)
    if meant is None:
        name = word.lstrip("-").upper().replace("-", "_")
        by_name = (n for n in settings if name in (n, re.sub(BEFORE_NAME, "", n)) or OTHER_NAMES.get(name) == n)
        meant = did_you_mean(word, known) or did_you_mean(f"--{word}", known) or next(by_name, "")
    if meant in BY_NAME:
        return f"set {meant} in the environment or in .env"
    return f"did you mean {meant}?" if meant in known or meant.startswith(("--", "zdemo ")) else meant


def unknown_id(what: str, name: str, known: Collection[str], listing: Command) -> UsageError:
    """Return the error for the ID of a check or a case that does not exist; the start of some names these."""
    meant = ", ".join(text for text in known if text.startswith(f"{name}.")) or did_you_mean(name, known)
    hint = "give one ID, and repeat the option for the next" if "," in name else meant_or(meant, listing)
    return UsageError(f"unknown {what}: {name}", hint=hint)


def _help_of(ctx: Any) -> Command:
    return Command(f"{ctx.command_path.partition(' ')[2]} --help".strip(), uses_settings=False)


def _typed(param: Any) -> str:
    return str(param.metavar if param.name in param.opts else max(param.opts, key=len))


def _value(param: Any, callback: Any, ctx: Any, value: Any) -> Any:
    """Return the value of a parameter of a command's function. Raises UsageError."""
    known = {name for p in ctx.command.params for name in (*p.opts, *p.secondary_opts)}.union(ctx.help_option_names)
    is_secret, typed = not {*param.opts}.isdisjoint(SECRET_OPTIONS), _typed(param)
    for text in map(str, (value or ()) if param.multiple else [value]):  # the next option, or a role instead of a token
        word = text.partition("=")[0]  # without what may be a secret
        if word in known or (is_secret and re.fullmatch("[a-z]+:[a-z]+", text)):
            instead = f"put a bare {typed} at the end of the line" if is_secret else NO_VALUE
            raise UsageError(f"{typed} took {word}", hint=instead)
    if isinstance(value, str) and not value.strip() and value != param.default:
        raise UsageError(f"{typed} is empty", hint=NO_VALUE)
    if value is None or value == ():
        if param.required:
            hints = get_type_hints(callback, include_extras=True)
            names = {p.name: _typed(p) for p in ctx.command.params}
            given = ((names[n], text) for n, text in ctx.params.items() if not described(hints[n])[2])
            taken = [f"{name} took {text}" for name, text in given if type(text) is str]
            hint = f"{taken[-1]}: is a variable in front of it empty?" if taken else _help_of(ctx)
            raise UsageError(f"missing argument: {param.metavar}", hint=hint)
        value = () if param.multiple or param.nargs == -1 else None
    elif isinstance(value, str) and param.name in (hints := get_type_hints(callback, include_extras=True)):
        value = _read(param, hints[param.name], ctx, value)
    return value if param.callback is None else param.callback(ctx, param, value)


def _read(param: Any, hint: Any, ctx: Any, word: str) -> Any:
    """Return a typed word as the type of its parameter; ``hint`` is its annotation."""
    info, kind, choices = described(hint)
    if choices:
        typed = word if info.case_sensitive else word.upper()
        takes = f"{', '.join(choices[:-1])} or {choices[-1]}"
        if typed in choices:
            return choices[choices.index(typed)]
    elif info.min is None:
        is_secret = is_public(word) or (re.fullmatch(TOKEN_LIKE, word) and looks_random(word))
        if is_secret and not {*param.opts} & {*SECRET_OPTIONS}:
            raise UsageError(f"{_typed(param)} took a token or a secret", hint=f"give {_typed(param)}: {param.help}")
        return kind(word)  # a text or a path, which every word is
    else:
        takes = f"{info.min} to {info.max}"
        with suppress(ValueError):
            if info.min <= (number := kind(word)) <= info.max:
                return number
    meant, what = did_you_mean(word, choices), f"invalid value for {max(param.opts, key=len)}: {word}"
    raise UsageError(what if meant else f"{what} ({takes})", hint=meant_or(meant, _help_of(ctx)))


def described(hint: Any) -> tuple[Any, Any, list[Any]]:
    """Return what an annotation says of a parameter: Typer's description, the type, and the values if they are few."""
    info, kind = hint.__metadata__[0], hint.__origin__
    if get_origin(kind) in (Union, UnionType):  # with None
        kind = get_args(kind)[0]
    choices = list(get_args(kind) if get_origin(kind) is Literal else kind if isinstance(kind, EnumType) else ())
    return info, kind, choices


def option(
    takes: str, text: str, *names: str, panel: str | None = None, shows_default: bool = False, **more: Any
) -> Any:
    """Return an option with a value. The help shows what it takes; ``text`` names the default, or it is shown."""
    return typer.Option(*names, metavar=takes, help=text, show_default=shows_default, rich_help_panel=panel, **more)


def option_of(setting: str, takes: str, text: str, *names: str, **more: Any) -> Any:
    """Return an option that takes the place of a setting, or of one of several, separated by blanks."""
    text = f"{text} Default: {setting.replace(' ', ' or ')}."
    info = option(takes, text, *names, panel=SETTINGS_GROUP, **more)
    info.settings = setting.split()
    return info


def flag(text: str, *names: str, panel: str | None = None, **more: Any) -> Any:
    """Return an option without a value."""
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


def argument(takes: str, text: str, **more: Any) -> Any:
    """Return an argument; ``text`` names the default."""
    return typer.Argument(metavar=takes, help=text, show_default=False, **more)


def verbose_flag(text: str) -> Any:
    """Return the option ``-v`` of a command, which shows more."""
    return flag(text, "--verbose", "-v", panel=OUTPUT_GROUP)


def completing(names: Mapping[str, str]) -> Callable[[str], list[tuple[str, str]]]:
    """Return the shell completion for names, each with its description."""
    return lambda incomplete: [(name, text) for name, text in names.items() if name.startswith(incomplete)]


def check_needs(ctx: typer.Context, needed: str, *names: str) -> None:
    """Refuse options, by their Python names, that mean nothing without the one that is ``needed``."""
    for typed, other in () if ctx.params[needed] else _given(ctx, needed, names):
        raise UsageError(f"{typed} needs {other}", hint=f"add {other}")


def check_excludes(ctx: typer.Context, kept: str, *names: str) -> None:
    """Refuse options, by their Python names, that cannot be combined with the one that is ``kept``."""
    for typed, other in () if ctx.params[kept] in (None, False, [], ()) else _given(ctx, kept, names):
        raise UsageError(f"{typed} cannot be combined with {other}", hint=f"leave out {typed}")


def _given(ctx: Any, other: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each of these options that is on the command line, with the other one, as people type them."""
    typed = {p.name: _typed(p) for p in ctx.command.params}
    sources = ((name, ctx.get_parameter_source(name)) for name in names)
    return ((typed[name], typed[other]) for name, source in sources if source and source.name == "COMMANDLINE")


def _in_words(error: Any, ctx: Any, arguments: Sequence[str]) -> UsageError:
    options = [name for p in ctx.command.params if p.param_type_name == "option" for name in p.opts]
    message, path = str(error.message), ctx.command_path.partition(" ")[2]
    if dash := next(filter(LONG_DASH.match, arguments), ""):
        return UsageError(f"{dash} begins with a long dash", hint=f"write {LONG_DASH.sub('--', dash, count=1)}")
    if type(error).__name__ == "NoSuchOption":
        bare = (word.partition("=")[0] for word in arguments)  # of -pat, Click names -p
        typed = next((word for word in bare if f"-{word}" in options), error.option_name)
        meant = _meant_by(typed, path, options, settings_of(path, ctx.command))
        return UsageError(f"no such option: {typed}", hint=meant or _words_of(ctx))
    if extra := re.fullmatch(r"(?s)Got unexpected extra argument\(?s?\)? \((.*)\)\.?", message):
        return UsageError(f"unexpected argument: {extra[1]}", hint=_instead_of(extra[1], ctx, options, arguments))
    needs = "takes no value" if "does not take a value" in message else "needs a value"
    return UsageError(f"option {error.option_name} {needs}", hint=_help_of(ctx))


def _instead_of(extra: str, ctx: Any, options: Sequence[str], arguments: Sequence[str]) -> Step:
    """Return what was probably meant by an argument that a command does not take."""
    if "--pat" in options and holds_token(extra):
        return meant_or("to give one token" if "--pat" in arguments else f"{ctx.command_path} --pat", "")
    for word in arguments:
        if option := _option_for(word, options, arguments):
            better = [*(other for other in arguments if other != word), option, word]
            _, left, order = ctx.command.make_parser(ctx).parse_args(args=[*better])
            if not left and len({*order}) == len(order):
                return f"did you mean {ctx.command_path} {shlex.join(better)}?"
    before = arguments[arguments[1:].index(extra)] if extra in arguments[1:] else ""
    if any(p.param_type_name == "option" and p.is_flag and before in p.opts for p in ctx.command.params):
        return f"{before} takes no value: leave out {extra}"
    return _meant_by(extra, ctx.command_path.partition(" ")[2], options) or _words_of(ctx)


def _words_of(ctx: Any) -> Command:
    """Return the hint that names what a command takes, or the commands of a group."""
    commands = ", ".join(getattr(ctx.command, "commands", ()))
    taken = ", ".join(map(_typed, ctx.command.params))
    return replace(_help_of(ctx), does=f"commands (options follow them): {commands}" if commands else f"takes {taken}")
