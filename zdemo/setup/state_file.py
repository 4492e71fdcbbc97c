"""What setup remembers of a ``.env``, in ``.zdemo/setup.json`` beside it: IDs, credentials and the values it replaced.

The file has one entry for each ``.env`` of its folder, by name. It can hold a person's former secrets: it has mode
0600, its folder has mode 0700 and ignores itself in git. It is believed as it is.
"""

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zdemo.config.file_io import not_written, read_file, remove_leftovers, replace_file
from zdemo.errors import SettingsError
from zdemo.errors.steps import Shell

FOLDER, FILE, IGNORE = ".zdemo", "setup.json", ".gitignore"
VERSION = 1
LARGEST_BYTES = 1 << 20  # of a state file
DIGEST_DIGITS = 12  # of SHA-256: enough to recognize a value, too few to recover a secret from
ID_FIELDS = ("project_id", "application_id", "reader_id", "visitor_id", "login_app_id")


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

    ``shared_project_id`` is a project that setup uses and did not create. ``added_roles`` are in that project, or in
    setup's own; ``assignment_…`` is the latest assignment that setup made. ``secret_written``: the application's client
    secret was in ``.env``. ``rotating``: a person allowed a new one. ``unfinished``: a run is at work, or was
    interrupted. ``previous`` holds the statements of ``.env`` that setup replaced, as they were written, and
    ``written`` the digests of setup's own values.
    """

    zitadel: str = ""
    project_id: str = ""
    application_id: str = ""
    reader_id: str = ""
    visitor_id: str = ""
    login_app_id: str = ""
    shared_project_id: str = ""
    added_roles: tuple[str, ...] = ()
    assignment_id: str = ""
    assignment_role: str = ""
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
        return object_id != "" and any(getattr(self, field) == object_id for field in ID_FIELDS)

    def wrote(self, name: str, value: str) -> bool:
        """Return whether a setting has a value that setup gave it."""
        return digest(value) in self.written.get(name, ())


EMPTY = SetupState()


def digest(text: str) -> str:
    """Return the digest that is recorded instead of a text; empty for an empty text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS] if text else ""


def lost_credentials(
    issued: Iterable[IssuedCredential], listed: Mapping[str, int | None], in_use: str
) -> tuple[str, ...]:
    """Return the IDs of listed PATs or keys that setup created and that never reached the file where they are used.

    ``listed`` maps IDs to times of expiry; ``in_use`` is the text that is in the file now.
    """
    lost = {c.expires for c in issued if not c.id and not (c.digest and c.digest == digest(in_use))}
    return tuple(id for id, expires in listed.items() if expires in lost)


# --- the file


def state_path(env_path: Path) -> Path:
    """Return where the state of a ``.env`` is; a link counts as the file that it leads to."""
    return Path(os.path.realpath(env_path)).parent / FOLDER / FILE


def read_state(env_path: Path) -> SetupState:
    """Return what setup remembers of a ``.env``. Raises SettingsError for a file that cannot be read."""
    return _read_all(state_path(env_path)).get(_key(env_path), EMPTY)


def write_state(env_path: Path, state: SetupState) -> None:
    """Replace what setup remembers of a ``.env`` in one step; with an empty state, forget it."""
    path = state_path(env_path)
    entries = _read_all(path) | {_key(env_path): state}
    if entries := {name: entry for name, entry in entries.items() if entry != EMPTY}:
        make_folder(path.parent)
        files = {name: asdict(entry) for name, entry in entries.items()}
        replace_file(path, json.dumps({"version": VERSION, "files": files}, indent=2) + "\n")
        return
    try:
        path.unlink(missing_ok=True)
        remove_leftovers(path.parent)
        with suppress(OSError):  # the folder stays if it holds what others put there
            if os.listdir(path.parent) == [IGNORE]:
                (path.parent / IGNORE).unlink()
            path.parent.rmdir()
    except OSError as error:
        raise not_written(path, error) from None


def make_folder(folder: Path) -> None:
    """Make the folder for what belongs to a ``.env``, unless it exists: git ignores it, and others cannot read it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / IGNORE).exists():
            (folder / IGNORE).write_text("*\n")
    except OSError as error:
        raise not_written(folder, error) from None


def issued_pat(env_path: Path | None, token: str) -> tuple[str, str, str] | None:
    """Return the setting, user ID and PAT ID (may be empty) of a PAT that setup issued; ``None`` for other texts."""
    state = known_state(env_path)
    pats = (("PAT", state.reader_pats), ("ZDEMO_VISITOR_PAT", state.visitor_pats))
    known = {pat.digest: (setting, pat.owner_id, pat.id) for setting, issued in pats for pat in issued if pat.digest}
    return known.get(digest(token.strip()))


def known_state(env_path: Path | None) -> SetupState:
    """Return what setup remembers of a ``.env``, which is nothing if the state file cannot be used."""
    with suppress(SettingsError):
        return read_state(env_path or Path(".env"))
    return EMPTY


def _key(env_path: Path) -> str:
    return Path(os.path.realpath(env_path)).name


def aside(path: Path, suffix: str) -> Shell:
    """Return the step that sets a state file aside."""
    does = "or forget what setup created before, which stays in ZITADEL"
    return Shell(shlex.join(["mv", str(path), f"{path}.{suffix}"]), does=does)


def _read_all(path: Path) -> dict[str, SetupState]:
    """Return the entries of a state file by the names of their ``.env``; unknown fields are left out."""
    try:
        content, _ = read_file(path, LARGEST_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        hint = f"remove or rename the file {path.parent}" if path.parent.is_file() else "check folder and permissions"
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint=hint) from None
    import msgspec  # here, because most commands find no state file

    try:
        document = json.loads(content)
        is_newer = document["version"] > VERSION
        files = msgspec.convert(document["files"], dict[str, SetupState])
    except (KeyError, TypeError, ValueError, RecursionError):
        what, hint = f"{path} is damaged: it is not what setup writes", "restore it from a backup"
        raise SettingsError([what], hint=(hint, aside(path, "damaged"))) from None
    if is_newer:
        raise SettingsError([f"{path} was written by a newer zdemo"], hint="update zdemo")
    return files
