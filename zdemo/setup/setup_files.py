"""The two files of a setup: the ``.env`` with the settings, and the state file that remembers how they came there."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.config.dotenv_file import Dotenv, assignment, load_dotenv, valid_dotenv
from zdemo.config.environment import Environment
from zdemo.config.file_io import check_writable, read_file, remove_leftovers, replace_file
from zdemo.config.key_file import LARGEST_BYTES
from zdemo.config.new_dotenv import usable_at
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError, ZdemoError
from zdemo.errors.steps import Command, Shell
from zdemo.setup.state_file import EMPTY, FOLDER, digest, read_state, write_state
from zdemo.zitadel.management import ManagementClient

KEY_FILES = "*.key.json"
COMMENTS = {  # what stands above a setting that setup adds
    "ZITADEL_DOMAIN": "# ZITADEL, and the project that defines the role",
    "CLIENT_ID": "# the credentials of the API application",
    "PAT": "# the token of the user with the role; zdemo call and zdemo introspect send it",
    "ZDEMO_VISITOR_PAT": "# the token of the user without the role",
    "ZDEMO_APP_CLIENT_ID": "# the client ID of the application for people; zdemo token --login",
}


def key_in(file: Path) -> str:
    """Return the ID of the key in a file; empty when it is not a key file."""
    try:
        content, _ = read_file(file, LARGEST_BYTES)
        return str(json.loads(content).get("keyId", ""))
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""


@contextmanager
def only_setup_in_folder(env_path: Path) -> Iterator[None]:
    """Keep other setups out of the folder of this ``.env`` while the block runs; remove what killed ones left there.

    The folder itself is locked, so that no file is left behind. Where that is impossible (Windows, some network
    folders, a missing folder), no other setup is kept out, and nothing is removed. Raises ZdemoError when another one
    is running there.
    """
    folder = Path(os.path.realpath(env_path)).parent
    with ExitStack() as stack:
        try:
            import fcntl  # not on Windows

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for place in (folder, folder / FOLDER):
                remove_leftovers(place)
        except BlockingIOError:
            hint = "wait until it has finished", Command("setup")
            raise ZdemoError(f"another zdemo setup is running in {folder}; nothing was changed", hint=hint) from None
        except (ImportError, OSError):
            pass
        yield


class SetupFiles:
    """The settings of one ``.env`` and its state as they are now. Every change is on the disk when a method returns."""

    def __init__(self, path: Path) -> None:
        """Read both files. Raises SettingsError for one that cannot be read, and for a place where none can be."""
        if path.is_dir():
            raise SettingsError([f"{path} is a folder, not a file"], hint="name another file with --env-file")
        if not path.parent.is_dir():
            hint = Shell(f"mkdir -p {shlex.quote(str(path.parent))}"), "or correct --env-file"
            raise SettingsError([f"{path} cannot be written: there is no folder {path.parent}"], hint=hint)
        self.path = path
        self.values: dict[str, str] = valid_dotenv(path).values if os.path.lexists(path) else {}
        self.state = read_state(path)

    def check_writable(self) -> None:
        """Raise SettingsError if the settings cannot be written, as far as that can be known before."""
        check_writable(self.path)
        check_writable(self.path.parent / KEY_FILES)  # a link can lead ``.env`` to another folder

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

        What is not setup's goes to the state file first, as it is written. Its line is emptied, not removed, so that
        its place stays.
        """
        dotenv = self._read()
        changes = {name: value for name, value in changes.items() if self.get(name) != (value or "")}
        if not changes:
            return
        previous, written = dict(self.state.previous), dict(self.state.written)
        for name, value in changes.items():
            statement, is_emptied = dotenv.statement(name), name in previous and not self.get(name)
            if statement and not self.wrote(name) and not is_emptied:
                previous[name] = statement
            if value:
                written[name] = (*dict.fromkeys((*written.get(name, ()), digest(value))),)
        self.record(previous=previous, written=written, created_file=self.state.created_file or dotenv.status is None)
        for name, value in changes.items():
            statement = assignment(name, value or "") if value or name in previous else ""
            dotenv.put(name, statement, comment=COMMENTS.get(name, ""))
        self._save(dotenv)

    def restore(self) -> None:
        """Remove setup's values and comments, restore the previous ones, and forget the state."""
        dotenv, state = self._read(), self.state
        for name in self.own_settings:
            dotenv.put(name, state.previous.get(name, ""), comment=COMMENTS.get(name, ""))
        if state.created_file and dotenv.status and not dotenv.text.strip():
            os.unlink(os.path.realpath(self.path))
            self.values = {}
        elif dotenv.status and self.own_settings:
            self._save(dotenv)
        write_state(self.path, EMPTY)
        self.state = EMPTY

    @property
    def own_settings(self) -> tuple[str, ...]:
        """The settings that have a value of setup's, or whose line setup has emptied."""
        emptied = {name for name in self.state.previous if not self.get(name)}
        return tuple(name for name in self.values if self.wrote(name) or name in emptied)

    @property
    def restored_settings(self) -> tuple[str, ...]:
        """The settings that get back a value that they had before setup."""
        values = {name: Dotenv(self.state.previous.get(name, "")).values.get(name) for name in self.own_settings}
        return tuple(name for name, value in values.items() if value)

    def key_file(self, application_name: str) -> Path:
        """Return the path of an application's key file: short, and without what leads elsewhere or hides."""
        safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in application_name).lstrip(".") or "application"
        return self.path.parent / KEY_FILES.replace("*", safe[:60])  # of up to four bytes; a file name has 255 at most

    def key_files(self) -> list[Path]:
        """Return the key files beside ``.env`` that setup wrote."""
        digests = {key.digest for key in self.state.keys} - {""}
        return [file for file in sorted(self.path.parent.glob(KEY_FILES)) if digest(key_in(file)) in digests]

    def settings(self, client: ManagementClient) -> Settings:
        """Return the settings of an API at the client's ZITADEL. Raises SettingsError for unusable credentials."""
        names = ("ZITADEL_PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
        values = {name: usable_at(client.zitadel.issuer, self.get(name)) for name in names}
        values |= {ISSUER: client.zitadel.issuer, INTERNAL_URL: client.zitadel.internal_url or ""}
        values["ZDEMO_TIMEOUT"] = f"{client.timeout_seconds:g}"
        values["ZDEMO_ALLOW_HTTP"] = "1"
        return Settings.from_env(Environment({str(self.path): values}))

    def _read(self) -> Dotenv:
        """Read the file, which others may have changed since."""
        dotenv = load_dotenv(self.path) if self.path.exists() else Dotenv()
        self.values = dotenv.values
        return dotenv

    def _save(self, dotenv: Dotenv) -> None:
        replace_file(self.path, dotenv.text, like=dotenv.status)
        self.values = dotenv.values
