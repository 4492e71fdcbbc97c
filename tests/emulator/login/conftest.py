"""Emulators with applications that log people in."""

from collections.abc import Iterator

import pytest

from tests.support.introspector_doubles import Clock
from tests.support.logins import Client, add_client
from zdemo.emulator import Emulator, World, emulate, known_world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    """The known world, with a clock that stands."""
    world = known_world()
    world.now = clock
    return world


@pytest.fixture
def emulator(world: World) -> Iterator[Emulator]:
    with emulate(world) as running:
        yield running


@pytest.fixture
def public(emulator: Emulator) -> Iterator[Client]:
    """A browser application without a secret."""
    client = add_client(emulator)
    yield client
    client.browser.close()
