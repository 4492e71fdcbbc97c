"""Forgetting answers in an app of one's own."""

from dataclasses import replace
from typing import Any

import pytest

from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, settings_for
from tests.support.asgi_apis import on_uvicorn, starlette_app
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.upstream import upstream
from zdemo.emulator import READER


@pytest.mark.parametrize("named", [{"user_id": PAT_CLAIMS["sub"]}, {"token": READER.pat}, {"everything": True}])
def test_the_next_request_asks_zitadel(named: dict[str, Any]) -> None:
    with upstream(ACTIVE) as up:
        settings = replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600)
        app = starlette_app(settings)
        with on_uvicorn(app) as api:
            guard = app.state.zdemo
            assert api.get(SCOPED).status == 200
            up.now(WITHOUT_ROLE)
            assert api.get(SCOPED).status == 200
            assert guard.forget(user_id="another") == 0
            assert api.get(SCOPED).status == 200
            assert guard.forget(**named) == 1
            assert api.get(SCOPED).status == 401
