"""The plugin by which pytest finds the fixture ``zitadel_emulator`` wherever zdemo is installed."""

from collections.abc import Iterator

import pytest

from zdemo.testing import ZitadelEmulator

__all__ = ["ZitadelEmulator", "zitadel_emulator"]


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """An emulated ZITADEL for this test alone, over HTTP on a free port of this machine."""
    with ZitadelEmulator() as running:
        yield running
