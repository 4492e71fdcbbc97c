"""The variables that are set, and the place that each one comes from: an option, the environment or ``.env``."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

COMMAND_LINE = "the command line"
EXPORTED = "the environment"
GIVEN_BY_EMULATOR = "_ZDEMO_GIVEN"  # names the variables that zdemo emulator exports to its command
GIVEN = "the mapping of settings"  # that a program hands over
KEY_FILE = "ZITADEL_KEY_FILE"
NOT_MEANT = (".example", ".sample", ".template", ".dist", ".tmp", ".swp")  # ends of names
PREFIXES = ("CLIENT_", "ZITADEL_", "ZDEMO_")  # of settings, apart from PAT


def is_setting(name: str) -> bool:
    """Return whether a variable is one of zdemo's settings."""
    return name == "PAT" or name.startswith(PREFIXES)


@dataclass(frozen=True, eq=False, repr=False)
class Environment(Mapping[str, str]):
    """The variables that are set, each with the place that it comes from: an option, the environment or a file.

    ``layers`` are named by their places, the strongest first; blank values count as not set. The place of variables
    from ``file``, the ``.env`` that was read, is its path. ``options`` has the option for each variable that the
    command line can give. ``repeated`` has the lines of the variables that ``file`` sets more than once. ``folder``:
    the ``.env`` is a folder. ``nearby``: there is none, but this may be meant.

    ``shadowed`` has the places whose values do not count, because a stronger place has others. ``hidden`` has those
    values that the process's environment hides; what an option or ``zdemo emulator`` hides is not among them: it was
    meant for this command.
    """

    layers: Mapping[str, Mapping[str, str]]
    options: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    folder: Path | None = None
    repeated: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    nearby: Path | None = None
    shadowed: dict[str, str] = field(init=False, default_factory=dict)
    hidden: dict[str, str] = field(init=False, default_factory=dict)
    _places: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        of_emulator = self.layers.get(EXPORTED, {}).get(GIVEN_BY_EMULATOR, "").split()
        for place, values in self.layers.items():
            for name, value in values.items():
                stronger = self._places.setdefault(name, place) if value.strip() else place
                if stronger != place and self[name].strip() != value.strip():
                    self.shadowed[name] = place
                    if stronger == EXPORTED and name not in of_emulator:
                        self.hidden[name] = value

    def __getitem__(self, name: str) -> str:
        return self.layers[self._places[name]][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def source(self, name: str) -> str:
        """Return the place that a variable comes from; empty when it is not set."""
        return self._places.get(name, "")

    def setting(self, name: str) -> str:
        """Return what a person changes to get another value: the option that gave it, or the variable."""
        return self.options.get(name, name) if self.source(name) == COMMAND_LINE else name

    def correction(self, name: str) -> str:
        """Return the advice to correct a variable in the place that it comes from."""
        place = self.source(name)
        return f"correct {self.setting(name)}" + (f" in {place}" if place not in ("", COMMAND_LINE) else "")

    def giving(self, name: str, option: str, value: str) -> Self:
        """Return the same environment with a variable that an option gives."""
        given = {**self.layers.get(COMMAND_LINE, {}), name: value}
        layers = {COMMAND_LINE: given} | {place: v for place, v in self.layers.items() if place != COMMAND_LINE}
        return replace(self, layers=layers, options={**self.options, name: option})

    def without(self, *names: str) -> Self:
        """Return the same environment with these variables not set."""
        layers = {
            place: {name: value for name, value in values.items() if name not in names}
            for place, values in self.layers.items()
        }
        return replace(self, layers=layers)


def _nearby() -> Path | None:
    """Return a file that may have been meant as ``.env``: by its name neither an example nor an editor's."""
    near = (Path("../.env"), Path("env"), *sorted(Path().glob(".env.*")))
    return next((path for path in near if path.suffix not in NOT_MEANT and path.is_file()), None)


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
        {COMMAND_LINE: given, EXPORTED: dict(os.environ), str(path): in_file},
        options={name: option for name, (option, _) in (options or {}).items()},
        file=path if is_read else None,
        nearby=None if os.path.lexists(path) else _nearby(),
        repeated=repeated,
        folder=path if is_folder else None,
    )
