"""A built-in ZITADEL emulator: over HTTP it answers as a real ZITADEL does, and its state lives in memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from zdemo.emulator.app import create_app
from zdemo.emulator.control import Emulator
from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.faults import new_fault
from zdemo.emulator.seed import (
    ADMIN,
    APPLICATION_ID,
    AUTHORIZATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    DEFAULT_PORT,
    ORGANIZATION_ID,
    PROJECT_ID,
    READER,
    VISITOR,
    KnownUser,
    known_world,
)
from zdemo.emulator.world import World
from zdemo.serving.embedded import LOOPBACK, serving

__all__ = ["Emulator", "KnownUser", "User", "World", "create_app", "emulate", "known_world", "new_fault"]
__all__ += ["ADMIN", "APPLICATION_ID", "AUTHORIZATION_ID", "CLIENT_ID", "CLIENT_SECRET", "DEFAULT_PORT", "NEVER"]
__all__ += ["ORGANIZATION_ID", "PROJECT_ID", "READER", "VISITOR"]

HTTP2 = (
    "closed the connection of a client that spoke HTTP/2: the emulator supports HTTP/1.1 only, so gRPC clients need "
    "another transport (Connect with JSON, or REST)"
)
log = logging.getLogger("zdemo.emulator")


@contextmanager
def emulate(world: World | None = None, *, host: str = LOOPBACK, port: int = 0) -> Iterator[Emulator]:
    """Serve a world while the block runs, by default the known one.

    To enter it again with the same world and port ends an outage. Raises OSError if it cannot listen there.
    """
    emulator = Emulator(known_world() if world is None else world)
    with serving(emulator, host, port, on_http2=lambda: log.warning(HTTP2)) as bound:
        emulator.url = f"http://{emulator.world.external_domain}:{bound}"
        yield emulator
