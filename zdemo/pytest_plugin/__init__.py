"""The plugin by which pytest finds the fixture ``zitadel_emulator`` wherever zdemo is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zdemo.testing import ZitadelEmulator


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """An emulated ZITADEL for this test alone, over HTTP on a free port of this machine."""
    from zdemo.testing import ZitadelEmulator  # here, since pytest loads this in every project with zdemo

    with ZitadelEmulator() as running:
        yield running
        if not running.requests:  # pytest shows this below a failure
            logging.getLogger(__name__).warning("the emulator got no request: did the API get zitadel_emulator.env?")
