"""The state file ``.zdemo/setup.json``: read without waiting or following links, and replaced in one step.

It is beside the ``.env`` and has one entry for each ``.env`` of its folder, by name. It holds a person's former
secrets, so its folder has mode 0700 and ignores itself in git, and the file has mode 0600. It is signed with the user's
key for its folder: it decides what is removed, so a file that came with a copy or a repository is not trusted.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from zdemo.config.files import NotAFileError, not_written, read_file, remove_leftovers, replace_file
from zdemo.errors import SettingsError
from zdemo.provisioning.state import (
    EMPTY,
    DamagedState,
    NewerState,
    SetupState,
    StateDocument,
    decode,
    digest,
    encode,
)
from zdemo.provisioning.state_key import key_path, make_key, read_key

FOLDER, FILE, IGNORE = ".zdemo", "setup.json", ".gitignore"
LARGEST_BYTES = 1 << 20  # of a state file: what is longer counts as damaged
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
ANEW = "setup then starts anew, and what it created before stays in ZITADEL"


def state_path(env_path: Path) -> Path:
    """Return where the state of a ``.env`` is; a link counts as the file that it leads to."""
    return Path(os.path.realpath(env_path)).parent / FOLDER / FILE


def read_state(env_path: Path, *, user: int | None = None) -> SetupState:
    """Return what setup remembers of a ``.env``. Raises SettingsError for a file that setup did not leave like that.

    ``user`` is the ID of the user whose file it must be, by default of this process. The superuser trusts every owner.
    """
    return _read_all(env_path, user).get(_key(env_path), EMPTY)


def write_state(env_path: Path, state: SetupState) -> None:
    """Replace what setup remembers of a ``.env`` in one step; with an empty state, forget it."""
    path, entries = state_path(env_path), _read_all(env_path)
    entries.pop(_key(env_path), None)
    if state != EMPTY:
        entries[_key(env_path)] = state
    try:
        if not entries:
            _remove(path)
            return
        key = make_key()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.chmod(0o700)
        _ignore(path.parent)
    except OSError as error:
        raise not_written(path, error) from None
    replace_file(path, _text(path, entries, key))


def _text(path: Path, entries: dict[str, SetupState], key: bytes) -> str:
    """Return the text of the state file. Raises SettingsError for one that could not be read back."""
    text = encode(entries, _place(path), key)
    try:
        content = text.encode()
        decode(content)
    except ValueError as error:
        why = str(error) if isinstance(error, DamagedState) else "it holds half a character"
    else:
        if len(content) <= LARGEST_BYTES:
            return text
        why = "it is too large"
    raise SettingsError([f"this cannot be recorded in {path}: {why}"], hint="use other names, or shorter values")


def issued_pat(env_path: Path | None, token: str) -> tuple[str, str, str] | None:
    """Return which PAT of setup's a text is: its setting, its user's ID, its own ID (it may be empty).

    ``None`` when setup did not write it, and also when the state file cannot be used.
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


def _ignore(folder: Path) -> None:
    """Let git ignore the folder. What somebody else put in place of its ``.gitignore`` is replaced or completed."""
    path = folder / IGNORE
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        path.unlink()  # a link leads elsewhere, and a pipe would be waited for
    text = path.read_bytes() if path.exists() else b""
    if text.splitlines()[-1:] != [b"*"]:  # the last line that matches decides
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o600), "ab") as stream:
            stream.write(b"*\n" if not text or text.endswith(b"\n") else b"\n*\n")


def _remove(path: Path) -> None:
    """Remove the file and what killed runs left; then the folder, unless it holds what others put there."""
    path.unlink(missing_ok=True)
    remove_leftovers(path.parent)
    with suppress(OSError):
        if os.listdir(path.parent) == [IGNORE]:
            (path.parent / IGNORE).unlink()
        path.parent.rmdir()


