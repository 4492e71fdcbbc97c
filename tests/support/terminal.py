"""A terminal to run ``zdemo`` at: a pseudo-terminal that is the process's controlling one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time

from tests.support.cli import BASE, LONGEST_SECONDS, Shell

_LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "zdemo", *sys.argv[1:]])
"""


def at_terminal(shell: Shell, *arguments: str, when: str = "", typed: str = "", **env: str) -> tuple[int, str]:
    """Exit code, and all that the terminal was sent; ``typed`` is typed once ``when`` stands there."""
    return at_terminal_of(0, shell, *arguments, when=when, typed=typed, **env)


def at_terminal_of(
    columns: int, shell: Shell, *arguments: str, when: str = "", typed: str = "", **env: str
) -> tuple[int, str]:
    """The same at a terminal that is so wide; 0 is one that does not know."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(  # noqa: S603  # the program under test
        [sys.executable, "-c", _LAUNCH, *arguments],
        cwd=shell.folder,
        env={**BASE, "TERM": "xterm-256color", **shell.env, **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        return _conversation(process, ours, when.encode(), typed.encode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _conversation(process: subprocess.Popen[bytes], terminal: int, when: bytes, typed: bytes) -> tuple[int, str]:
    seen = b""
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that nobody is left at the other end
            data = b""
        if not data:
            return process.wait(LONGEST_SECONDS), seen.decode().replace("\r\n", "\n")
        seen += data
        if typed and when in seen:
            os.write(terminal, typed)
            typed = b""
    raise AssertionError(f"zdemo does not end; it said {seen!r}")
