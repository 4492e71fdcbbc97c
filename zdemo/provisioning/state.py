"""What setup remembers in ``.zdemo/setup.json``: the IDs it chose, the credentials it issued, the values it replaced.

The file is beside the ``.env`` and has one entry for each ``.env`` of its folder, by name. It holds a person's former
secrets, so its folder has mode 0700 and ignores itself in git, and the file has mode 0600.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from zdemo.errors import SettingsError

VERSION = 1
FOLDER, FILE = ".zdemo", "setup.json"
LARGEST_BYTES = 1 << 20  # of a state file: what is cut off there counts as damaged
DIGEST_DIGITS = 12  # of SHA-256: enough to recognize a value, too few to recover a secret from
ZITADEL_EPOCH = 1_556_496_000  # 2019-04-29T00:00:00Z, where the time in ZITADEL's IDs begins (epoch seconds)
UNITS_PER_SECOND = 100
RANDOM_BITS = 24  # below the time: ZITADEL puts a sequence and its machine there


@dataclass(frozen=True, kw_only=True)
class IssuedCredential:
    """A PAT or a key that setup creates; recorded before ZITADEL is asked for it.

    ``expires`` (milliseconds since 1970) is unique, so that one whose answer was lost can be found. ``digest`` is that
    of the PAT, or of the key's ID, once it is known; ``id`` is set when it has been written where it is used.
    """

    owner_id: str
    expires: int
    digest: str = ""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class SetupState:
    """What setup remembers of one ``.env``. The IDs are those that setup chose, written before each creation.

    ``shared_project_id`` is a project that setup uses and did not create, with the role that it added there and the
    assignment that it made. ``secret_written``: the application's client secret was in ``.env``. ``rotating``: a
    person allowed a new one. ``unfinished``: a run is at work, or was interrupted. ``previous`` holds the values that
    setup replaced, ``written`` the digests of setup's own.
    """

    zitadel: str = ""
    project_id: str = ""
    application_id: str = ""
    reader_id: str = ""
    visitor_id: str = ""
    shared_project_id: str = ""
    added_role: str = ""
    assignment_id: str = ""
    secret_written: bool = False
    rotating: bool = False
    unfinished: bool = False
    created_file: bool = False
    reader_pats: tuple[IssuedCredential, ...] = ()
    visitor_pats: tuple[IssuedCredential, ...] = ()
    keys: tuple[IssuedCredential, ...] = ()
    previous: Mapping[str, str] = field(default_factory=dict, repr=False)
    written: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def owns(self, object_id: str) -> bool:
        """Return whether setup chose this ID."""
        chosen = {self.project_id, self.application_id, self.reader_id, self.visitor_id} - {""}
        return object_id in chosen

    def wrote(self, name: str, value: str) -> bool:
        """Return whether a setting has a value that setup gave it."""
        return digest(value) in self.written.get(name, ())


EMPTY = SetupState()


def digest(text: str) -> str:
    """Return the digest that is recorded instead of a text; empty for an empty text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS] if text else ""


def lost_credentials(
    issued: Iterable[IssuedCredential], listed: Mapping[str, int | None], in_use: str
) -> tuple[str, ...]:
    """Return the IDs of listed PATs or keys that setup created and that never reached the file where they are used.

    ``listed`` maps IDs to times of expiry; ``in_use`` is the text that is in the file now.
    """
    lost = {c.expires for c in issued if not c.id and not (c.digest and c.digest == digest(in_use))}
    return tuple(found for found, expires in listed.items() if expires in lost)


def new_id(clock: Callable[[], float] = time.time) -> str:
    """Return an ID in ZITADEL's own form, 18 digits: 10 ms since 2019-04-29, then 24 bits, which are random here."""
    units = int((clock() - ZITADEL_EPOCH) * UNITS_PER_SECOND)
    return str(units << RANDOM_BITS | secrets.randbits(RANDOM_BITS))


