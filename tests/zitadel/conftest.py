from collections.abc import Iterator
from contextlib import closing

import pytest

from zdemo.config.address import ZitadelAddress
from zdemo.emulator import ADMIN, Emulator
from zdemo.zitadel.management import ManagementClient


@pytest.fixture
def client(own: Emulator) -> Iterator[ManagementClient]:
    with closing(ManagementClient(ZitadelAddress(own.url), ADMIN.pat, timeout_seconds=5)) as management:
        yield management
