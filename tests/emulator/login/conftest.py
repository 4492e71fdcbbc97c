"""Emulators with applications that log people in."""

from collections.abc import Iterator

import pytest

from tests.support.introspector_doubles import Clock
from tests.support.logins import Client, add_client
from zdemo.emulator import Emulator, emulate


@pytest.fixture
def clock(own: Emulator) -> Clock:
    """The clock of this test's emulator, stopped."""
    own.world.now = clock = Clock()
    return clock


@pytest.fixture
def public(own: Emulator, clock: Clock) -> Iterator[Client]:  # noqa: ARG001 - it stops the clock
    """A browser application without a secret, and a browser that is new."""
    client = add_client(own)
    yield client
    client.browser.close()


@pytest.fixture(scope="session")
def shared() -> Iterator[Client]:
    """A client of an emulator that tests share and only add to; nobody logs in with its browser."""
    with emulate() as running:
        yield add_client(running)
