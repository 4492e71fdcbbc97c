"""The ``.env`` that setup reads its own notes from and writes to: what it wrote is known by name afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zdemo.config.dotenv_file import read_dotenv, update_dotenv
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError
from zdemo.provisioning.previous_values import given_back, with_marks, written


class EnvFile:
    """The variables of one ``.env`` file as they are now. Every ``write`` is on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError for a file that cannot be read, and for a place where none can be."""
        if path.is_dir():
            raise SettingsError(
                [f"{path} is a folder, not a file"], hint="move it away, or name a file with --env-file"
            )
        if not path.parent.is_dir():
            raise SettingsError(
                [f"{path} cannot be written: there is no folder {path.parent}"],
                hint="make the folder, or correct --env-file",
            )
        self.path = path
        self.values: dict[str, str] = read_dotenv(path) if path.exists() else {}

    def get(self, name: str) -> str:
        """A variable without blanks around it; empty when it is not there."""
        return self.values.get(name, "").strip()

    @property
    def written(self) -> set[str]:
        """The settings whose values are setup's."""
        return written(self.values)

    def listed(self, name: str) -> list[str]:
        """The values of a variable that holds several."""
        return list(filter(None, self.get(name).split(",")))

    def write(self, changes: Mapping[str, str | None]) -> None:
        """Set or, by ``None``, remove variables, in one step; what is so already is left alone.

        A setting's value that is not setup's is kept in a line of its own.
        """
        real = {name: value for name, value in changes.items() if self.get(name) != (value or "")}
        if real:
            self._update(with_marks(self.values, real))

    def take_out(self, names: set[str]) -> None:
        """Remove lines; what stood there before setup's values comes back."""
        self._update(given_back(self.values, names))

    def _update(self, changes: Mapping[str, str | None]) -> None:
        if not changes:
            return
        update_dotenv(self.path, changes)
        for name, value in changes.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value

    def settings(self, issuer: str, timeout_seconds: float) -> Settings | None:
        """What a command would make of the file; ``None`` when the credentials in it are incomplete or broken."""
        names = ("ZITADEL_PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
        values = {name: self.get(name) for name in names}
        values |= {"ZITADEL_DOMAIN": issuer, "ZDEMO_TIMEOUT": f"{timeout_seconds:g}", "ZDEMO_ALLOW_HTTP": "1"}
        try:
            return Settings.from_env(Environment({"": values}, folders={"": self.path.parent}))
        except SettingsError:
            return None
