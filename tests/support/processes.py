"""Python processes with an environment of their own, most of them forks of one."""

import atexit
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 60
LONGEST_INSTALLATION_SECONDS = 300
OFFLINE = r"(?i)failed to fetch|could not find a version|connection|timed out|dns|name resolution"


RESIDENT = {"call", "commands", "doctor", "init", "introspect", "role", "setup", "token"}  # they leave nothing behind


class Forker:
    """A process of ``tests.support.forking``, which runs one command of zdemo at a time."""

    def __init__(self, *, forks: bool = True) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="zdemo-forker-")
        self._files = [Path(self._folder.name, name) for name in ("in", "out", "err")]
        self._process = subprocess.Popen(  # noqa: S603  # this Python
            [sys.executable, "-W", "error", "-m", "tests.support.forking", *["forks"] * forks],
            cwd=self._folder.name,  # where there is no .env
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def run(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], stdin: bytes
    ) -> subprocess.CompletedProcess[bytes]:
        for path, content in zip(self._files, (stdin, b"", b""), strict=True):
            path.write_bytes(content)
        code = self.run_at(self._files, arguments, folder, env)
        return subprocess.CompletedProcess(arguments, code, self._files[1].read_bytes(), self._files[2].read_bytes())

    def run_at(
        self,
        files: Sequence[Path | None],
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        *,
        terminal: bool = False,
    ) -> int:
        """Run it with these files as streams, of which those that are ``None`` are closed; return its exit code.

        With ``terminal``, they are a terminal that controls the process.
        """
        assert self._process.stdin
        assert self._process.stdout
        job = {
            "arguments": arguments,
            "folder": str(folder),
            "env": dict(env),
            "files": [path and str(path) for path in files],
            "terminal": terminal,
        }
        print(json.dumps(job), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            runner.cache_clear()
        code = int(answer or self._process.wait(LONGEST_SECONDS))
        assert code >= 0, f"signal {-code} ended {' '.join(arguments)}"
        return code

    def close(self) -> None:
        self._process.communicate(timeout=LONGEST_SECONDS)
        self._folder.cleanup()


@cache
def forker() -> Forker:
    return Forker()


@cache
def runner() -> Forker:
    """Return a process that does not fork: threads that wait for a silent server would disturb a forked command."""
    return Forker(forks=False)


def process_of(arguments: Sequence[str]) -> Forker:
    """Return the process for a command: the one that does not fork if it leaves nothing behind."""
    is_resident = RESIDENT.intersection(arguments[:1]) or arguments[-1:] in ([], ["--help"])
    return runner() if is_resident else forker()


def run_program(
    *command: str | Path, folder: Path = ROOT, env: Mapping[str, str] | None = None, seconds: float = LONGEST_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with only ``env`` in its environment, or that of this process."""
    words, streams = [*map(str, command)], {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(words, cwd=folder, env=env, timeout=seconds, check=False, **streams)  # type: ignore[call-overload, no-any-return]  # noqa: S603  # the tests name them


def run_script(
    script: str, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script with only ``environment``, in a process that has loaded nothing."""
    return run_program(sys.executable, "-W", "error", "-c", script, *arguments, folder=folder, env=environment or {})


def run_python(script: str, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> str:
    """Return what a script prints in ``folder``, with only ``environment`` and the path to zdemo in its environment."""
    done = run_script(script, folder, *arguments, environment={"PYTHONPATH": str(ROOT), **(environment or {})})
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_online(*command: str | Path, folder: Path = ROOT, **variables: str) -> str:
    """Return what a program prints; skip the test if it needs a package index that cannot be reached."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment |= {"PIP_NO_COMPILE": "1"} | variables  # which takes longer than all else
    done = run_program(*command, folder=folder, env=environment, seconds=LONGEST_INSTALLATION_SECONDS)
    if done.returncode and re.search(OFFLINE, done.stderr):
        pytest.skip("there is no package index")
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def running_process(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], **streams: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Run a program in a process group of its own, as a shell does; after the block it ends by SIGTERM."""
    with subprocess.Popen(  # noqa: S603  # the program under test
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, process_group=0, **streams
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(LONGEST_SECONDS)
            finally:
                process.kill()


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    command: str


def processes() -> list[Process]:
    return [process for path in Path("/proc").glob("[0-9]*") if (process := _process(path))]


def _process(path: Path) -> Process | None:
    try:
        state, parent, group = (path / "stat").read_text().rpartition(")")[2].split()[:3]
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None  # it has ended meanwhile
    if state == "Z":
        return None
    return Process(pid=int(path.name), parent=int(parent), group=int(group), command=command)


def is_running(pid: int) -> bool:
    return _process(Path("/proc", str(pid))) is not None
