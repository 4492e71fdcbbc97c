"""A real Redis or Valkey server, as a process of its own on a free port."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from redis import Redis

from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually

PROGRAMS = os.environ.get("TEST_STORE", "redis-server valkey-server").split()
END_SECONDS = 20


@dataclass(kw_only=True)
class RedisServer:
    program: str
    port: int
    folder: Path
    options: tuple[str, ...] = ()
    tls: bool = False
    password: str = field(default="", init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}{LOOPBACK}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"unix://{self.folder}/socket"

    def start(self) -> None:
        port = ("--port", "0", "--tls-port", str(self.port)) if self.tls else ("--port", str(self.port))
        command = [self.program, *port, "--bind", LOOPBACK, "--save", "", "--hz", "100", "--dir", str(self.folder)]
        command += ["--unixsocket", f"{self.folder}/socket", "--enable-debug-command", "yes", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  # the test's own
        eventually("the store listens", self._listens)

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            log = (self.folder / "log").read_text()
            if "Failed finding TLS support" in log:
                pytest.skip(f"this {self.program} is built without TLS")
            raise AssertionError(log)
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def client(self, timeout: float = 5) -> Redis:
        return Redis(unix_socket_path=f"{self.folder}/socket", password=self.password or None, socket_timeout=timeout)

    def run(self, *command: str | bytes | int) -> object:
        with closing(self.client()) as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def keys(self, kind: str = "*") -> list[bytes]:
        """Return the keys of a kind: answer, lease or orders."""
        with closing(self.client()) as client:
            return sorted(map(bytes, client.scan_iter(f"zdemo:3:{kind}:*")))

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the process hang for the block."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def asking(self, password: str) -> Iterator[None]:
        """Let it ask for a password for the block, unless that is empty."""
        self.run("CONFIG", "SET", "requirepass", password)
        self.password = password
        try:
            yield
        finally:
            self.run("CONFIG", "SET", "requirepass", "")
            self.password = ""

    def repair(self) -> None:
        """End what tests do to a server: it is empty, has room, and takes answers."""
        self.run("REPLICAOF", "NO", "ONE")
        self.run("CONFIG", "SET", "maxmemory", "0")
        self.run("FLUSHALL")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(END_SECONDS)


def programs() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program)]


@contextmanager
def redis_server(*options: str, program: str | None = None, tls: bool = False) -> Iterator[RedisServer]:
    """Run a server for the block; skip the test where none is installed."""
    program = program or next(iter(programs()), None)
    if program is None:
        pytest.skip(f"not installed: {', '.join(PROGRAMS)}")
    with tempfile.TemporaryDirectory(prefix="zdemo-store-") as folder:
        server = RedisServer(program=program, port=free_port(), folder=Path(folder), options=options, tls=tls)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def shared_server(program: str | None = None) -> RedisServer:
    """Return a server that the tests of this process share, as ``repair`` leaves it."""
    server = _shared(program)
    server.repair()
    return server


@cache
def _shared(program: str | None) -> RedisServer:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(redis_server(program=program))
