"""Run other programs, each in a process group that ends with it, or with zdemo (Linux and macOS).

A program in the foreground gets the signals that zdemo gets, each once, because a terminal sends its own to one group
alone. The terminal is that of the program's group from the start, unless a stream leads elsewhere: the program at the
other end of a pipe, such as a pager, may need it. Then the system stops the program when it asks for the terminal.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from zdemo.serving.signals import SIGNALLED, handled

GRACE_SECONDS = 5  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.01
_OF_THE_KEYBOARD = ("SIGINT", "SIGQUIT", "SIGTSTP")  # a terminal sends them to a whole group
_PASSED_ON = (*_OF_THE_KEYBOARD, "SIGTERM", "SIGHUP")
_STREAMS = 0, 1, 2  # which must all be the terminal, so that the program gets it from the start


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], *, output: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, and end its group after the block: by SIGKILL what SIGTERM does not end within the grace time.

    With ``output``, a descriptor, it writes to it alone, and reads nothing. Raises OSError if it cannot be run.
    """
    stdin = None if output is None else subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603  # the person's own
        command, env=environment, process_group=0, stdin=stdin, stdout=output, stderr=output
    )
    try:
        yield process
    finally:
        try:
            _send(process.pid, signal.SIGTERM)
            _send(process.pid, signal.SIGCONT)
            end = time.monotonic() + GRACE_SECONDS
            while (process.poll() is None or _send(process.pid, 0)) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
        finally:
            _send(process.pid, signal.SIGKILL)
            process.wait()


def _send(group: int, number: int) -> bool:
    """Send a signal to a group; return whether it has members."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of ended ones
        os.killpg(group, number)
        return True
    return False


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program in the foreground to its end, and return its exit code. Raises OSError if it cannot be run."""
    arrived: list[int] = []
    kill_at = float("inf")
    with handled(_PASSED_ON, lambda number, _: arrived.append(number)), running(command, environment) as process:
        if all(map(os.isatty, _STREAMS)):
            _hand_terminal(os.getpgrp(), process.pid)
        while True:
            pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
            if pid and not os.WIFSTOPPED(status):
                break
            if pid:
                _follow(process.pid, signal.Signals(os.WSTOPSIG(status)).name)
            while arrived:
                number = signal.Signals(arrived.pop(0))
                (os.killpg if number.name in _OF_THE_KEYBOARD else os.kill)(process.pid, number)
                if number == signal.SIGTERM:
                    kill_at = min(kill_at, time.monotonic() + GRACE_SECONDS)
            if time.monotonic() >= kill_at:
                _send(process.pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        _hand_terminal(process.pid, os.getpgrp())
        return code if code >= 0 else SIGNALLED - code


def _follow(group: int, reason: str) -> None:
    """Give a stopped program the terminal that it waits for, or stop with it, as Ctrl-Z should do."""
    own = os.getpgrp()
    if reason not in ("SIGTTIN", "SIGTTOU") or not _hand_terminal(own, group):
        if _hand_terminal(group, own) is None:
            return  # nobody typed Ctrl-Z; whoever stopped the program continues it
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(own, signal.SIGTSTP)  # returns when this group continues, or at once if no shell could continue it
        signal.signal(signal.SIGTSTP, before)
        if all(map(os.isatty, _STREAMS)):
            _hand_terminal(own, group)
    os.killpg(group, signal.SIGCONT)


def _hand_terminal(giver: int, taker: int) -> bool | None:
    """Hand the terminal from one group to another; return whether it was the giver's, ``None`` if there is none."""
    # otherwise SIGTTOU stops this process if it is outside the group that has the terminal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        with open("/dev/tty", "rb+", buffering=0) as terminal:
            if is_the_givers := os.tcgetpgrp(terminal.fileno()) == giver:
                os.tcsetpgrp(terminal.fileno(), taker)
            return is_the_givers
    except OSError:
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
