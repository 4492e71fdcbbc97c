"""Run ``zdemo`` at a terminal: a pseudo-terminal that controls the process."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.cli import BASE, LONGEST_SECONDS, Shell, forker

Typed = str | Callable[[], str]
_LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "zdemo", *sys.argv[1:]])
"""


def at_terminal(shell: Shell, *arguments: str, when: str = "", typed: Typed = "", **env: str) -> tuple[int, str]:
    """Return the exit code and all that the terminal was sent; ``typed`` is typed once ``when`` stands there.

    A function is called then, and returns what to type.
    """
    return at_terminal_of(0, shell, *arguments, when=when, typed=typed, **env)


def at_terminal_of(
    columns: int, shell: Shell, *arguments: str, when: str = "", typed: Typed = "", **env: str
) -> tuple[int, str]:
    """Do the same at a terminal of that width; 0 is a terminal that does not know its width."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    process = subprocess.Popen(  # noqa: S603  # the program under test
        [sys.executable, "-c", _LAUNCH, *arguments],
        cwd=shell.folder,
        env={**BASE, "TERM": "xterm-256color", **shell.env, **env},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        return _conversation(process, master, when.encode(), typed)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def shown_at(columns: int, shell: Shell, *arguments: str, **env: str) -> str:
    """Return what a terminal of that width is sent by a command that asks nothing; a fork runs it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    received = bytearray()

    def read() -> None:
        with suppress(OSError):  # how Linux says that the other end is closed
            while data := os.read(master, 1 << 16):
                received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        variables = {**BASE, "TERM": "xterm-256color", **shell.env, **env}
        forker().run_at([Path(os.ttyname(slave))] * 3, arguments, shell.folder, variables)
    finally:
        os.close(slave)
        reader.join(LONGEST_SECONDS)
        os.close(master)
    return received.decode().replace("\r\n", "\n")


def _conversation(process: subprocess.Popen[bytes], terminal: int, when: bytes, typed: Typed) -> tuple[int, str]:
    output = b""
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            data = b""
        if not data:
            return process.wait(LONGEST_SECONDS), output.decode().replace("\r\n", "\n")
        output += data
        if typed and when in re.sub(rb"\r\n", b" ", output):
            os.write(terminal, (typed if isinstance(typed, str) else typed()).encode())
            typed = ""
    raise AssertionError(f"zdemo does not end; it wrote {output!r}")
