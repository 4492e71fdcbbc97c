"""A built-in ZITADEL emulator: over HTTP it answers as a real ZITADEL does, and its state lives in memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zdemo.emulator.app import create_app
from zdemo.emulator.control import Control
from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.faults import Faults, new_fault
from zdemo.emulator.incoming.request_records import RequestRecords
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


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its URL, with the host name of its instance, its state, and the latest requests."""

    url: str
    world: World
    requests: RequestRecords
    faults: Faults
    control: Control

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.url.rpartition(":")[2])


@contextmanager
def emulate(world: World | None = None, *, host: str = LOOPBACK, port: int = 0) -> Iterator[Emulator]:
    """Serve a world while the block runs, by default the known one.

    To enter it again with the same world and port ends an outage. Raises OSError if it cannot listen there.
    """
    world = known_world() if world is None else world
    requests, faults = RequestRecords(), Faults()
    control = Control(create_app(world, requests, faults), world, requests, faults)
    with serving(control, host, port, on_http2=lambda: log.warning(HTTP2)) as bound:
        url = f"http://{world.external_domain}:{bound}"
        yield Emulator(url=url, world=world, requests=requests, faults=faults, control=control)
