"""A built-in ZITADEL emulator: over HTTP it answers as a real ZITADEL does, and its state lives in memory."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from socket import socket
from threading import Lock

from zdemo.emulator.control import Emulator
from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.faults import new_fault
from zdemo.emulator.seed import (
    ADMIN,
    APPLICATION_ID,
    AUTHORIZATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    ORGANIZATION_ID,
    PROJECT_ID,
    READER,
    VISITOR,
    known_start,
)
from zdemo.emulator.world import World
from zdemo.serving.embedded import LOOPBACK, serving

__all__ = ["Emulator", "User", "World", "emulate", "known_start", "new_fault"]
__all__ += ["ADMIN", "APPLICATION_ID", "AUTHORIZATION_ID", "CLIENT_ID", "CLIENT_SECRET", "NEVER"]
__all__ += ["ORGANIZATION_ID", "PROJECT_ID", "READER", "VISITOR"]

NO_GRPC = "closed the connection of a client that spoke HTTP/2: gRPC needs pip install 'zdemo[grpc]' and a restart"
log = logging.getLogger("zdemo.emulator")


@contextmanager
def emulate(world: World | None = None, *, host: str = LOOPBACK, port: int = 0) -> Iterator[Emulator]:
    """Serve a world while the block runs, by default the known one.

    To enter it again with the same world and port ends an outage. Raises OSError if it cannot listen there.
    """
    emulator, lock = Emulator(known_start().world if world is None else world), Lock()
    with ExitStack() as running:

        @cache
        def grpc() -> Callable[..., None]:  # for the first client, since it takes long to load
            try:
                from zdemo.emulator.grpc.server import grpc_server
            except ImportError:
                return lambda *_: log.warning(NO_GRPC)
            return running.enter_context(grpc_server(emulator))

        def on_http2(client: socket, received: bytes) -> None:
            with lock:
                serve = grpc()
            serve(client, received)

        emulator.port = running.enter_context(serving(emulator, host, port, on_http2=on_http2))
        emulator.url = f"http://{emulator.world.external_domain}:{emulator.port}"
        yield emulator
