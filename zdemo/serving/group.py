"""A process group whose members end with zdemo, also when zdemo is killed.

A small shell, the watchdog, leads the group and waits for the end of a pipe that only zdemo holds. When zdemo ends
without a word, the system closes the pipe, and the watchdog ends the group. This works on Linux and macOS, reaches the
children of the programs too, and leaves no moment between the start of a program and its registration: a program joins
the group before it runs, and until then it holds the pipe itself. A process that leaves the group is not reached,
unless zdemo started it itself.
"""

import os
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
