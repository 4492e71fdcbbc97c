"""Read the beginning of a file that may be anything, and not for ever: nobody may be there who writes to a named pipe.

A module of its own because a path that somebody gives (a ``.env``, a key file) may lead to a pipe as well, as a shell
or a password manager makes them, and no command may hang on it.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

PATIENCE_SECONDS = 2.0


def read_in_time(path: Path, limit: int) -> tuple[bytes, int]:
    """The first ``limit`` bytes of a file, or all of it, and its mode.

    Raises:
        TimeoutError: it is no regular file, and what writes to it is not there, or does not come to an end.
        OSError: it cannot be read.
    """
    with open(path, "rb", opener=_without_waiting) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode) or os.name == "nt":  # Windows has no such files, and can only wait for sockets
            return stream.read(limit), mode
        return _all_that_comes(stream.fileno(), limit, PATIENCE_SECONDS), mode


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file for ``open``; a named pipe at once, whether or not somebody has it open to write."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _all_that_comes(handle: int, limit: int, seconds: float) -> bytes:
    end = time.monotonic() + seconds
    content = b""
    while len(content) < limit:
        ready, _, _ = select.select([handle], [], [], max(end - time.monotonic(), 0))
        if not ready:
            raise TimeoutError(errno.ETIMEDOUT, f"it is no regular file, and its end did not come in {seconds:g} s")
        piece = os.read(handle, limit - len(content))
        if not piece:
            break
        content += piece
    return content
