"""Standard output and standard error where they are closed, full, or no longer read.

An answer that cannot be written is an error; a message that cannot be written changes no exit code.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import IO, TextIO, cast

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def open_what_is_closed() -> None:
    """Open the streams that Python does not open where a descriptor is closed (``>&-``).

    Writing to this standard output fails, as it would at the descriptor; this standard error goes nowhere.
    """
    if cast("TextIO | None", sys.stdout) is None:
        sys.stdout = _null(os.O_RDONLY)
    if cast("TextIO | None", sys.stderr) is None:
        sys.stderr = _null(os.O_WRONLY)


def _null(mode: int) -> TextIO:
    return open(os.open(os.devnull, mode), "w", encoding="utf-8", closefd=False)


def why_unwritable(fault: Exception) -> str | None:
    """Return why standard output could not be written, or ``None`` when the fault is another.

    An empty text says that its reader has left, which needs no message.
    """
    if isinstance(fault, BrokenPipeError):
        return ""
    if isinstance(fault, OSError) and fault.filename is None and fault.errno in UNWRITABLE:
        return fault.strerror or "it is closed"
    return None


def drop(stream: IO[str]) -> None:
    """Discard what a stream still holds and all that follows, so that it does not fail again when Python ends."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, stream.fileno())
    os.close(handle)