def _read_all(env_path: Path, user: int | None = None) -> dict[str, SetupState]:
    path, user = state_path(env_path), _this_user() if user is None else user
    try:
        _check_folder(path.parent, user)
        content = _content(path, user)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="check its permissions") from None
    try:
        if len(content) > LARGEST_BYTES:
            raise DamagedState("it is too large")
        document = decode(content)
    except NewerState:
        raise SettingsError([f"{path} was written by a newer zdemo"], hint="update zdemo") from None
    except DamagedState as damage:
        raise SettingsError(
            [f"{path} is damaged: {damage}"],
            hint=f"restore it from a backup, or set it aside: mv {path} {path}.damaged ({ANEW})",
        ) from None
    _check_signature(path, document)
    return dict(document.entries)


def _check_signature(path: Path, document: StateDocument) -> None:
    """Raise SettingsError for what this user's setup did not write for this folder, on this machine."""
    key, anew = read_key(), f"set it aside: mv {path} {path}.old ({ANEW})"
    if key is None:
        raise SettingsError(
            [f"{path} was not written by your zdemo on this machine: there is no key in {key_path()}"],
            hint=f"restore the key, or run zdemo where you ran it before, or {anew}",
        )
    if not document.is_signed(key):
        raise SettingsError(
            [f"{path} was not written by your zdemo on this machine, or was changed since"],
            hint=f"if it is from a backup, restore it as it was; else {anew}",
        )
    if document.folder != _place(path):
        raise SettingsError(
            [f"{path} was written for {os.fsdecode(unquote_to_bytes(document.folder))}, not for this folder"],
            hint=f"if you moved the folder, move it back to use setup; if it is a copy, {anew}",
        )


def _place(path: Path) -> str:
    """Return the folder of the ``.env`` files that a state file is for, as a printable text."""
    return quote(os.fsencode(path.parent.parent))


def _this_user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0  # not on Windows


def _content(path: Path, user: int) -> bytes:
    """Return the content of the state file, up to one byte more than it may have."""
    _check_no_link(path)
    try:
        content, status = read_file(path, LARGEST_BYTES)
    except NotAFileError as error:
        raise SettingsError([f"{path} is {error.strerror}"], hint=_aside(path)) from None
    _check_owner(path, status, user, "600")
    return content


def _check_no_link(path: Path) -> None:
    """Raise SettingsError for a link: it would lead a person's former secrets to another place."""
    if path.is_symlink():
        target = os.path.realpath(path)
        hint = f"put the file in the place of the link: mv {target} {path}"
        raise SettingsError(
            [f"{path} is a link to {target}, and setup reads and writes only a file of its own"],
            hint=hint if os.path.isfile(target) else _aside(path),
        )


def _check_folder(folder: Path, user: int) -> None:
    """Raise SettingsError for a folder that is a link or not a folder, or that others may have put a file into."""
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        target = os.path.realpath(folder)
        raise SettingsError(
            [f"{folder} is a link to {target}, and setup uses only a folder of its own"],
            hint=f"put the folder in the place of the link: rm {folder} && mv {target} {folder}",
        )
    if not stat.S_ISDIR(found.st_mode):
        raise SettingsError([f"{folder} is not a folder"], hint=_aside(folder))
    _check_owner(folder, found, user, "700")


def _check_owner(path: Path, found: os.stat_result, user: int, mode: str) -> None:
    """Raise SettingsError for what another user owns or may write: it decides what is removed and restored."""
    if user and found.st_uid != user:
        raise SettingsError(
            [f"{path} belongs to another user (ID {found.st_uid})"],
            hint=f"run zdemo as that user, or {_aside(path)}",
        )
    if found.st_mode & OTHERS_WRITE and _keeps_modes(path.parent):
        shown = f"{stat.S_IMODE(found.st_mode):04o}"
        raise SettingsError(
            [f"other users may write to {path} (mode {shown}), so it may not be what setup wrote"],
            hint=f"look through it, then run: chmod {mode} {path}",
        )


def _aside(path: Path) -> str:
    return f"set it aside: mv {path} {path}.old"


def _keeps_modes(folder: Path) -> bool:
    """Return whether files in the folder have the modes that they are given; not so on Windows and some mounts."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:  # made with mode 0600
            return not os.fstat(probe.fileno()).st_mode & OTHERS_WRITE
    except OSError:
        return True
