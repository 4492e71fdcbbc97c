"""A temporary folder that is removed although its process was killed: by the next one.

The process holds a lock on its folder, which the system drops when the process ends, however it ends. So a folder
without a lock is abandoned. The temporary directory may be shared with other users and other containers, and the person
may have folders with such names: only one with a marker file is removed.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    CAN_LOCK = False
else:
    CAN_LOCK = True


MARKER = ".made-by-zdemo"


@contextmanager
def temporary_folder(prefix: str, suffix: str, *, directory: str | None = None) -> Iterator[str]:
    """Yield a new folder, whose files must end with ``suffix``. It is removed after the block.

    Raises OSError if it cannot be made, by default in the system's directory for temporary files.
    """
    if not CAN_LOCK:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=directory) as folder:
            yield folder
        return
    folder, descriptor = _new(prefix, directory)
    try:
        yield folder
    finally:
        with suppress(OSError):
            _remove(folder, descriptor, suffix)
        os.close(descriptor)


def remove_abandoned(prefix: str, suffix: str, *, directory: str | None = None) -> None:
    """Remove folders that ``temporary_folder`` made for a process of this user that was killed; leave all others."""
    if not CAN_LOCK:
        return
    with suppress(OSError):  # one that cannot be removed does no harm
        for path in Path(directory or tempfile.gettempdir()).glob(f"{prefix}*"):
            _remove_if_abandoned(str(path), suffix)


@contextmanager
def kept_folder(folder: str) -> Iterator[None]:
    """Let no other process take a folder for abandoned during the block. Raises OSError if it cannot be opened."""
    if not CAN_LOCK:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # another process has it already
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _new(prefix: str, directory: str | None) -> tuple[str, int]:
    """Return a new folder and its locked descriptor."""
    while True:
        folder = tempfile.mkdtemp(prefix=prefix, dir=directory)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(folder), os.fstat(descriptor)):
                os.close(os.open(MARKER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=descriptor))
                return folder, descriptor
        os.close(descriptor)  # another process took it for abandoned, because it was not locked yet


def _remove_if_abandoned(folder: str, suffix: str) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.fstat(descriptor)
            if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.stat(MARKER, dir_fd=descriptor, follow_symlinks=False)
                _remove(folder, descriptor, suffix)
        finally:
            os.close(descriptor)


def _remove(folder: str, descriptor: int, suffix: str) -> None:
    """Remove its files, then the folder; nothing that was put there otherwise is removed."""
    for name in os.listdir(descriptor):
        if name.endswith(suffix):
            os.unlink(name, dir_fd=descriptor)
    os.unlink(MARKER, dir_fd=descriptor)
    os.rmdir(folder)
