"""The ``.env`` that setup reads its own notes from and writes to: what it wrote is known by name afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zdemo.config import Settings
from zdemo.dotenv_file import read_dotenv, update_dotenv
from zdemo.environment import Environment
from zdemo.errors import SettingsError
from zdemo.setup_names import SETTINGS, WROTE


class EnvFile:
    """The variables of one ``.env`` file as they are now. Every ``write`` is on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = read_dotenv(path) if path.exists() else {}

    def get(self, name: str) -> str:
        """A variable without blanks around it; empty when it is not there."""
        return self.values.get(name, "").strip()

    @property
    def written(self) -> set[str]:
        """The settings whose values are setup's."""
        return set(filter(None, self.get(WROTE).split(",")))

    def write(self, changes: Mapping[str, str | None]) -> None:
        """Set or, by ``None``, remove variables, in one step; what is so already is left alone."""
        real = {name: value for name, value in changes.items() if not self._is(name, value)}
        if not real:
            return
        ours = self.written | {name for name in real if name in SETTINGS and real[name] is not None}
        ours -= {name for name, value in real.items() if value is None}
        real[WROTE] = ",".join(name for name in SETTINGS if name in ours) or None
        self._update(real)

    def remove(self, names: set[str]) -> None:
        """Take lines out, the list of what setup wrote among them if it is named."""
        self._update({name: None for name in self.values if name in names})

    def _is(self, name: str, value: str | None) -> bool:
        return name not in self.values if value is None else self.get(name) == value

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
