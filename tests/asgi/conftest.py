from collections.abc import Iterator

import pytest

from tests.support.apis import settings_for
from zdemo.config.settings import Settings
from zdemo.emulator import Emulator, emulate


@pytest.fixture(scope="session")
def zitadel() -> Iterator[Emulator]:
    """The known world; never changed by a test."""
    with emulate() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def settings(zitadel: Emulator) -> Settings:
    return settings_for(zitadel.url)
