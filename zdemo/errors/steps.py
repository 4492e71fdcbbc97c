"""Steps: what a person can do about a problem, as values. Only ``in_words`` makes text of them.

A plain text is a step too: a sentence in the imperative. ``does`` is a remark: it stands below a step that a person can
paste, never inside it. A word in capitals, such as FILE, stands for something of the person's own.
"""

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

DEFAULT_ENV_FILE = Path(".env")


@dataclass(frozen=True)
class Command:
    """Run a command of zdemo: its ``text`` without zdemo, then foreign ``names`` as arguments.

    ``option`` is what it needs at the end, such as ``--admin-pat``. ``uses_settings``: it reads a ``.env``.
    """

    text: str
    names: tuple[str, ...] = ()
    option: str = ""
    env_file: Path | None = None
    uses_settings: bool = True
    does: str = ""


@dataclass(frozen=True)
class Shell:
    """Run a command of another program."""

    text: str
    does: str = ""


@dataclass(frozen=True)
class SetVariable:
    """Give a variable or an option another value; a person pastes it where ``value`` is empty.

    ``advice`` says it in other words. ``certain``: zdemo can do it, since it is certain, harmless and reversible.
    """

    name: str
    value: str = field(default="", repr=False)  # it may be a secret
    advice: "Step" = ""
    certain: bool = False
    does: str = ""


@dataclass(frozen=True)
class RenameVariable:
    """Give a misspelled variable its right name, in the place that it comes from."""

    name: str
    right: str
    place: str
    certain: bool = False


@dataclass(frozen=True)
class UnsetVariable:
    """Take a variable out of this shell's environment."""

    name: str
    does: str = ""


@dataclass(frozen=True)
class EditLines:
    """Change lines of a file, as ``change`` says."""

    file: str
    lines: tuple[int, ...]
    change: str


@dataclass(frozen=True)
class TightenMode:
    """Let only its owner read a file."""

    path: Path
    certain: ClassVar[bool] = True


@dataclass(frozen=True)
class GrantRole:
    """Grant a user a role in the API's project; ``user`` is the name that commands take."""

    user_id: str
    user: str
    role: str
    option: str = ""
    env_file: Path | None = None
    certain: ClassVar[bool] = True


Paste = Command | Shell | UnsetVariable | TightenMode | GrantRole  # what a shell takes as it is
Step = str | Paste | SetVariable | RenameVariable | EditLines
Repair = SetVariable | RenameVariable | TightenMode | GrantRole


def repair_in(steps: Iterable[Step]) -> Repair | None:
    """Return the first step that zdemo can take itself."""
    return next((step for step in steps if isinstance(step, Repair) and step.certain), None)


def usable(steps: Iterable[Step], hide: Callable[[str], str]) -> tuple[Step, ...]:
    """Return the steps with secrets hidden in sentences, without what would be pasted with a masked one in it."""
    hidden = (hide(step) if isinstance(step, str) else step for step in steps)
    return tuple(step for step in hidden if hide(in_line(step)) == in_line(step))


def does(step: Step) -> str:
    """Return the remark about a step, or nothing."""
    return getattr(step, "does", "")


def in_line(step: Step) -> str:
    """Return a step with its remark in one line, for what is read and not pasted."""
    return ": ".join(filter(None, (in_words(step), does(step))))


def in_lines(step: Step, blank: str = " ") -> str:
    """Return a step in words, with its remark in a line below, where nobody pastes it."""
    return in_words(step, blank) + (f"\n  {does(step)}" if does(step) else "")


def in_words(step: Step, blank: str = " ") -> str:
    """Return what a person reads or pastes, without the remark; ``blank`` stands between the words of a command."""
    match step:
        case str():
            words = step
        case SetVariable(name=name, value=value, advice=advice):
            words = in_words(advice, blank) if advice else f"{name}={value}"
        case RenameVariable(name=name, right=right, place=place):
            words = f"rename {name} to {right} in {place}"
        case EditLines(file=file, lines=lines, change=change):
            words = f"{file}, line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}: {change}"
        case GrantRole(user=user, role=role, option=option, env_file=env_file):
            words = in_words(Command("role grant", (user, role), option, env_file), blank)
        case Command():
            words = _of_zdemo(step).replace(" ", blank)
        case UnsetVariable(name=name):
            words = f"unset {name}".replace(" ", blank)
        case TightenMode(path=path):
            words = f"chmod 600 {shlex.quote(str(path))}".replace(" ", blank)
        case Shell(text=text):
            words = text.replace(" ", blank)
    return words


def _of_zdemo(command: Command) -> str:
    names = [shlex.quote(name) for name in command.names]
    file = [f"--env-file {shlex.quote(str(command.env_file))}"] if command.env_file else []
    if any(name.startswith("-") for name in command.names):  # no option can follow them
        return " ".join(["zdemo", command.text, *file, "--", *names])
    return " ".join(["zdemo", command.text, *names, *file, *filter(None, [command.option])])
