"""The variables that are set, and the place that each one comes from: an option, the environment or ``.env``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path

from zdemo.errors.steps import Command, Step, sentence

NEARBY = ("../.env", ".env.local", "env", ".env.txt")
COMMAND_LINE = "the command line"
EXPORTED = "the environment"
INIT_EMULATOR = sentence(Command("init --emulator", uses_settings=False), "writes one with the emulator's settings")
INIT = sentence(Command("init", uses_settings=False), "writes one to fill in")
KEY_FILE = "ZITADEL_KEY_FILE"
PREFIXES = ("CLIENT_", "ZITADEL_", "ZDEMO_")  # of settings, apart from PAT


def is_setting(name: str) -> bool:
    """Return whether a variable is one of zdemo's settings."""
    return name == "PAT" or name.startswith(PREFIXES)


class Environment(Mapping[str, str]):
    """The variables that are set, each with the place that it comes from.

    ``shadowed`` has the places whose values do not count, because a stronger place has others. ``hidden`` has those
    values that the process's environment hides; what an option hides is not among them: it was typed for this command.
    ``repeated`` has the lines of the variables that ``file`` sets more than once. ``folder`` is a ``.env`` that is one.
    """

    def __init__(
        self,
        layers: Mapping[str, Mapping[str, str]],
        *,
        options: Mapping[str, str] | None = None,
        file: Path | None = None,
        can_init: bool = False,
        repeated: Mapping[str, tuple[int, ...]] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Merge layers, named by their places, the strongest first; blank values count as not set.

        ``options`` holds the option for each variable that the command line can give; ``file`` is the ``.env`` that
        was read. The place of variables from a file is its path. ``can_init``: there is no ``.env`` yet.
        """
        self._options = dict(options or {})
        self.file = file
        self.folder = folder
        self.repeated = dict(repeated or {})
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

    def completion(self, names: Sequence[str], *, by_name: bool = False) -> tuple[Step, ...]:
        """Return how to set missing variables, which a message has named unless ``by_name``."""
        what = ", ".join(names) if by_name else "it" if len(names) == 1 else "them"
        if self._can_init and (other := next(filter(Path.is_file, map(Path, NEARBY)), None)):
            return (f"add --env-file {other}, or set {what} in the environment or in .env",)
        setting = f"set {what} in the environment or in {self.file or '.env'}"
        if not self._can_init:  # where a .env exists, zdemo init refuses
            return (setting,)
        with_own = any(map(is_setting, self))  # the emulator's would not fit to these
        return setting, INIT if with_own else INIT_EMULATOR

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
        reduced = Environment(layers, options=self._options, file=self.file, can_init=self._can_init)
        reduced.folder, reduced.repeated = self.folder, self.repeated
        return reduced


def read_environment(
    env_file: Path | None = None, options: Mapping[str, tuple[str, str | None]] | None = None
) -> Environment:
    """Read options, the process's environment, and ``env_file`` or ``.env`` of the working directory.

    ``options`` holds the option and its value for each variable; the value is ``None`` if the option was not given.
    Raises SettingsError if the file cannot be read.
    """
    path = env_file or Path(".env")
    in_file: Mapping[str, str] = {}
    repeated: Mapping[str, tuple[int, ...]] = {}
    # a folder is something else of that name; a broken link and a named pipe are mistakes, which are named
    is_folder = env_file is None and path.is_dir()
    if is_read := env_file is not None or (os.path.lexists(path) and not is_folder):
        from zdemo.config.dotenv_file import valid_dotenv  # here, since there may be no file to read

        dotenv = valid_dotenv(path)
        in_file, repeated = dotenv.values, dotenv.repeated
    given = {name: value for name, (_, value) in (options or {}).items() if value is not None}
    return Environment(
        {COMMAND_LINE: given, EXPORTED: os.environ, str(path): in_file},
        options={name: option for name, (option, _) in (options or {}).items()},
        file=path if is_read else None,
        can_init=not os.path.lexists(path),
        repeated=repeated,
        folder=path if is_folder else None,
    )
