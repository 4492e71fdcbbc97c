"""Emulators with applications that log people in."""

from collections.abc import Iterator

import pytest

from tests.support.introspector_doubles import Clock
from tests.support.logins import Client, add_client
from zdemo.emulator import Emulator, emulate


@pytest.fixture
def clock(own: Emulator) -> Clock:
    """The clock of this test's emulator, which stands."""
    own.world.now = clock = Clock()
    return clock


@pytest.fixture
def public(own: Emulator, clock: Clock) -> Iterator[Client]:  # noqa: ARG001 - it stands
    """A browser application without a secret, and a browser that is new."""
    client = add_client(own)
    yield client
    client.browser.close()


@pytest.fixture(scope="session")
def shared() -> Iterator[Client]:
    """The same of an emulator for all tests that only add to it; nobody logs in with this browser."""
    with emulate() as running:
        yield add_client(running)
