"""The plugin by which pytest finds the fixture ``zitadel_emulator`` wherever zdemo is installed."""

from zdemo.testing import ZitadelEmulator
from zdemo.testing.fixture import zitadel_emulator

__all__ = ["ZitadelEmulator", "zitadel_emulator"]
