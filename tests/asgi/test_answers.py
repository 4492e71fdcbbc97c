"""The table of answers on FastAPI and Starlette, and ZITADEL's failures: what a caller sees is the same as on Flask."""

from collections.abc import Iterator

import pytest

from tests.asgi.asgi_apis import example_app, on_uvicorn, starlette_app
from tests.support.apis import PRIVATE, PUBLIC, Endpoint, plain_api, settings_for
from tests.support.connection_faults import FAULTS, INACTIVE
from tests.support.rows import JUDGED_PROJECT, OF_THE_GUARD, check, check_body, check_rows
from tests.support.upstream import Upstream, reset, upstream
from zdemo.config.settings import Settings
from zdemo.zitadel.introspection_client import IntrospectionClient

OF_THE_SERVER = {"an absolute target", "two slashes at the start"}  # uvicorn hands these over as other paths
ROWS = {name: row for name, row in OF_THE_GUARD.items() if name not in OF_THE_SERVER}
OF_STARLETTE = {"HEAD", "HEAD without a token"}  # a GET in FastAPI answers no HEAD
FOR_FASTAPI = {name: row for name, row in ROWS.items() if name not in OF_STARLETTE}
COMPARED = ("www-authenticate", "retry-after", "cache-control", "vary", "content-type")


@pytest.fixture(scope="module")
def fastapi(settings: Settings) -> Iterator[Endpoint]:
    with on_uvicorn(example_app(settings)) as api:
        yield api


@pytest.fixture(scope="module")
def starlette(settings: Settings) -> Iterator[Endpoint]:
    with on_uvicorn(starlette_app(settings)) as api:
        yield api


def test_fastapi_gives_each_answer_in_the_table(fastapi: Endpoint) -> None:
    check_rows(fastapi, FOR_FASTAPI, only_guarded=True)


@pytest.mark.parametrize("name", ROWS)
def test_starlette_gives_the_answer_in_the_table(name: str, starlette: Endpoint) -> None:
    check(starlette.send(ROWS[name].data), ROWS[name], only_guarded=True)


def test_zitadel_is_not_asked_where_it_need_not_be() -> None:
    with upstream(reset) as up, on_uvicorn(starlette_app(settings_for(up.url))) as api:
        check_rows(api, {name: row for name, row in ROWS.items() if not row.asks}, only_guarded=True)
        assert up.requests == []


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(INACTIVE) as running:
        yield running


@pytest.fixture(scope="module")
def both(up: Upstream) -> Iterator[tuple[Endpoint, Endpoint]]:
    """The API in Flask and in Starlette, which ask ``up`` about every request."""
    settings = settings_for(up.url, project_id=JUDGED_PROJECT, timeout_seconds=0.5)
    client = IntrospectionClient(settings, connections=4)
    with plain_api(settings) as flask, on_uvicorn(starlette_app(settings, client)) as starlette:
        yield flask, starlette
    client.close()


@pytest.mark.parametrize("name", ["hangs", "resets", "429 with Retry-After", "HTML", "302", "400 unauthorized_client"])
def test_a_failure_of_zitadel_is_answered_as_on_flask(name: str, up: Upstream, both: tuple[Endpoint, Endpoint]) -> None:
    up.now(FAULTS[name].behaviour)
    flask, starlette = (api.get(PRIVATE) for api in both)
    assert starlette.status == flask.status == FAULTS[name].status
    assert [(starlette.one(field), field) for field in COMPARED] == [(flask.one(field), field) for field in COMPARED]
    assert starlette.json["error_description"] == flask.json["error_description"]
    check_body(starlette, flask.json["error"])
    assert both[1].get(PUBLIC).status == 200
