"""The variables that are set, and the place that each one comes from: an option, the environment or ``.env``."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

DEFAULT = Path(".env")
NEARBY = ("../.env", ".env.local", "env", ".env.txt")
COMMAND_LINE = "the command line"
EXPORTED = "the environment"
INIT_EMULATOR = "zdemo init --emulator writes one with the emulator's settings"
KEY_FILE = "ZITADEL_KEY_FILE"
PREFIXES = ("CLIENT_", "ZITADEL_", "ZDEMO_")  # of settings, apart from PAT
COMMANDS = re.compile(
    r"\bzdemo (?:call|doctor|introspect|role (?:list|grant|revoke)|serve|setup|token)\b(?!.*--env-file)"
)
T = TypeVar("T")


def is_setting(name: str) -> bool:
    """Return whether a variable is one of zdemo's settings."""
    return name == "PAT" or name.startswith(PREFIXES)


class Environment(Mapping[str, str]):
    """The variables that are set, each with the place that it comes from.

    ``shadowed`` has the places whose values do not count, because a stronger place has others. ``hidden`` has those
    values that the process's environment hides; what an option hides is not among them: it was typed for this command.
    """

    def __init__(
        self,
        layers: Mapping[str, Mapping[str, str]],
        *,
        options: Mapping[str, str] | None = None,
        file: Path | None = None,
        can_init: bool = False,
    ) -> None:
        """Merge layers, named by their places, the strongest first; blank values count as not set.

        ``options`` holds the option for each variable that the command line can give; ``file`` is the ``.env`` that
        was read. The place of variables from a file is its path. ``can_init``: there is no ``.env`` yet.
        """
        self._options = dict(options or {})
        self.file = file
        self._can_init = can_init
        self.in_file = dict(layers.get(str(file), {}))  # whether they count or not
        self._values: dict[str, tuple[str, str]] = {}
        self.shadowed: dict[str, str] = {}
        self.hidden: dict[str, str] = {}
        for place, values in layers.items():
            for name, value in values.items():
                if not value.strip():
                    continue
                if name not in self._values:
                    self._values[name] = (value, place)
                elif self._values[name][0].strip() != value.strip():
                    self.shadowed[name] = place
                    if self.source(name) == EXPORTED:
                        self.hidden[name] = value

    def hiding(self, name: str) -> str:
        """Return which value counts, and which one it hides; empty if it hides none."""
        return f"{name} in {EXPORTED} hides the one in {self.shadowed[name]}" if name in self.hidden else ""

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Environment({sorted(self._values)})"

    def source(self, name: str) -> str:
        """Return the place that a variable comes from; empty when it is not set."""
        return self._values[name][1] if name in self._values else ""

    def setting(self, name: str) -> str:
        """Return what a person changes to get another value: the option that gave it, or the variable."""
        return self._options.get(name, name) if self.source(name) == COMMAND_LINE else name

    def correction(self, name: str) -> str:
        """Return the advice to correct a variable in the place that it comes from."""
        place = self.source(name)
        return f"correct {self.setting(name)}" + (f" in {place}" if place not in ("", COMMAND_LINE) else "")

    def completion(self, names: Sequence[str], *, by_name: bool = False) -> str:
        """Return the advice to set missing variables, which a message has named unless ``by_name``."""
        what = ", ".join(names) if by_name else "it" if len(names) == 1 else "them"
        init = ""
        if self._can_init and (other := next(filter(Path.is_file, map(Path, NEARBY)), None)):
            return f"add --env-file {other}, or set {what} in the environment or in .env"
        if self._can_init:  # where a .env exists, zdemo init refuses
            with_own = any(map(is_setting, self))  # and the emulator's would not fit to these
            init = "; zdemo init writes one to fill in" if with_own else f"; {INIT_EMULATOR}"
        return f"set {what} in the environment or in {self.file or '.env'}{init}"

    def giving(self, name: str, option: str, value: str) -> Environment:
        """Return the same environment with a variable that an option gives."""
        given = copy(self)
        given._options, given._values = {**self._options, name: option}, {**self._values, name: (value, COMMAND_LINE)}
        given.hidden = {other: hidden for other, hidden in self.hidden.items() if other != name}
        return given

    def without(self, *names: str) -> Environment:
        """Return the same environment with these variables not set."""
        layers: dict[str, dict[str, str]] = {}
        for name, (value, place) in self._values.items():
            if name not in names:
                layers.setdefault(place, {})[name] = value
        return Environment(layers, options=self._options, file=self.file, can_init=self._can_init)


def read_environment(
    env_file: Path | None = None, options: Mapping[str, tuple[str, str | None]] | None = None
) -> Environment:
    """Read options, the process's environment, and ``env_file`` or ``.env`` of the working directory.

    ``options`` holds the option and its value for each variable; the value is ``None`` if the option was not given.
    Raises SettingsError if the file cannot be read.
    """
    path = env_file or Path(".env")
    in_file: dict[str, str] = {}
    # a folder is something else of that name; a broken link and a named pipe are mistakes, which are named
    if is_read := env_file is not None or (os.path.lexists(path) and not path.is_dir()):
        from zdemo.config.dotenv_file import read_dotenv  # here, since there may be no file to read

        in_file = read_dotenv(path)
    given = {name: value for name, (_, value) in (options or {}).items() if value is not None}
    return Environment(
        {COMMAND_LINE: given, EXPORTED: os.environ, str(path): in_file},
        options={name: option for name, (option, _) in (options or {}).items()},
        file=path if is_read else None,
        can_init=not os.path.lexists(path),
    )


def steps_with_env_file(found: T, path: Path | None) -> T:
    """Return the same dataclass with ``--env-file`` in the commands of ``fix`` and ``otherwise``, if it is needed."""
    if path in (None, DEFAULT):
        return found
    option = f" --env-file {shlex.quote(str(path))}"
    with_option = partial(COMMANDS.sub, lambda command: command[0] + option)
    steps = {name: tuple(map(with_option, getattr(found, name))) for name in ("fix", "otherwise")}
    return cast(T, replace(cast(Any, found), **steps))
