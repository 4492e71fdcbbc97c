"""Two machines, each a ``zdemo serve`` with two workers, that share a Redis or Valkey."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import pytest
from flask import Flask

from tests.server.test_forgetting import order
from tests.support.apis import PRIVATE, SCOPED, Endpoint, settings_for
from tests.support.cli import Shell
from tests.support.redis_server import RedisServer, shared_server
from tests.support.served import Served, answering, environment_for, started
from tests.support.upstream import free_port
from tests.support.waiting import eventually
from zdemo.emulator import ADMIN, READER, VISITOR, Emulator
from zdemo.errors import ZdemoError
from zdemo.server import protect

pytestmark = pytest.mark.thorough

CALLS = 64
ROUNDS = 12  # requests that reach both workers but for one time in 2000


@pytest.fixture(scope="module")
def store() -> RedisServer:
    return shared_server()


@pytest.fixture(scope="module")
def variables(emulator: Emulator, store: RedisServer) -> dict[str, str]:
    return environment_for(emulator.url) | {"ZDEMO_CACHE_TTL": "3600", "ZDEMO_CACHE_URL": store.url}


@pytest.fixture(scope="module")
def machines(
    variables: dict[str, str], store: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Served]]:
    with ExitStack() as stack:
        starting = []
        for url in (store.url, store.socket_url):
            folder, port, own = tmp_path_factory.mktemp("machine"), free_port(), variables | {"ZDEMO_CACHE_URL": url}
            process = stack.enter_context(started(folder, own, "--workers", "2", "--no-page", "--port", str(port)))
            starting.append(Served(process=process, port=port, folder=folder))
        yield [answering(served) for served in starting]


def statuses(api: Endpoint, token: str) -> set[int]:
    return {api.get(SCOPED, token).status for _ in range(ROUNDS)}


def test_cold_calls_to_all_workers_ask_once(machines: list[Served], emulator: Emulator, store: RedisServer) -> None:
    with ThreadPoolExecutor(CALLS) as pool:
        calls = [pool.submit(api.get, PRIVATE, ADMIN.pat) for api in islice(cycle(machines), CALLS)]
        assert {call.result().status for call in calls} == {200}
    asked = [request for request in emulator.requests if request.path.endswith("/introspect")]
    assert [request.user for request in asked].count(ADMIN.username) == 1
    assert ADMIN.pat.encode() not in b"".join(store.keys())


def test_an_order_to_one_machine_reaches_the_other_at_any_ttl(machines: list[Served], emulator: Emulator) -> None:
    machine, other = machines
    assert statuses(machine, READER.pat) | statuses(other, READER.pat) == {200}
    emulator.world.users[READER.id].pats.clear()
    assert statuses(machine, READER.pat) | statuses(other, READER.pat) == {200}
    assert machine.send(order({"user_id": READER.id})).status == 200
    assert statuses(machine, READER.pat) == {401}
    eventually("the other machine follows", partial(statuses, other, READER.pat), {401}.__eq__)


def test_zdemo_role_reaches_all_by_the_store(machines: list[Served], variables: dict[str, str], tmp_path: Path) -> None:
    assert [statuses(api, VISITOR.pat) for api in machines] == [{401}, {401}]
    nowhere = {"ZITADEL_ADMIN_PAT": ADMIN.pat, "ZDEMO_API_URL": f"http://127.0.0.1:{free_port()}"}
    ran = Shell(folder=tmp_path, env=variables | nowhere)("role", "grant", "visitor", "read:messages")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("the APIs that share the store in ZDEMO_CACHE_URL follow at once\n")
    for api in machines:
        eventually("it follows", partial(statuses, api, VISITOR.pat), {200}.__eq__)


def test_a_store_that_ends_degrades_the_api_and_confirms_no_order(machines: list[Served], store: RedisServer) -> None:
    api = machines[0]
    store.stop()
    reply = api.send(order({"user_id": "1"}))
    assert (reply.status, reply.json["error"]) == (503, "store_unconfirmed")
    eventually("it says so", lambda: api.get("/readyz", None).json == {"status": "degraded"})
    assert api.get(PRIVATE, VISITOR.pat).status == 200
    message = f"answers are not shared: the store at {store.url.removeprefix('redis://')}"
    eventually("its log says so", lambda: message in api.log)
    store.start()

    def states() -> list[str]:
        return [each.get("/readyz", None).json["status"] for each in machines for _ in range(ROUNDS)]

    eventually("all workers use it again", lambda: set(states()) == {"ready"})


def test_an_app_of_ones_own_says_that_the_store_is_away() -> None:
    settings = replace(settings_for("http://localhost:9"), cache_url=f"redis://127.0.0.1:{free_port()}")
    guard = protect(Flask(__name__), settings).extensions["zdemo"]
    with pytest.raises(ZdemoError, match="ZDEMO_CACHE_URL"):
        guard.forget(user_id="1")
