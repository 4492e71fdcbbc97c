"""What a caller of FastAPI and Starlette sees: the table of answers, ZITADEL's failures, and forgotten answers."""

from dataclasses import replace
from typing import Any

import pytest

from tests.asgi.asgi_apis import STAGE, example_app, starlette_app
from tests.server.test_faults import PROJECT
from tests.support.apis import PUBLIC, SCOPED, Endpoint, settings_for
from tests.support.connection_faults import ACTIVE, FAULTS, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.rows import OF_THE_GUARD, check_body, check_rows
from tests.support.upstream import reset, upstream
from zdemo.config.parsers import DEFAULT_TIMEOUT_SECONDS
from zdemo.config.settings import Settings
from zdemo.emulator import READER

OF_THE_SERVER = {"an absolute target", "two slashes at the start"}  # uvicorn hands these over as other paths
ROWS = {name: row for name, row in OF_THE_GUARD.items() if name not in OF_THE_SERVER}
OF_STARLETTE = {"HEAD", "HEAD without a token"}  # a GET in FastAPI answers no HEAD
FOR_FASTAPI = {name: row for name, row in ROWS.items() if name not in OF_STARLETTE}


def test_fastapi_gives_each_answer_in_the_table(settings: Settings, api: Endpoint) -> None:
    STAGE.app = example_app(settings)
    check_rows(api, FOR_FASTAPI, only_guarded=True)


def test_starlette_gives_each_answer_in_the_table(settings: Settings, api: Endpoint) -> None:
    STAGE.app = starlette_app(replace(settings, cache_ttl_seconds=3600))
    assert api.get().status == 200  # so that what comes with a known token is read as strictly
    check_rows(api, ROWS, only_guarded=True)


def test_zitadel_is_not_asked_where_it_need_not_be(api: Endpoint) -> None:
    with upstream(reset) as up:
        STAGE.app = starlette_app(settings_for(up.url))
        check_rows(api, {name: row for name, row in ROWS.items() if not row.asks}, only_guarded=True)
        assert up.requests == []


@pytest.mark.parametrize("name", ["hangs", "resets", "429 with Retry-After", "HTML", "302", "400 unauthorized_client"])
def test_a_failure_of_zitadel_is_answered_as_on_flask(name: str, api: Endpoint) -> None:
    fault = FAULTS[name]
    seconds = 0.5 if fault.hangs else DEFAULT_TIMEOUT_SECONDS  # others may take longer on a busy machine
    with upstream(fault.behaviour) as up:
        STAGE.app = starlette_app(settings_for(up.url, timeout_seconds=seconds))
        reply, public = api.get(), api.get(PUBLIC)
    assert (reply.status, reply.one("www-authenticate"), reply.one("cache-control")) == (fault.status, None, "no-store")
    assert bool(reply.one("retry-after")) == (fault.status == 503)
    check_body(reply, {502: "bad_gateway", 503: "service_unavailable"}[fault.status])
    assert public.status == 200


def test_the_next_request_after_an_order_to_forget_asks_zitadel(api: Endpoint) -> None:
    orders: tuple[dict[str, Any], ...] = ({"user_id": PAT_CLAIMS["sub"]}, {"token": READER.pat}, {"everything": True})
    with upstream(ACTIVE) as up:
        STAGE.app = starlette_app(replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600))
        forget = STAGE.app.state.zdemo.forget
        for order in orders:
            assert api.get(SCOPED).status == 200
            assert (forget(user_id="another"), forget(**order)) == (0, 1)
        with pytest.raises(ValueError, match="what follows Bearer, without"):
            forget(token=f"Bearer {READER.pat}")
        up.now(WITHOUT_ROLE)
        assert api.get(SCOPED).status == 401
