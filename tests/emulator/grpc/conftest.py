from collections.abc import Iterator

import pytest

from tests.emulator.grpc.client import Client
from zdemo.emulator import Emulator


@pytest.fixture
def client(own: Emulator) -> Iterator[Client]:
    """A client of the test's own emulator, with the administrator's token."""
    with Client(own.port) as client:
        yield client
