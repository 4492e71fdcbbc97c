"""The two files of a setup: the ``.env`` with the settings, and the state file that remembers how they came there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zdemo.config.dotenv_file import read_dotenv, replace_file, update_dotenv
from zdemo.config.emulator_values import usable_at
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError
from zdemo.management.client import ManagementClient
from zdemo.provisioning.gitignore import KEY_FILES
from zdemo.provisioning.state import EMPTY, digest
from zdemo.provisioning.state_file import read_state, write_state

GROUPS: Mapping[str, tuple[str, ...]] = {
    "# ZITADEL, and the project that defines the role": ("ZITADEL_DOMAIN", "ZITADEL_PROJECT_ID"),
    "# the credentials of the API application": ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE"),
    "# the token of the user with the role; zdemo call and zdemo introspect send it": ("PAT",),
    "# the token of the user without the role": ("ZDEMO_VISITOR_PAT",),
}
SETTINGS = tuple(name for names in GROUPS.values() for name in names)
"""The settings that setup writes."""
ADMIN_PAT = "ZITADEL_ADMIN_PAT"
"""Setup never writes it, but removes the emulator's."""

LONGEST_KEY_NAME_BYTES = 246  # with the end of the name, 255: the longest file name of Linux and macOS


def key_name(application_name: str) -> str:
    """Return the beginning of the name of an application's key file: short, and without what leads elsewhere or hides.

    The digest tells apart the names that are cut off, or that hold what a file's name cannot hold here.
    """
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in application_name).lstrip(".") or "application"
    encoding = sys.getfilesystemencoding()
    kept, end = safe.encode(encoding, "ignore"), f"-{digest(application_name)}"
    if len(kept) <= LONGEST_KEY_NAME_BYTES and kept.decode(encoding) == safe:
        return safe
    return kept[: LONGEST_KEY_NAME_BYTES - len(end)].decode(encoding, "ignore") + end


def key_in(file: Path) -> str:
    """Return the ID of the key in a file; empty when it is not a key file."""
    try:
        return str(json.loads(file.read_bytes()).get("keyId", ""))
    except (OSError, ValueError, AttributeError):
        return ""


class SetupFiles:
    """The settings of one ``.env`` and its state as they are now. Every change is on the disk when a method returns."""

    def __init__(self, path: Path) -> None:
        """Read both files. Raises SettingsError for one that cannot be read, and for a place where none can be."""
        if path.is_dir():
            raise SettingsError([f"{path} is a folder, not a file"], hint="name another file with --env-file")
        if not path.parent.is_dir():
            raise SettingsError(
                [f"{path} cannot be written: there is no folder {path.parent}"],
                hint=f"mkdir -p {path.parent}, or correct --env-file",
            )
        self.path = path
        self.values: dict[str, str] = read_dotenv(path) if path.exists() else {}
        self.state = read_state(path)

    def get(self, name: str) -> str:
        """Return a setting without blanks around it; empty when it is not there."""
        return self.values.get(name, "").strip()

    def wrote(self, name: str) -> bool:
        """Return whether a setting has a value that setup gave it."""
        return self.state.wrote(name, self.get(name))

    def record(self, **changes: Any) -> None:
        """Change the state."""
        state = replace(self.state, **changes)
        if state != self.state:
            write_state(self.path, state)
            self.state = state

    def write(self, changes: Mapping[str, str | None]) -> None:
        """Set settings or, by ``None``, remove them, all in one step.

        A value that is not setup's goes to the state file first. Its line is emptied, not removed, so that its place
        and its comment stay.
        """
        changes = {name: value for name, value in changes.items() if self.get(name) != (value or "")}
        if not changes:
            return
        previous, written = dict(self.state.previous), dict(self.state.written)
        for name, value in changes.items():
            if name in self.values and not self.wrote(name) and not (name in previous and not self.get(name)):
                previous[name] = self.values[name]
            if value:
                written[name] = (*dict.fromkeys((*written.get(name, ()), digest(value))),)
        self.record(previous=previous, written=written, created_file=self.state.created_file or not self.path.exists())
        self._add_lines([name for name, value in changes.items() if value and name not in self.values])
        self._update({name: value or ("" if name in previous else None) for name, value in changes.items()})

    def restore(self) -> None:
        """Remove setup's values and comments, restore the previous ones, and forget the state."""
        state = self.state
        self._update({name: state.previous.get(name) for name in self.own_settings})
        if self.path.exists():
            self._remove_comments()
            if state.created_file and not self.path.read_bytes().strip():
                os.unlink(os.path.realpath(self.path))
        write_state(self.path, EMPTY)
        self.state = EMPTY

    @property
    def own_settings(self) -> tuple[str, ...]:
        """The settings that have a value of setup's, or whose line setup has emptied."""
        emptied = {name for name in self.state.previous if not self.get(name)}
        return tuple(
            name for name in (*SETTINGS, ADMIN_PAT) if name in self.values and (self.wrote(name) or name in emptied)
        )

    def key_file(self, application_name: str) -> Path:
        """Return the path of an application's key file."""
        return self.path.parent / KEY_FILES.replace("*", key_name(application_name))

    def key_files(self) -> list[Path]:
        """Return the key files beside ``.env`` that setup wrote."""
        digests = {key.digest for key in self.state.keys} - {""}
        return [file for file in sorted(self.path.parent.glob(KEY_FILES)) if digest(key_in(file)) in digests]

    def settings(self, client: ManagementClient) -> Settings | None:
        """Return the settings of an API at the client's ZITADEL; ``None`` when the credentials cannot be used."""
        names = ("ZITADEL_PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
        values = {name: usable_at(client.issuer, self.get(name)) for name in names}
        values |= {"ZITADEL_DOMAIN": client.issuer, "ZDEMO_TIMEOUT": f"{client.timeout_seconds:g}"}
        values["ZDEMO_ALLOW_HTTP"] = "1"
        try:
            return Settings.from_env(Environment({str(self.path): values}))
        except SettingsError:
            return None

    def _update(self, changes: Mapping[str, str | None]) -> None:
        if not changes:
            return
        update_dotenv(self.path, changes)
        for name, value in changes.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value

    def _text(self) -> tuple[list[str], str]:
        """The lines of the file, each with its end, and the line end to use."""
        text = self.path.read_bytes().decode("utf-8-sig") if self.path.exists() else ""
        return text.splitlines(keepends=True), "\r\n" if "\r\n" in text else "\n"

    def _add_lines(self, names: list[str]) -> None:
        """Add empty settings, each in its group, under the comment that says what the group is."""
        if not names:
            return
        lines, end = self._text()
        if lines and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += end
        for comment, group in GROUPS.items():
            new = [f"{name}={end}" for name in group if name in names]
            if not new:
                continue
            at = next((i for i, line in enumerate(lines) if line.strip() == comment), None)
            if at is None:
                lines += [*([end] if lines else []), comment + end, *new]
                continue
            while at < len(lines) and lines[at].strip():
                at += 1
            lines[at:at] = new
        replace_file(self.path, "".join(lines))

    def _remove_comments(self) -> None:
        """Remove the comments of groups of which no setting is left."""
        lines, end = self._text()
        for comment, group in GROUPS.items():
            at = next((i for i, line in enumerate(lines) if line.strip() == comment), None)
            if at is None or any(line.partition("=")[0] in group for line in lines[at + 1 : at + 1 + len(group)]):
                continue
            start = at - 1 if at and lines[at - 1] == end else at
            del lines[start : at + 1]
        replace_file(self.path, "".join(lines))
