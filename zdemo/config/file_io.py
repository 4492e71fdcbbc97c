"""Files read without waiting and without end, and replaced in one step."""

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zdemo.errors import SettingsError
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import Shell, Step, TightenMode

PREFIX, SUFFIX = ".env.zdemo-", ".tmp"  # of temporary files; setup offers a line of .gitignore for them
OF_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


class NotAFileError(OSError):
    """A path that leads to something other than a file; ``strerror`` says what it is."""


def check_is_file(status: os.stat_result) -> None:
    """Raise NotAFileError for a folder, a named pipe, a socket or a device."""
    if not stat.S_ISREG(status.st_mode):
        is_folder = stat.S_ISDIR(status.st_mode)
        raise NotAFileError(0, "a folder, not a file" if is_folder else "something other than a file")


def read_file(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return a file's content, cut off one byte after ``most_bytes``, and its status.

    Raises OSError if it cannot be read, NotAFileError if it is not a file. A named pipe or a device is not waited for.
    """
    check_is_file(path.stat())  # because opening a device can already do something
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        status = os.fstat(stream.fileno())
        check_is_file(status)
        return stream.read(most_bytes + 1), status


def open_to_others(what: str, path: Path, *names: str) -> Problem | None:
    """Return a warning if others can read or change a file with secrets, and this user's chmod has an effect.

    ``names`` are the settings that name the file.
    """
    with suppress(FileNotFoundError):
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if os.name != "nt" and mode & OF_OTHERS and os.geteuid() in (0, status.st_uid) and _keeps_modes(path):
            verb = "read" if mode & (stat.S_IRGRP | stat.S_IROTH) else "change"
            text = f"other users can {verb} {what} (mode {mode:04o})"
            return Problem(text=text, kind=ProblemKind.EXPOSED, names=names, steps=(TightenMode(path),))
    return None


def _keeps_modes(path: Path) -> bool:
    """Return whether the file system of a file has a mode for each; those of Windows have the mount's."""
    import tempfile  # here, since few files need this question

    try:
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent) as probe:  # on Linux it has no name
            return not os.fstat(probe.fileno()).st_mode & OF_OTHERS
    except OSError as error:  # where this user may not write, the folder says nothing about the file
        return isinstance(error, PermissionError)


def create_file(path: Path, text: str) -> None:
    """Write a file for its owner alone, where nothing is.

    Raises FileExistsError if anything has the name, even a broken link, and SettingsError if it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(handle, text)
        except BaseException:
            path.unlink()
            raise
    except FileExistsError:
        raise
    except OSError as error:
        raise not_written(path, error) from None


def replace_file(path: Path, text: str, *, like: os.stat_result | None = None) -> None:
    """Replace a file in one step; a link stays a link. Raises SettingsError if that fails, or if it was read-only.

    The mode is 0600 from the first byte on. With ``like``, the status of the file as it was, owner and group stay where
    possible, and so do the group's permissions, unless the file was open to everybody.
    """
    _check_mode(path, like)
    with _temporary_file(path, text, like) as (name, target):
        os.replace(name, target)


def check_writable(path: Path) -> None:
    """Raise SettingsError if no file can be written where this one is, or where the link leads."""
    with _temporary_file(path, "x" * (16 << 10)):
        _check_mode(path, path.stat() if path.exists() else None)  # the name may be too long


def _check_mode(path: Path, status: os.stat_result | None) -> None:
    if status and not status.st_mode & stat.S_IWUSR:
        what = f"{path} is read-only (mode {stat.S_IMODE(status.st_mode):04o})"
        raise SettingsError([what], hint=Shell(f"chmod u+w {shlex.quote(str(path))}", does="if it may be changed"))


@contextmanager
def _temporary_file(path: Path, text: str, like: os.stat_result | None = None) -> Iterator[tuple[str, Path]]:
    """Yield a new file with this text and the file that ``path`` leads to, beside which it is."""
    import tempfile  # here, since most commands only read

    try:
        target = Path(os.path.realpath(path))
        handle, name = tempfile.mkstemp(prefix=PREFIX, suffix=SUFFIX, dir=target.parent)  # with mode 0600
        try:
            _write(handle, text, like)
            yield name, target
        finally:
            with suppress(FileNotFoundError):  # it is gone if it has replaced the other
                os.unlink(name)
    except OSError as error:
        raise not_written(path, error) from None


def _write(handle: int, text: str, like: os.stat_result | None = None) -> None:
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
        stream.flush()
        if like:
            _keep_rights(stream.fileno(), like)
        os.fsync(stream.fileno())  # a full disk may be noticed here only


def _keep_rights(handle: int, like: os.stat_result) -> None:
    if not hasattr(os, "fchown"):  # on Windows
        return
    group_rights = 0 if like.st_mode & stat.S_IRWXO else like.st_mode & (stat.S_IRGRP | stat.S_IWGRP)
    try:
        os.fchown(handle, -1, like.st_gid)
    except OSError:
        group_rights = 0  # they would be for another group
    if group_rights:
        os.fchmod(handle, 0o600 | group_rights)
    with suppress(OSError):  # only root can give a file away
        os.fchown(handle, like.st_uid, -1)


def not_written(path: Path, error: OSError) -> SettingsError:
    """Return the error for a file that cannot be written, with what to do."""
    folder = shlex.quote(str(path.parent))
    hint: tuple[Step, ...] = (
        Shell(f"ls -ld {folder}", does="shows who may write there"),
        Shell(f"df {folder}", does="shows how much space is left"),
    )
    if error.errno == errno.ENOENT:
        hint = (not path.is_absolute() and deleted_folder()) or (Shell(f"mkdir -p {folder}"), "or correct the path")
    return SettingsError([f"{path} cannot be written: {error.strerror}"], hint=hint)


def deleted_folder() -> tuple[Step, ...]:
    """Return the step that helps if the working folder was deleted; empty if it was not."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return ("cd to another folder: this one was deleted",)
    return ()


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed runs left; no run may be at work there."""
    for entry in folder.glob(f"{PREFIX}{'[a-z0-9_]' * 8}{SUFFIX}"):
        with suppress(OSError):  # another user's, or gone meanwhile
            entry.unlink()
