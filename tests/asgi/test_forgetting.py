"""Forgetting answers in an app of one's own: the same call in FastAPI, Starlette and Flask."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, Endpoint, running, settings_for
from tests.support.asgi_apis import on_uvicorn, starlette_app
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.introspector_doubles import Scripted
from tests.support.upstream import upstream
from zdemo.authorization import Policy
from zdemo.config.settings import Settings
from zdemo.emulator import READER
from zdemo.guard import Guard
from zdemo.server import protect, requires_token


@contextmanager
def in_starlette(settings: Settings) -> Iterator[tuple[Endpoint, Guard]]:
    app = starlette_app(settings)
    with on_uvicorn(app) as api:
        yield api, app.state.zdemo


@contextmanager
def in_flask(settings: Settings) -> Iterator[tuple[Endpoint, Guard]]:
    app = protect(Flask(__name__), settings)

    @app.get(SCOPED)
    @requires_token(role="read:messages")
    def scoped() -> str:
        return "admitted"

    with running(app) as api:
        yield api, app.extensions["zdemo"]


@pytest.mark.parametrize("app", [in_flask, in_starlette])
@pytest.mark.parametrize("named", [{"user_id": PAT_CLAIMS["sub"]}, {"token": READER.pat}, {"everything": True}])
def test_the_next_request_asks_zitadel(app: Callable[[Settings], Any], named: dict[str, Any]) -> None:
    with upstream(ACTIVE) as up:
        settings = replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600)
        with app(settings) as (api, guard):
            assert api.get(SCOPED).status == 200
            up.now(WITHOUT_ROLE)
            assert api.get(SCOPED).status == 200
            assert guard.forget(user_id="another") == 0
            assert api.get(SCOPED).status == 200
            assert guard.forget(**named) == 1
            assert api.get(SCOPED).status == 401


def test_an_introspector_without_a_memory_has_nothing_to_forget() -> None:
    assert Guard(introspector=Scripted(), policy=Policy()).forget(everything=True) == 0
