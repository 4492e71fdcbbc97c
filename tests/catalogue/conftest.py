"""An emulator to plant faults in, and an API."""

from collections.abc import Iterator

import pytest

from tests.support.cli import settings
from tests.support.emulator_target import as_real
from tests.support.planting import Planter
from zdemo.config.settings import Settings
from zdemo.emulator import Emulator
from zdemo.server import create_app
from zdemo.serving.embedded import serving


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulator for all tests, as a real ZITADEL: to start one takes longer than a command."""
    with as_real() as emulator:
        yield emulator


@pytest.fixture
def zitadel(emulator: Emulator) -> Iterator[Emulator]:
    """The emulator as it was at its start."""
    yield emulator
    emulator.reset()


@pytest.fixture
def api(zitadel: Emulator) -> Iterator[str]:
    with serving(create_app(Settings.from_env(settings(zitadel.url)))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def planter(zitadel: Emulator) -> Planter:
    """Changes the emulator as an administrator would."""
    return Planter(zitadel)
