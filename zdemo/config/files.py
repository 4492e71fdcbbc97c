"""Files read without waiting and without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFileError(OSError):
    """A path that leads to something else than a file; ``strerror`` says what it is."""


def check_is_file(status: os.stat_result) -> None:
    """Raise NotAFileError for a folder, a named pipe, a socket or a device."""
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise NotAFileError(0, KINDS.get(kind, "not a file"))


def read_file(path: Path, most_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return a file's content, cut off after ``most_bytes`` and one, and its status.

    Raises OSError if it cannot be read, NotAFileError if it is not a file. A named pipe or a device is not waited for.
    """
    check_is_file(path.stat())  # opening a device may already do something
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        status = os.fstat(stream.fileno())
        check_is_file(status)
        return stream.read(most_bytes + 1), status
