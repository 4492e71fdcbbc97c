"""Run other programs: in a process group that ends with zdemo, and as if a program had been started by itself.

A small shell, the watchdog, leads the group and waits for the end of a pipe that only zdemo holds. When zdemo ends
without a word, the system closes the pipe, and the watchdog ends the group, with the children of the programs (Linux
and macOS). No program is missed: it joins the group before it runs, and until then it holds the pipe itself. A process
that leaves the group is not reached, unless zdemo started it itself.

A program in the foreground gets the terminal, and the signals that zdemo gets. It is in a process group of its own, so
zdemo passes each signal on, and it arrives once. The terminal belongs to the program's group from the start, unless
standard output or error leads elsewhere: the program at the other end of a pipe, such as a pager, may need the
terminal. Then the program gets it when it asks for it, which the system reports by stopping it.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

GRACE_SECONDS = 5  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.01
SUPPORTED = os.name == "posix"

_WATCHDOG = """
trap '' HUP INT QUIT TERM TSTP TTIN TTOU USR1 USR2
pid=
while read -r word; do
    [ "$word" = end ] && exit 0
    pid="$pid $word"
done
kill -s TERM 0
for one in $pid; do kill -s TERM "$one"; done
kill -s CONT 0
tenths=0
while kill -s 0 $pid && [ $tenths -lt $(($1 * 10)) ]; do
    sleep 0.1
    tenths=$((tenths + 1))
done
[ -z "$2" ] || rm -rf -- "$2"
for one in $pid; do kill -s KILL "$one"; done
kill -s KILL 0
"""


class ProcessGroup:
    """The group; ``id`` is the watchdog's process ID too."""

    def __init__(self, watchdog: subprocess.Popen[bytes]) -> None:
        self._watchdog = watchdog
        self.id = watchdog.pid

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], *, output: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program in the group, with the streams of this process. Raises OSError if it cannot be run.

        With ``output``, a descriptor, the program writes to it alone, and reads nothing.
        """
        started = subprocess.Popen(  # noqa: S603  # the person's own
            command,
            env=environment,
            process_group=self.id,
            stdin=None if output is None else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        self._tell(str(started.pid))
        return started

    def send(self, number: int) -> None:
        """Send a signal to all members; the watchdog ignores those that a person sends."""
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says the latter of ended ones
            os.killpg(self.id, number)

    def end(self) -> None:
        """End the members by SIGTERM, and by SIGKILL those that are still there after the grace time."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)
        self._tell("end")
        self._watchdog.wait()
        end = time.monotonic() + GRACE_SECONDS
        with suppress(ProcessLookupError, PermissionError):  # nobody is left
            while time.monotonic() < end:
                os.killpg(self.id, 0)
                time.sleep(POLL_SECONDS)
        self.send(signal.SIGKILL)

    def _tell(self, word: str) -> None:
        assert self._watchdog.stdin  # noqa: S101  # a pipe, see process_group
        with suppress(BrokenPipeError):  # somebody killed the watchdog
            self._watchdog.stdin.write(f"{word}\n".encode())
            self._watchdog.stdin.flush()


