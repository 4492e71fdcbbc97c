"""An emulated ZITADEL, and the settings of an API that asks it."""

from tests.server.conftest import settings, zitadel

__all__ = ["settings", "zitadel"]
