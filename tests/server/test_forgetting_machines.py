"""Orders to forget among machines: two ``zdemo serve`` that share a Redis or Valkey, and ``zdemo role``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from tests.server.test_faults import PROJECT
from tests.server.test_forgetting import USER, order
from tests.support.apis import SCOPED, Endpoint, settings_for
from tests.support.cli import Shell
from tests.support.connection_faults import ACTIVE, WITHOUT_ROLE
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer, redis_server
from tests.support.served import Served, environment_for, served
from tests.support.upstream import upstream
from tests.support.waiting import eventually
from zdemo.emulator import ADMIN, PROJECT_ID, READER, emulate
from zdemo.errors import ZdemoError
from zdemo.server import protect

ROUNDS = 12  # requests that reach both workers but for one time in 2000


@pytest.fixture
def store() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@contextmanager
def machines(folder: Path, environment: dict[str, str]) -> Iterator[tuple[Served, Served]]:
    """Run two servers with two workers each."""
    folders = [folder / "one", folder / "other"]
    for each in folders:
        each.mkdir()
    options = ("--workers", "2", "--no-page")
    with served(folders[0], environment, *options) as one, served(folders[1], environment, *options) as other:
        yield one, other


def environment(issuer: str, store: RedisServer) -> dict[str, str]:
    more = {"ZITADEL_PROJECT_ID": PROJECT, "ZDEMO_CACHE_TTL": "3600", "ZDEMO_CACHE_URL": store.url}
    return environment_for(issuer) | more


def statuses(api: Endpoint) -> set[int]:
    return {api.get(SCOPED).status for _ in range(ROUNDS)}


def test_an_order_to_one_machine_reaches_the_other_at_any_ttl(store: RedisServer, tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, machines(tmp_path, environment(up.url, store)) as (one, other):
        assert statuses(one) | statuses(other) == {200}
        up.now(WITHOUT_ROLE)
        assert statuses(one) | statuses(other) == {200}
        assert one.send(order({"user_id": USER})).status == 200
        assert statuses(one) == {401}
        eventually("the other machine follows", lambda: statuses(other), lambda found: found == {401})


def test_without_the_store_an_api_forgets_and_says_that_the_others_were_not_told(
    store: RedisServer, tmp_path: Path
) -> None:
    with emulate() as zitadel:
        variables = environment(zitadel.url, store) | environment_for(zitadel.url)
        with machines(tmp_path, variables) as (one, _):
            assert one.get(SCOPED).status == 200
            store.stop()
            url = f"http://127.0.0.1:{one.port}"
            shell = Shell(folder=tmp_path, env={"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_PROJECT_ID": PROJECT_ID})
            ran = shell("role", "revoke", "reader", "read:messages", ZITADEL_ADMIN_PAT=ADMIN.pat, ZDEMO_API_URL=url)
            assert ran.err.startswith(
                f"note: the API at {url} forgot its answers, but its store did not take the order"
            )
            assert ran.out.endswith(
                f"the API at {url} follows at once\nother running APIs follow within their ZDEMO_CACHE_TTL\n"
            )
            assert one.get(SCOPED).status == 401
            reply = one.send(order({"user_id": USER}))
        assert (reply.status, reply.json["error"]) == (503, "store_unconfirmed")
        assert "this API forgot, but the store did not take the order" in reply.json["error_description"]


def test_an_app_of_ones_own_says_that_the_store_is_away() -> None:
    settings = replace(settings_for("http://localhost:9"), cache_url=f"redis://127.0.0.1:{free_port()}")
    guard = protect(Flask(__name__), settings).extensions["zdemo"]
    with pytest.raises(ZdemoError, match="ZDEMO_CACHE_URL"):
        guard.forget(user_id="1")


def test_zdemo_role_reaches_all_machines_by_the_store_alone(store: RedisServer, tmp_path: Path) -> None:
    with emulate() as zitadel:
        variables = environment(zitadel.url, store) | environment_for(zitadel.url)
        nowhere = {"ZITADEL_ADMIN_PAT": ADMIN.pat, "ZDEMO_API_URL": f"http://127.0.0.1:{free_port()}"}
        shell = Shell(folder=tmp_path, env=variables | nowhere)
        with machines(tmp_path, variables) as apis:
            for command, status in (("revoke", 401), ("grant", 200)):
                ran = shell("role", command, "reader", "read:messages")
                assert (ran.code, ran.err) == (0, "")
                assert ran.out.endswith("the APIs that share the store in ZDEMO_CACHE_URL follow at once\n")
                for api in apis:
                    eventually("it follows", partial(statuses, api), {status}.__eq__)
            for api in apis:
                assert f"forgot 1 answer about user {READER.id}, as an order in the store says\n" in api.log
        store.stop()
        ran = shell("role", "revoke", "reader", "read:messages")
        assert ran.out.endswith("running APIs follow within their ZDEMO_CACHE_TTL\n")
