"""A ZITADEL for development and tests: over HTTP it answers as the real one does; its state lives in memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zdemo.emulator.app import create_app
from zdemo.emulator.seed import known_world
from zdemo.emulator.world import World
from zdemo.serving.embedded import LOOPBACK, serving

__all__ = ["Emulator", "World", "create_app", "emulate", "known_world"]

log = logging.getLogger("zdemo.emulator")


@dataclass(frozen=True)
class Emulator:
    """A running emulator: where it is, by the name that it answers to, and its state."""

    url: str
    world: World


@contextmanager
def emulate(world: World | None = None, *, host: str = LOOPBACK, port: int = 0) -> Iterator[Emulator]:
    """Serve a world while the block runs, the known one by default; port 0 picks a free one.

    Leaving the block is an outage: entered again with the same world and port, it is over.

    Raises:
        OSError: the port is taken, or the host is not one of this machine.
    """
    world = known_world() if world is None else world
    with serving(create_app(world), host, port, patient=True, on_http2=_log_http2) as bound:  # as ZITADEL is
        yield Emulator(url=f"http://{world.external_domain}:{bound}", world=world)


def _log_http2() -> None:
    log.warning(
        "a client spoke HTTP/2 and was hung up on: the emulator speaks HTTP/1.1 only, so gRPC clients need another "
        "transport (Connect with JSON, or REST)"
    )
