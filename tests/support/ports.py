"""Free ports for processes that cannot choose and report one."""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"
# Below those from which a system takes a port for every connection that is opened: one of them might be taken by a
# test that runs at the same time, between this look and the start of what shall listen there.
FIRST, LAST = 20_000, 32_000


@contextmanager
def fixed_port(port: int) -> Iterator[None]:
    """Keep a port for the block among all test processes of this user; skip the test if something listens there."""
    with Path(tempfile.gettempdir(), f"zdemo-tests-{os.getuid()}-port-{port}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                pytest.skip(f"port {port} is taken on this machine")
        yield


def free_port() -> int:
    """Return a port on which nothing listens now."""
    while True:
        port = random.randrange(FIRST, LAST)  # noqa: S311  # nothing secret
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        return port


@contextmanager
def taken_port() -> Iterator[int]:
    """Keep a port taken for the block."""
    with socket.create_server((LOOPBACK, free_port())) as sock:
        yield int(sock.getsockname()[1])
