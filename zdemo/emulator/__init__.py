"""A built-in ZITADEL emulator: over HTTP it answers as a real ZITADEL does, and its state lives in memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zdemo.emulator.app import create_app
from zdemo.emulator.control import Control
from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.faults import KINDS, Faults, new_fault
from zdemo.emulator.incoming import FIELDS, REQUESTS_LOG, RequestRecord, RequestRecords
from zdemo.emulator.oidc.token_endpoint import issue_jwt
from zdemo.emulator.seed import (
    ADMIN,
    APPLICATION_ID,
    APPLICATION_NAME,
    AUTHORIZATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    DEFAULT_PORT,
    ORGANIZATION_ID,
    PROJECT_ID,
    PROJECT_NAME,
    PROJECT_ROLES,
    READER,
    VISITOR,
    KnownUser,
    SeedError,
    Start,
    add_key_files,
    known_start,
    known_world,
    random_start,
)
from zdemo.emulator.world import World
from zdemo.serving.embedded import LOOPBACK, serving

__all__ = [
    "ADMIN",
    "APPLICATION_ID",
    "APPLICATION_NAME",
    "AUTHORIZATION_ID",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "DEFAULT_PORT",
    "FIELDS",
    "KINDS",
    "NEVER",
    "ORGANIZATION_ID",
    "PROJECT_ID",
    "PROJECT_NAME",
    "PROJECT_ROLES",
    "READER",
    "REQUESTS_LOG",
    "VISITOR",
    "Control",
    "Emulator",
    "Faults",
    "KnownUser",
    "RequestRecord",
    "RequestRecords",
    "SeedError",
    "Start",
    "User",
    "World",
    "add_key_files",
    "create_app",
    "emulate",
    "issue_jwt",
    "known_start",
    "known_world",
    "new_fault",
    "random_start",
    "seeded_start",
]

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


def seeded_start(text: str, name: str) -> Start:
    """Return a new world with the content of a seed file, whose name ends with .toml or .json.

    What the file does not choose is random, and an administrator is added if it has none, as a ZITADEL has one from
    its first start. Raises SeedError.
    """
    from zdemo.emulator.seed_file import Seeding  # here, since few worlds come from a file

    return Seeding(text, name).fill()


@contextmanager
def emulate(
    world: World | None = None, *, host: str = LOOPBACK, port: int = 0, requests: RequestRecords | None = None
) -> Iterator[Emulator]:
    """Serve a world while the block runs, by default the known one; port 0 picks a free port.

    ``requests`` are those of an earlier run to add to.

    Leaving the block simulates an outage, which ends when the block is entered again with the same world and port.

    Raises OSError if the port is taken, or the host is not an address of this machine.
    """
    world = known_world() if world is None else world
    requests = RequestRecords() if requests is None else requests
    faults = Faults()
    control = Control(create_app(world, requests, faults), world, requests, faults)
    with serving(control, host, port, on_http2=lambda: log.warning(HTTP2)) as bound:
        url = f"http://{world.external_domain}:{bound}"
        yield Emulator(url=url, world=world, requests=requests, faults=faults, control=control)