@contextmanager
def process_group(folder: str = "") -> Iterator[ProcessGroup]:
    """Yield an empty group, and end its members after the block; the watchdog also removes ``folder``."""
    with subprocess.Popen(  # noqa: S603  # the script above
        ["/bin/sh", "-c", _WATCHDOG, "zdemo-watchdog", str(GRACE_SECONDS), folder],
        env={"PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,  # else whoever reads the output of zdemo would wait for the watchdog
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as watchdog:
        group = ProcessGroup(watchdog)
        try:
            yield group
        finally:
            group.end()


# --- a program in the foreground

_OF_THE_KEYBOARD = ("SIGINT", "SIGQUIT", "SIGTSTP", "SIGWINCH")  # a terminal sends them to a whole group
_OTHERS = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
_OWN = ("SIGCHLD", "SIGCONT")
SIGNALLED = 128  # and the number of the signal: the exit code of a program that a signal ended
_WANTS_TERMINAL = ("SIGTTIN", "SIGTTOU")


class Signals:
    """The signals that have arrived and that nobody has looked at yet."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._arrived: list[int] = []

    def note(self, number: int, _frame: object) -> None:
        """Note a signal; this is its handler."""
        self._arrived.append(number)

    def wait(self, seconds: float | None = None) -> list[signal.Signals]:
        """Return those that have arrived, or wait for some; nothing when the time is over."""
        if not self._arrived:
            select.select([self._pipe], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._pipe, 4096)
        arrived, self._arrived = self._arrived, []
        return [signal.Signals(number) for number in arrived]

    def ending(self) -> int:
        """Return the exit code for a signal that should end this process and has arrived already, or 0."""
        ending = [number for number in self._arrived if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        return SIGNALLED + ending[0] if ending else 0


@contextmanager
def signals_noted() -> Iterator[Signals]:
    """Note signals instead of obeying them during the block; those that this process was told to ignore stay ignored.

    A pipe wakes ``wait`` up, whichever thread the system gives a signal to.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signals = Signals(reader)
    numbers = [signal.Signals[name] for name in (*_OF_THE_KEYBOARD, *_OTHERS, *_OWN)]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN or number.name in _OWN]
    before = {number: signal.signal(number, signals.note) for number in numbers}
    earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


class Foreground:
    """A program in a process group, which gets the terminal: only one group at a time can have it."""

    def __init__(self, group: ProcessGroup, signals: Signals) -> None:
        self._group, self._signals = group, signals
        self._own = os.getpgrp()
        self._terminal = -1  # a descriptor, if there is one
        self._has_given = False
        self._kill_at: float | None = None

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Run a program to its end, and return its exit code. Raises OSError if it cannot be run."""
        with suppress(OSError):
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            if all(map(os.isatty, (0, 1, 2))):
                self._give()
            process = self._group.start(command, environment)
            while (code := self._look(process)) is None:
                left = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
                for number in self._signals.wait(left):
                    self._pass_on(number, process.pid)
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    os.kill(process.pid, signal.SIGKILL)
            return code
        finally:
            self._take()
            if self._terminal >= 0:
                os.close(self._terminal)

    def _look(self, process: subprocess.Popen[bytes]) -> int | None:
        """Return the exit code if the program has ended; follow it if it was stopped."""
        pid, status = os.waitpid(process.pid, os.WNOHANG | os.WUNTRACED)
        if not pid:
            return None
        if os.WIFSTOPPED(status):
            self._stopped(signal.Signals(os.WSTOPSIG(status)))
            return None
        process.returncode = os.waitstatus_to_exitcode(status)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else SIGNALLED + os.WTERMSIG(status)

    def _pass_on(self, number: signal.Signals, pid: int) -> None:
        if number.name == "SIGCONT":
            self._continue()
        elif number.name in _OF_THE_KEYBOARD:
            self._group.send(number)
        elif number.name in _OTHERS:
            os.kill(pid, number)
            if number == signal.SIGTERM and self._kill_at is None:
                self._kill_at = time.monotonic() + GRACE_SECONDS

    def _stopped(self, number: signal.Signals) -> None:
        """Give the program the terminal that it waits for, or stop with it, as Ctrl-Z should do."""
        if number.name in _WANTS_TERMINAL and self._give():
            self._group.send(signal.SIGCONT)
            return
        if self._terminal < 0:
            return  # nobody typed Ctrl-Z; whoever stopped the program continues it
        self._take()
        if _is_orphaned():
            self._continue()
            return
        # SIGTSTP stops this process until SIGCONT arrives. The system may give it to another thread, which takes time.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(self._own, signal.SIGTSTP)

    def _continue(self) -> None:
        signal.signal(signal.SIGTSTP, self._signals.note)
        if self._has_given:
            self._give()
        self._group.send(signal.SIGCONT)

    def _give(self) -> bool:
        """Give the terminal to the group, unless it is another's; return whether the group has it."""
        if self._owner() == self._own:
            self._hand_to(self._group.id)
            self._has_given = True
        return self._owner() == self._group.id

    def _take(self) -> None:
        if self._has_given and self._owner() != self._own:
            self._hand_to(self._own)

    def _owner(self) -> int:
        with suppress(OSError):
            return os.tcgetpgrp(self._terminal)
        return -1

    def _hand_to(self, group: int) -> None:
        # otherwise SIGTTOU stops this process if it is outside the group that has the terminal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        with suppress(OSError):
            os.tcsetpgrp(self._terminal, group)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_orphaned() -> bool:
    """Return whether no shell could continue this process's group, so that the system would not stop it."""
    parent = os.getppid()
    try:
        return os.getsid(parent) != os.getsid(0) or os.getpgid(parent) == os.getpgrp()
    except OSError:  # the parent is another user's, or has just ended
        return True
