"""Forgetting answers in an app of one's own."""

from dataclasses import replace
from typing import Any

import pytest

from tests.asgi.asgi_apis import on_uvicorn, starlette_app
from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, settings_for
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.upstream import upstream
from zdemo.emulator import READER


def test_the_next_request_asks_zitadel() -> None:
    named: tuple[dict[str, Any], ...] = ({"user_id": PAT_CLAIMS["sub"]}, {"token": READER.pat}, {"everything": True})
    with upstream(ACTIVE) as up:
        app = starlette_app(replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600))
        with on_uvicorn(app) as api:
            for order in named:
                up.now(ACTIVE)
                app.state.zdemo.forget(everything=True)
                assert api.get(SCOPED).status == 200
                up.now(WITHOUT_ROLE)
                assert app.state.zdemo.forget(user_id="another") == 0
                with pytest.raises(ValueError, match="what follows Bearer, without"):
                    app.state.zdemo.forget(token=f"Bearer {READER.pat}")
                assert api.get(SCOPED).status == 200
                assert app.state.zdemo.forget(**order) == 1
                assert api.get(SCOPED).status == 401
