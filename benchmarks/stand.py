"""The processes to measure: the stand-in for ZITADEL, and the API on different servers."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks import load
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET

ROOT = Path(__file__).parent.parent
START_SECONDS = 20
STOP_SECONDS = 15
THREADS = 128
ASGI_APP = "benchmarks.asgi_app:app"
TOKEN = "benchmark-token-of-seventy-one-characters-like-a-personal-access-token"  # noqa: S105  # invented


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running API. ``process`` is the one that was started; a server's workers are its children."""

    port: int
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: list[str], environment: dict[str, str], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=pipes.get("stdout", subprocess.DEVNULL),
        stderr=pipes.get("stderr", subprocess.DEVNULL),
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def upstream(milliseconds: float | str = 0, *, only: str | None = None) -> Iterator[int]:
    """Run the stand-in for ZITADEL, and yield its port; ``milliseconds`` may also be what else it takes.

    ``only`` is the one active token; by default all are active.
    """
    command = [sys.executable, "-m", "benchmarks.upstream", str(milliseconds), *([only] if only else [])]
    with _process(command, {}, stdout=subprocess.PIPE) as process:
        yield int(process.stdout.readline() if process.stdout else 0)


@contextmanager
def attacker(port: int, connections: int, prefix: str, seconds: float) -> Iterator[Counter[str]]:
    """Flood the API from another process for so long, and yield what will be the number of answers by status."""
    statuses: Counter[str] = Counter()
    arguments = (str(port), str(connections), prefix, str(seconds))
    with _process([sys.executable, "-m", "benchmarks.attacker", *arguments], {}, stdout=subprocess.PIPE) as process:
        lines = process.stdout or ()
        next(iter(lines))
        yield statuses
        statuses.update(json.loads(next(iter(lines))))


def introspections(upstream_port: int) -> int:
    """Return how many introspections the stand-in has answered or is answering."""
    with socket.create_connection(("127.0.0.1", upstream_port)) as sock:
        sock.sendall(b"GET /count HTTP/1.1\r\n\r\n")
        return int(sock.recv(load.RECEIVE_BYTES).rpartition(b"\r\n\r\n")[2])


def cpu_seconds(port: int) -> float:
    """Return the processor time that the process of the ASGI apps has used so far."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /cpu HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        received = b""
        while more := sock.recv(load.RECEIVE_BYTES):
            received += more
    return float(received.rpartition(b"\r\n\r\n")[2])


def used_seconds(server: Server) -> float:
    """Return the processor time of a server and its workers so far (Linux)."""
    pid = server.process.pid
    pids = {str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    stats = [Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split() for process_id in pids]
    return sum(int(ticks) for fields in stats for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def store() -> Iterator[str | None]:
    """Run a Redis or Valkey that keeps nothing on disk, and yield its address, or ``None`` if none is installed."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None or importlib.util.find_spec("redis") is None:
        yield None
        return
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    with _process([program, *options], {}):
        _wait_for_port(port)
        yield f"redis://127.0.0.1:{port}"


def _command(kind: str, port: int) -> list[str]:
    where, python = f"127.0.0.1:{port}", [sys.executable, "-m"]
    return {
        "granian": [*python, "zdemo", "serve", "--port", str(port), "--threads", str(THREADS)],
        "waitress": [
            *python,
            "waitress",
            f"--listen={where}",
            f"--threads={THREADS}",
            "--call",
            "zdemo.server:create_app",
        ],
        "gunicorn": [*python, "gunicorn", "-b", where, "--threads", str(THREADS), "zdemo.server:create_app()"],
        "bare": [*python, "benchmarks.bare", str(port), str(THREADS)],
        "tuned": [*python, "benchmarks.tuned", str(port)],
        "uvicorn": [*python, "uvicorn", f"--port={port}", "--no-access-log", ASGI_APP],
        "granian-asgi": [*python, "granian", f"--port={port}", "--interface=asgi", ASGI_APP],
    }[kind]


def available(kind: str) -> bool:
    """Return whether a peer is installed (the group ``bench``)."""
    return kind in ("granian", "bare", "tuned") or importlib.util.find_spec(kind) is not None


@contextmanager
def serving(command: list[str], port: int) -> Iterator[Server]:
    """Run another server that listens on ``port``."""
    with _process(command, {}) as process:
        _wait_for_port(port)
        yield Server(port=port, process=process)


@contextmanager
def api(
    upstream_port: int,
    *options: str,
    kind: str = "granian",
    log: IO[bytes] | None = None,
    ready: str = "/api/public",
    **settings: object,
) -> Iterator[Server]:
    """Run the API on one kind of server, with options of its command; ``log`` gets what it logs.

    It is there when the path ``ready`` is. A setting has its variable's name, in lower case and without ``ZDEMO_``.
    """
    environment = {
        "ZITADEL_DOMAIN": f"http://localhost:{upstream_port}",
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        **{f"ZDEMO_{name.upper()}": str(value) for name, value in settings.items()},
    }
    port = free_port()
    with _process([*_command(kind, port), *options], environment, stderr=log or subprocess.DEVNULL) as process:
        _wait(port, ready)
        yield Server(port=port, process=process)


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(f"port {port} takes no connections")


def _wait(port: int, path: str) -> None:
    """Wait for the first answer; the port takes connections before that."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            if load.run(port, [load.request(path)], connections=1, seconds=0.1).statuses[200]:
                return
        time.sleep(0.05)
    raise TimeoutError(f"port {port} does not answer")
