from collections.abc import Iterator
from contextlib import closing

import pytest

from zdemo.config.address import ZitadelAddress
from zdemo.emulator import ADMIN, Emulator, emulate
from zdemo.zitadel.management import ManagementClient


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with emulate() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ManagementClient]:
    with closing(ManagementClient(ZitadelAddress(emulator.url), ADMIN.pat, timeout_seconds=5)) as management:
        yield management
