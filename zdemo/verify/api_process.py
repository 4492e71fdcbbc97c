"""Starts the API's command, keeps what it prints, and waits until it answers."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http import HTTPStatus
from typing import IO

from zdemo.errors import ConnectionFailed, FailureKind, UsageError
from zdemo.http.transport import Transport
from zdemo.serving.listening import listen
from zdemo.serving.programs import running
from zdemo.serving.unrunnable import why_not_run

LOOPBACK = "127.0.0.1"
LISTEN = "let it listen on 127.0.0.1 and on {port}; if it starts slowly, raise --start-seconds"
AUTHORIZE = "start the program that the proxy asks in COMMAND, too: docs/verify.md"
POLL_SECONDS = 0.05
ANSWER_SECONDS = 2.0


class RunningApi:
    """An API's process, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes], command: str) -> None:
        self._process, self._output, self._command = process, output, command

    def printed(self) -> bytes:
        """Return what it has printed so far."""
        return os.pread(self._output.fileno(), 16 << 20, 0)

    def wait_until_it_answers(self, origin: str, path: str, seconds: float, *, is_proxy: bool = False) -> None:
        """Wait until an answer comes; a proxy also answers while its authorizer starts, with 5xx.

        Raises ConnectionFailed if none comes, or the process ends.
        """
        end = time.monotonic() + seconds
        did, hint = "did not answer", LISTEN
        with closing(Transport(origin, setting="--path")) as transport:
            while time.monotonic() < end:
                if how := self.gone():
                    hint = "run it alone; its last lines are on standard error"
                    raise ConnectionFailed(f"{how} before it answered", hint=hint, kind=FailureKind.REFUSED)
                with suppress(ConnectionFailed):
                    status = transport.send("GET", path, timeout_seconds=min(ANSWER_SECONDS, seconds)).status
                    if not is_proxy or status < HTTPStatus.INTERNAL_SERVER_ERROR:
                        return
                    did, hint = f"answered only {status}", AUTHORIZE
                time.sleep(POLL_SECONDS)
        what = f"{self._command} {did} at {origin}{path} within {seconds:g} s"
        raise ConnectionFailed(what, hint=hint, kind=FailureKind.TIMEOUT)

    def gone(self) -> str:
        """Return how the process ended; empty while it runs."""
        if (code := self._process.poll()) is None:
            return ""
        return f"{self._command} ended ({f'exit code {code}' if code >= 0 else f'signal {-code}'})"


@contextmanager
def api_running(command: Sequence[str], environment: Mapping[str, str], typed: Sequence[str]) -> Iterator[RunningApi]:
    """Run a command during the block, with its output kept; neither it nor its children outlive the block.

    Raises UsageError if it cannot be run, with what was ``typed``: its placeholders are not filled in.
    """
    with ExitStack() as stack:
        output = stack.enter_context(tempfile.TemporaryFile())
        try:
            process = stack.enter_context(running(command, environment, output=output.fileno()))
        except OSError as error:
            why, fix = why_not_run(typed, error)
            raise UsageError(why, hint=fix) from None
        yield RunningApi(process, output, command[0])


def free_port(wanted: int = 0) -> int:
    """Return a port of this machine that nothing listens on. Raises OSError if the wanted one is taken."""
    with listen(LOOPBACK, wanted) as listener:
        return int(listener.getsockname()[1])
