"""What a wrong command line was meant to be."""

import re
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from zdemo.config.names import did_you_mean

LEAST_PREFIX = 3  # letters that name a command, such as doc
MINUS = "\N{MINUS SIGN}"
MOST_NAMED = 3  # commands in a sentence
SYNONYMS = {  # words for commands that other programs have
    **dict.fromkeys(("start", "run", "server", "up"), "serve"),
    **dict.fromkeys(("test", "get", "request", "curl"), "call"),
    **dict.fromkeys(("inspect", "decode", "whoami"), "introspect"),
    **dict.fromkeys(("check", "diagnose", "debug", "status"), "doctor"),
    **dict.fromkeys(("install", "configure", "config", "connect"), "setup"),
    **dict.fromkeys(("teardown", "uninstall"), "setup --teardown"),
    **dict.fromkeys(("mock", "fake"), "emulator"),
    **{route: f"call {route}" for route in ("public", "private", "scoped")},
    "grant": "role grant",
    "revoke": "role revoke",
    "roles": "role list",
    "tour": "demo",
    "version": "--version",
    "completion": "--show-completion",
}
OPTION_SYNONYMS = {"--token": "--pat", "--user": "--client-id", "--username": "--client-id", "--role": "--require"}


def near(word: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant: a similar one, or the one that begins so."""
    names = list(known)
    begun = [name for name in names if len(word.strip("-")) >= LEAST_PREFIX and name.startswith(word.lower())]
    shortest = min(begun, key=len, default="")
    return did_you_mean(word, names) or (shortest if all(name.startswith(shortest) for name in begun) else "")


def command_hint(word: str, group: Any, arguments: Sequence[str]) -> str:
    """Return a hint for a command that does not exist, or an empty text."""
    if word in SYNONYMS and group.name == "zdemo":
        rest = shlex.join(arguments[list(arguments).index(word) + 1 :] if word in arguments else ())
        return f"did you mean {' '.join(('zdemo', SYNONYMS[word], '' if '-pat' in rest else rest)).strip()}?"
    if "." in word and group.name == "zdemo":
        from zdemo.doctor import CHECKS  # here, since only mistakes need it
        from zdemo.doctor.conformance import API_CHECKS

        if check := near(word, [own.id for own in CHECKS] + [own.id for own in API_CHECKS]):
            return f"a check is not a command: zdemo doctor --explain {check}"
    found = near(word, group.list_commands(None))
    return f"did you mean {found}?" if found else ""


def option_hint(option: str, path: str, command: Any, program: Any, arguments: Sequence[str]) -> str:
    """Return a hint for an option that a command does not have, or an empty text."""
    own = options_of(command)
    as_long = f"--{option.lstrip('-')}"
    if as_long in own:
        return f"did you mean {as_long}?"
    owners = [name for name, other in _commands(program) if as_long in options_of(other)]
    if called := next((name for name in owners if name.startswith(path) and _is_called(name, arguments)), None):
        return f"put it behind the command: {called} {as_long}"
    if owners:
        *others, last = owners if len(owners) <= MOST_NAMED else [*owners[: MOST_NAMED - 1], "others"]
        return f"{as_long} belongs to {', '.join(others)}{' and ' if others else ''}{last}"
    if path != "zdemo" and as_long == "--version":
        return "zdemo --version"
    known = {word: name for word, name in OPTION_SYNONYMS.items() if name in own} | {name: name for name in own}
    found = known.get(near(option if option.startswith("--") else as_long, known), "")
    return f"did you mean {found}?" if found else ""


def argument_hint(words: str, command: Any) -> str:
    """Return a hint for an argument too many that is the name of an option, or an empty text."""
    option = f"--{words}"
    return f"did you mean {option}?" if option in options_of(command) else ""


def options_of(command: Any) -> list[str]:
    """Return the names of a command's options."""
    return [name for p in command.params if p.param_type_name == "option" for name in p.opts] + ["--help", "-h"]


def _commands(command: Any, path: str = "zdemo") -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, with its path."""
    for name in command.list_commands(None):
        inner = command.get_command(None, name)
        if hasattr(inner, "list_commands"):
            yield from _commands(inner, f"{path} {name}")
        else:
            yield f"{path} {name}", inner


def _is_called(path: str, arguments: Sequence[str]) -> bool:
    """Return whether the words of a command stand among the arguments, in their order."""
    rest = iter(arguments)
    return all(word in rest for word in path.split()[1:])


def typed_option(option: str, arguments: Sequence[str]) -> str:
    """Return what was typed where Click names one letter of it: ``-pat`` for ``-p``."""
    is_letter = len(option) == 2 and option[0] == "-"
    words = (word.partition("=")[0] for word in arguments if is_letter and re.match(r"-\w\w", word))
    return next((word for word in words if option[1] in word), option)


def odd_dash(arguments: Sequence[str], options: Iterable[str]) -> tuple[str, str] | None:
    """Return message and hint for an option whose dash is not a hyphen, as on a copied page."""
    known = set(options)
    for word in arguments:
        typed = word.partition("=")[0]
        name = re.sub(r"^[-\W_]+", "", typed)
        likely = f"--{name}" if len(name) > 1 else f"-{name}"
        odd = next((c for c in typed[: len(typed) - len(name)] if not c.isascii()), "")
        if odd and (unicodedata.category(odd) == "Pd" or odd == MINUS) and likely in known:
            return f"the dash of {typed} is not a hyphen (U+{ord(odd):04X})", f"did you mean {likely}?"
    return None


def is_typed(ctx: Any, name: str) -> bool:
    """Return whether the command line gives an option, by its Python name."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def typed_again(ctx: Any, **others: object) -> str:
    """Return the command line as it was typed, with other values for some options."""
    words, behind_dashes = ctx.command_path.split(), list[str]()
    for param in ctx.command.params:
        name = param.name or ""
        value = others.get(name, ctx.params.get(name) if is_typed(ctx, name) or param.nargs == -1 else None)
        if param.param_type_name == "argument":
            behind_dashes += value if isinstance(value, list) else []
            continue
        option = max(param.opts, key=len)
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, bool):
                words += [option] if one else param.secondary_opts
            elif one is not None:
                words += [option, str(one)]
    return shlex.join([*words, *(["--", *behind_dashes] if behind_dashes else [])])
