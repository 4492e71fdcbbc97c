"""``zdemo serve`` as a process, started as a person starts it, stopped as a supervisor stops it."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.apis import PUBLIC, Endpoint, environment_of, settings_for
from tests.support.processes import LONGEST_SECONDS, ROOT, Process, processes, running_process
from tests.support.upstream import free_port
from tests.support.waiting import eventually

SERVE = ("-W", "error", "-m", "zdemo", "serve")


@dataclass(frozen=True, kw_only=True)
class Served(Endpoint):
    process: subprocess.Popen[Any]
    folder: Path

    @property
    def workers(self) -> list[Process]:
        return workers_of(self.process.pid)

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONGEST_SECONDS)


def workers_of(pid: int) -> list[Process]:
    below = [process for process in processes() if process.parent == pid]
    return [process for process in below if process.command.startswith("zdemo serve: worker ")]


def environment_for(issuer: str) -> dict[str, str]:
    return environment_of(settings_for(issuer))


@contextmanager
def started(
    folder: Path, environment: Mapping[str, str], *arguments: str, before: str = "", python: Sequence[str] = SERVE
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``zdemo serve``, or other Python, in a folder, with only this environment, in a process group of its own.

    ``before`` is a line of shell that runs first. After the block it is stopped, if it still runs.
    """
    command = [sys.executable, *python, *arguments]
    command = ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *command] if before else command
    with (
        (folder / "stdout").open("wb") as out,
        (folder / "stderr").open("wb") as err,
        running_process(command, folder, {"PYTHONPATH": str(ROOT), **environment}, stdout=out, stderr=err) as process,
    ):
        yield process


@contextmanager
def served(
    folder: Path, environment: Mapping[str, str], *arguments: str, before: str = "", ready: str = PUBLIC
) -> Iterator[Served]:
    port = free_port()
    with started(folder, environment, "--port", str(port), *arguments, before=before) as process:
        yield answering(Served(process=process, port=port, folder=folder), ready)


def answering(running: Served, path: str = PUBLIC) -> Served:
    def answers() -> bool:
        assert running.process.poll() is None, running.process.communicate()[1] or running.log
        try:
            return running.get(path, None).status == 200
        except ConnectionError:
            return False

    eventually("the server answers", answers)
    return running