def state_path(env_path: Path) -> Path:
    """Return where the state of a ``.env`` is; a link counts as the file that it leads to."""
    return Path(os.path.realpath(env_path)).parent / FOLDER / FILE


def read_state(env_path: Path) -> SetupState:
    """Return what setup remembers of a ``.env``. Raises SettingsError for a damaged file."""
    return _read_all(env_path).get(_key(env_path), EMPTY)


def write_state(env_path: Path, state: SetupState) -> None:
    """Replace what setup remembers of a ``.env`` in one step; with an empty state, forget it."""
    from zdemo.config.dotenv_file import replace_file  # readers of the state do not need python-dotenv

    path, entries = state_path(env_path), _read_all(env_path)
    entries.pop(_key(env_path), None)
    if state != EMPTY:
        entries[_key(env_path)] = state
    if not entries:
        _remove(path)
        return
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.chmod(0o700)
        (path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError([f"{path} cannot be written: {error.strerror}"], hint="check the folder's rights") from None
    document = {"version": VERSION, "files": {name: asdict(entry) for name, entry in entries.items()}}
    replace_file(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def issued_pat(env_path: Path | None, token: str) -> tuple[str, str, str] | None:
    """Return which PAT of setup's a text is: its setting, its user's ID, its own ID (it may be empty).

    ``None`` when setup did not write it, and also when the state file is damaged.
    """
    try:
        state = read_state(env_path or Path(".env"))
    except SettingsError:
        return None
    for setting, pats in (("PAT", state.reader_pats), ("ZDEMO_VISITOR_PAT", state.visitor_pats)):
        for pat in pats:
            if pat.digest and pat.digest == digest(token.strip()):
                return setting, pat.owner_id, pat.id
    return None


def _key(env_path: Path) -> str:
    return Path(os.path.realpath(env_path)).name


def _remove(path: Path) -> None:
    for file in (
        path,
        path.parent / ".gitignore",
        *path.parent.glob(".env.*.tmp"),
    ):  # the last of runs that were killed
        file.unlink(missing_ok=True)
    try:
        path.parent.rmdir()
    except OSError:  # it is not there, or holds what others put there
        return


def _read_all(env_path: Path) -> dict[str, SetupState]:
    path = state_path(env_path)
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(LARGEST_BYTES))
        if isinstance(document, dict) and isinstance(document.get("version"), int) and document["version"] > VERSION:
            raise SettingsError([f"{path} was written by a newer zdemo"], hint="update zdemo")
        return _decoded(document)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="check its permissions") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise SettingsError(
            [f"{path} is damaged: it is not what zdemo setup writes"],
            hint=f"restore it from a backup, or set it aside: mv {path} {path}.damaged (setup then starts anew, and "
            "what it created before stays in ZITADEL)",
        ) from None


def _decoded(document: Any) -> dict[str, SetupState]:
    if set(document) != {"version", "files"} or document["version"] != VERSION:
        raise ValueError
    return {name: _checked(SetupState, entry) for name, entry in document["files"].items()}


def _checked(kind: type[SetupState] | type[IssuedCredential], entry: Any) -> Any:
    """Return the entry as a dataclass. Raises ValueError or TypeError for a missing, unknown or wrong field."""
    types = {"str": str, "bool": bool, "int": int}
    if {f.name for f in fields(kind)} != set(entry):
        raise ValueError
    values: dict[str, Any] = {}
    for name, written_as in ((f.name, str(f.type)) for f in fields(kind)):
        value = entry[name]
        if written_as.startswith("tuple"):
            value = tuple(_checked(IssuedCredential, item) for item in value)
        elif name == "written":
            value = {setting: tuple(map(str, digests)) for setting, digests in value.items()}
        elif name == "previous":
            value = {setting: str(text) for setting, text in value.items()}
        elif type(value) is not types[written_as]:
            raise TypeError
        values[name] = value
    return kind(**values)
