"""Standard output and standard error where they are closed, full, or read by nobody any more.

A module of its own because of a rule that the rest need not know: an answer that cannot be written is an error, and
is told; a story that cannot be told is none, and changes no exit code.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import IO, TextIO, cast

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def open_what_is_closed() -> None:
    """Give Python the streams that it does not make where a descriptor is closed (``>&-``).

    What is written to this standard output fails, as it would at the descriptor; what is told goes nowhere.
    """
    if cast("TextIO | None", sys.stdout) is None:
        sys.stdout = _nowhere(os.O_RDONLY)
    if cast("TextIO | None", sys.stderr) is None:
        sys.stderr = _nowhere(os.O_WRONLY)


def _nowhere(mode: int) -> TextIO:
    return open(os.open(os.devnull, mode), "w", encoding="utf-8", closefd=False)


def why_unwritable(fault: Exception) -> str:
    """In the system's words, why an answer could not be written; empty when the fault is another.

    What is written to a file of its own has its errors caught where it is written.
    """
    if isinstance(fault, OSError) and fault.filename is None and fault.errno in UNWRITABLE:
        return fault.strerror or "it is closed"
    return ""


def drop(stream: IO[str]) -> None:
    """Lose what a stream still holds, and all that comes: it must not raise again when Python ends."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, stream.fileno())
    os.close(handle)
