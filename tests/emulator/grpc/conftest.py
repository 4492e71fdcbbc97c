from collections.abc import Iterator

import pytest

from tests.emulator.grpc.client import Client
from zdemo.emulator import Emulator


@pytest.fixture
def client(own: Emulator) -> Iterator[Client]:
    """Calls an emulator of this test alone, as the administrator."""
    with Client(own.port) as client:
        yield client
