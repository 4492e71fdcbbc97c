"""The fixture ``zitadel_emulator`` of pytest."""

from collections.abc import Iterator

import pytest

from zdemo.testing import ZitadelEmulator


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """An emulated ZITADEL for this test alone, over HTTP on a free port of this machine."""
    with ZitadelEmulator() as running:
        yield running
