"""Python processes with an environment of their own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 60

_SEND = """
import json, os, sys, time
from zdemo.errors import ConnectionFailed, SettingsError
from zdemo.http.transport import Transport

for line in sys.stdin:
    url, environment, timeout_seconds = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    transport = Transport(url, setting="ZITADEL_DOMAIN")
    start = time.monotonic()
    try:
        out = {"status": transport.send("POST", "/path", timeout_seconds=timeout_seconds, form={"token": "t"}).status}
    except ConnectionFailed as error:
        out = {"kind": str(error.kind), "message": error.message, "hint": error.hint}
    except SettingsError as error:
        out = {"kind": "settings", "message": error.message, "hint": error.hint}
    print(json.dumps({**out, "seconds": time.monotonic() - start}), flush=True)
    transport.close()
"""


def run_python(script: str, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> str:
    """Return what a script prints in ``folder``, with only ``environment`` and the path to zdemo in its environment."""
    done = subprocess.run(  # noqa: S603  # the script is this module's or a test's own
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Process:
    """A running process, as ``ps`` shows it."""

    pid: int
    parent: int
    group: int
    command: str


def processes() -> list[Process]:
    """Return all running processes of this machine."""
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,stat=,args="]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603
    rows = [line.split(maxsplit=4) for line in lines]
    return [
        Process(pid=int(pid), parent=int(parent), group=int(group), command=command.rstrip())
        for pid, parent, group, state, command in rows
        if not state.startswith("Z")  # ended
    ]


def is_running(pid: int) -> bool:
    """Return whether a process has not ended."""
    return any(process.pid == pid for process in processes())


class Sender:
    """A process that sends requests by a ``Transport``, each with an environment of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, url: str, environment: Mapping[str, str], *, timeout_seconds: float = 5) -> dict[str, Any]:
        """Send one request; return ``status``, or ``kind``, ``message`` and ``hint``."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([url, dict(environment), timeout_seconds]), file=self._process.stdin, flush=True)
        return cast("dict[str, Any]", json.loads(self._process.stdout.readline()))


@contextmanager
def sender() -> Iterator[Sender]:
    """Run a process that sends requests."""
    command = [sys.executable, "-c", _SEND]
    with subprocess.Popen(  # noqa: S603  # the script is this module's own
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Sender(process)
