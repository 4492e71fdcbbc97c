"""Free ports for processes that cannot choose and report one."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below those from which a system takes a port for every connection that is opened: one of them might be taken by a
# test that runs at the same time, between this look and the start of what shall listen there.
FIRST, LAST = 20_000, 32_000


def free_port() -> int:
    """Return a port on which nothing listens now."""
    while True:
        port = random.randrange(FIRST, LAST)  # noqa: S311  # nothing secret
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        return port
