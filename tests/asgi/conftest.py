"""An emulated ZITADEL, the settings of an API that asks it, and a server for the app of each test."""

from collections.abc import Iterator

import pytest

from tests.asgi.asgi_apis import STAGE, on_uvicorn
from tests.server.conftest import settings, zitadel
from tests.support.apis import Endpoint

__all__ = ["api", "settings", "zitadel"]


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    with on_uvicorn(STAGE) as running:
        yield running
