"""One setup at a time in a folder: two at once would write over the IDs that the other has just written down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdemo.errors import ZdemoError


@contextmanager
def alone(env_path: Path) -> Iterator[None]:
    """Keep other setups from the folder of this ``.env`` while the block runs, and until this process ends at most.

    The folder itself is locked, so that no file is left behind; where that cannot be done (Windows, some network
    folders, a folder that is not there), nobody is kept away.

    Raises:
        ZdemoError: another setup is at work there.
    """
    folder = Path(os.path.realpath(env_path)).parent  # where a link leads is where it is written
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(folder: Path) -> int | None:
    """The descriptor that holds the lock."""
    try:
        import fcntl  # not on Windows

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise ZdemoError(
            f"another zdemo setup is at work in {folder}",
            hint="wait until it has ended, or end it; then run zdemo setup again; nothing was changed",
        ) from None
    except OSError:
        os.close(handle)
        return None
    return handle
