"""A folder without settings to run commands in, and an emulator to plant faults in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.planting import Planter
from zdemo.emulator import Emulator, emulate


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """A shell without settings in an empty folder."""
    return Shell(folder=tmp_path, env={})


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    """An emulator of the test's own."""
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def planter(zitadel: Emulator) -> Planter:
    """Changes the emulator as an administrator would."""
    return Planter(zitadel)
