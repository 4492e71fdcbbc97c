"""The user's secret key, with which setup signs its state files, so that one from elsewhere is not trusted.

It is in a folder of the user, outside of any project: a repository or an archive can bring a state file, not the key.
"""

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from zdemo.config.files import read_file
from zdemo.errors import SettingsError

KEY_BYTES = 32
OTHERS_USE = stat.S_IRWXG | stat.S_IRWXO
VARIABLE, BELOW_HOME = ("LOCALAPPDATA", "AppData/Local") if os.name == "nt" else ("XDG_STATE_HOME", ".local/state")
ANOTHER_FOLDER = f"set {VARIABLE} to a folder of yours outside of the project"


def key_path() -> Path:
    """Return where the key is. Raises SettingsError when the user has no folder for it."""
    base = os.environ.get(VARIABLE, "")
    if not os.path.isabs(base):  # ignored, as the XDG specification says
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            raise SettingsError(["setup needs a folder for its key, and you have no home folder"], hint=ANOTHER_FOLDER)
        base = os.path.join(home, BELOW_HOME)
    return Path(base, "zdemo", "setup.key")


def read_key() -> bytes | None:
    """Return the key; ``None`` when there is none yet. Raises SettingsError for one that others may know."""
    path = key_path()
    try:
        key, status = read_file(path, KEY_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint=ANOTHER_FOLDER) from None
    user = os.geteuid() if hasattr(os, "geteuid") else 0  # not on Windows
    if user and status.st_uid != user:
        raise SettingsError([f"{path} belongs to another user (ID {status.st_uid})"], hint=ANOTHER_FOLDER)
    if os.name != "nt" and status.st_mode & OTHERS_USE:
        shown = f"{stat.S_IMODE(status.st_mode):04o}"
        raise SettingsError(
            [f"other users may know the key in {path} (mode {shown})"], hint=f"chmod 600 {path}, or {ANOTHER_FOLDER}"
        )
    if len(key) != KEY_BYTES:
        raise SettingsError([f"{path} is not a key of zdemo's"], hint=f"restore it from a backup, or {ANOTHER_FOLDER}")
    return key


def make_key() -> bytes:
    """Return the key; create it when there is none. Raises SettingsError where none can be kept."""
    if key := read_key():
        return key
    path = key_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # with mode 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_bytes(KEY_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):  # another run was faster: that key counts
                os.link(name, path)
        finally:
            os.unlink(name)
    except OSError as error:
        raise SettingsError([f"{path} cannot be written: {error.strerror}"], hint=ANOTHER_FOLDER) from None
    return read_key() or make_key()
