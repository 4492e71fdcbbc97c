"""The variables that zdemo is set by, and where each of them came from: an option, the environment, or ``.env``.

Read here and nowhere else; what they mean is for ``config`` and ``client_settings``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

COMMAND_LINE = "the command line"
OPTIONS = {  # what stands for a variable there
    "PAT": "--pat",
    "ZDEMO_API_URL": "--url",
    "ZITADEL_ADMIN_PAT": "--admin-pat",
    "ZITADEL_DOMAIN": "--domain",
}


class Environment(Mapping[str, str]):
    """The variables that are set, each with the place it came from (``environment``, ``.env``, an option)."""

    def __init__(
        self,
        layers: Mapping[str, Mapping[str, str]],
        *,
        folders: Mapping[str, Path] | None = None,
        file: Path | None = None,
    ) -> None:
        """``layers`` by name of the place, the strongest first. Empty values count as not set.

        ``folders``: for a place that is a file, the folder that holds it. ``file``: the ``.env`` that was read, if any.
        """
        self._folders = dict(folders or {})
        self.file = file
        self._values: dict[str, tuple[str, str]] = {}
        self.shadowed: dict[str, str] = {}
        for place, values in layers.items():
            for name, value in values.items():
                if not value.strip():
                    continue
                if name not in self._values:
                    self._values[name] = (value, place)
                elif self._values[name][0].strip() != value.strip():
                    self.shadowed[name] = place

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Environment({sorted(self._values)})"

    def source(self, name: str) -> str:
        """Where a variable was found; empty when it is not set."""
        return self._values[name][1] if name in self._values else ""

    def without(self, name: str) -> Environment:
        """The same, with one variable not set anywhere."""
        layers: dict[str, dict[str, str]] = {}
        for other, (value, place) in self._values.items():
            if other != name:
                layers.setdefault(place, {})[other] = value
        return Environment(layers, folders=self._folders, file=self.file)

    def folder(self, name: str) -> Path:
        """Where a relative path in a variable starts: beside the file that sets it, else the working directory."""
        return self._folders.get(self.source(name), Path())


def read_environment(env_file: Path | None = None, **options: str | None) -> Environment:
    """Options, the process's environment, then ``.env`` of the working directory (or ``env_file``).

    Options are given by the name of the variable they stand for; ``None`` is not given.

    Raises:
        SettingsError: the file cannot be read, or has a line that is no assignment.
    """
    from zdemo.config.dotenv_file import read_dotenv  # python-dotenv is not loaded before it is needed

    path = env_file or Path(".env")
    is_there = path.is_file() or (path.is_symlink() and not path.exists())  # a link to nothing is no intention
    in_file = read_dotenv(path) if env_file or is_there else {}
    given = {name: value for name, value in options.items() if value is not None}
    layers = {COMMAND_LINE: given, "the environment": os.environ, str(path): in_file}
    return Environment(layers, folders={str(path): path.parent}, file=path if env_file or is_there else None)


def setting_of(variables: Mapping[str, str], name: str) -> str:
    """What is to be changed for another value: the variable, or the option that stands for it and wins over it."""
    given = isinstance(variables, Environment) and variables.source(name) == COMMAND_LINE
    return OPTIONS.get(name, name) if given else name


def where_to_mend(variables: Mapping[str, str], missing: Sequence[str], wrong: Sequence[str]) -> str:
    """What to do about variables that are not set or wrong, by the places where they stand."""
    steps = []
    by_place: dict[str, list[str]] = {}
    for name in wrong:
        by_place.setdefault(variables.source(name) if isinstance(variables, Environment) else "", []).append(name)
    for place, names in by_place.items():
        where = f" in {place}" if place not in ("", COMMAND_LINE) else ""
        steps.append(f"correct {', '.join(setting_of(variables, name) for name in names)}{where}")
    if missing:
        file = variables.file if isinstance(variables, Environment) else None
        example = "" if file else "; cp .env.example .env gives the emulator's values"  # it would overwrite a file
        them = "it" if len(missing) == 1 else "them"  # the message has named them
        what = ", ".join(missing) if wrong else them
        steps.append(f"set {what} in the environment or in {file or '.env'}{example}")
    return "; ".join(steps)
