"""Run ``zdemo`` at a terminal: a pseudo-terminal that controls the process."""

import os
import pty
import re
import select
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.cli import BASE, Shell
from tests.support.processes import LONGEST_SECONDS, forker

Typed = str | Callable[[], str]

CTRL_C = b"\x03"
PRESSED_AGAIN_SECONDS = 5.0


def at_terminal(shell: Shell, *arguments: str, when: str = "", typed: Typed = "", **env: str) -> tuple[int, str]:
    """Return the exit code and all that the terminal was sent; ``typed`` is typed once ``when`` stands there.

    A function is called then, and returns what to type.
    """
    return at_terminal_of(0, shell, *arguments, when=when, typed=typed, **env)


def shown_at(columns: int, shell: Shell, *arguments: str, **env: str) -> str:
    """Return what a terminal of that width is sent by a command that asks nothing."""
    return at_terminal_of(columns, shell, *arguments, **env)[1]


def at_terminal_of(
    columns: int, shell: Shell, *arguments: str, when: str = "", typed: Typed = "", **env: str
) -> tuple[int, str]:
    """Do as ``at_terminal`` at a terminal of that width; 0 is a terminal that does not know its width."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    received = bytearray()
    reader = threading.Thread(target=_converse, args=(master, received, when.encode(), typed))
    reader.start()
    try:
        variables = {**BASE, "TERM": "xterm-256color", **shell.env, **env}
        streams = [Path(os.ttyname(slave))] * 3
        code = forker().run_at(streams, arguments, shell.folder, variables, terminal=True)
    finally:
        os.close(slave)
        reader.join(LONGEST_SECONDS)
        os.close(master)
    return code, received.decode().replace("\r\n", "\n")


def _converse(terminal: int, received: bytearray, when: bytes, typed: Typed) -> None:
    again = b""  # Python notices a Ctrl-C that comes just before it waits for input only at the next one
    with suppress(OSError):  # how Linux says that the other end is closed
        while True:
            if not select.select([terminal], [], [], PRESSED_AGAIN_SECONDS)[0]:
                os.write(terminal, again)
                continue
            if not (data := os.read(terminal, 1 << 16)):
                return
            received.extend(data)
            if typed and when in re.sub(rb"\r\n", b" ", received):
                os.write(terminal, (typed if isinstance(typed, str) else typed()).encode())
                again = CTRL_C if typed == CTRL_C.decode() else b""
                typed = ""
