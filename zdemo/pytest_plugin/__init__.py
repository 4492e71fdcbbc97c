"""The plugin by which pytest finds the fixture ``zitadel_emulator`` wherever zdemo is installed."""

import logging
from collections.abc import Iterator

import pytest

from zdemo.testing import ZitadelEmulator

__all__ = ["ZitadelEmulator", "zitadel_emulator"]


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """An emulated ZITADEL for this test alone, over HTTP on a free port of this machine."""
    with ZitadelEmulator() as running:
        yield running
        if not running.requests:  # pytest shows this below a failure
            logging.getLogger(__name__).warning("the emulator got no request: did the API get zitadel_emulator.env?")
