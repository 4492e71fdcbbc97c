"""A shell in which a person types, with keys such as the tabulator."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import LONGEST_SECONDS

CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CONTROL = re.compile(rb"\x1b(?:\[[\d;?>=]*[a-zA-Z]|[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|[=>78(][B0]?)|\r|\x07|\x0f")


class Session:
    """A shell at a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def type(self, text: str, awaited: str) -> str:
        """Type, and return all that is shown until ``awaited`` stands there."""
        os.write(self._terminal, text.encode())
        shown, end = b"", time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            if select.select([self._terminal], [], [], 0.5)[0]:
                shown += os.read(self._terminal, 1 << 16)
                if awaited.encode() in CONTROL.sub(b"", shown):
                    return CONTROL.sub(b"", shown).decode(errors="replace")
        raise AssertionError(f"{awaited!r} is not in {CONTROL.sub(b'', shown)!r}")

    def foreground(self) -> int:
        """Return the process group that the terminal belongs to."""
        return os.tcgetpgrp(self._terminal)


@contextmanager
def session(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[Session]:
    """Run an interactive shell while the block lasts."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, 200))
    process = subprocess.Popen(  # noqa: S603  # a shell that the test names
        [sys.executable, "-c", CONTROLLED, *command],
        cwd=folder,
        env=dict(env),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Session(master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
