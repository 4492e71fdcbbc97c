"""Emulators with applications that log people in."""

from collections.abc import Iterator

import pytest

from tests.support.introspector_doubles import Clock
from tests.support.logins import Client, add_client
from zdemo.emulator import Emulator, emulate, known_world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulator(clock: Clock) -> Iterator[Emulator]:
    """An emulator of this test alone, with a clock that stands."""
    world = known_world()
    world.now = clock
    with emulate(world) as running:
        yield running


@pytest.fixture
def public(emulator: Emulator) -> Iterator[Client]:
    """A browser application without a secret."""
    client = add_client(emulator)
    yield client
    client.browser.close()
