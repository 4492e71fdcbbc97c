"""Shared answers over real processes: one introspection for all workers, and a store that ends."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.apis import SCOPED
from tests.support.redis_server import RedisServer, redis_server
from tests.support.served import environment_for, served
from tests.support.waiting import eventually
from zdemo.emulator import READER, Emulator, emulate

CALLS = 64


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@pytest.fixture
def store() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def environment(zitadel: Emulator, url: str) -> dict[str, str]:
    return {**environment_for(zitadel.url), "ZDEMO_CACHE_TTL": "60", "ZDEMO_CACHE_URL": url}


@pytest.mark.parametrize("by", ["url", "socket_url"])
def test_cold_calls_to_all_workers_ask_once(zitadel: Emulator, store: RedisServer, tmp_path: Path, by: str) -> None:
    with served(tmp_path, environment(zitadel, getattr(store, by)), "--workers", "4") as running:
        eventually("all workers run", lambda: len(running.workers) == 4)
        with ThreadPoolExecutor(CALLS) as pool:
            assert {reply.status for reply in pool.map(running.get, [SCOPED] * CALLS)} == {200}
    asked = [one for one in zitadel.requests if one.path.endswith("/introspect") and one.user == "reader"]
    assert len(asked) == 1  # the start asks about a token of its own
    assert READER.pat.encode() not in b"".join(store.keys())


def test_a_store_that_ends_degrades_the_api_until_it_is_back(
    zitadel: Emulator, store: RedisServer, tmp_path: Path
) -> None:
    with served(tmp_path, environment(zitadel, store.url), "--open-metrics") as api:
        assert api.get(SCOPED).status == 200
        assert api.get("/readyz", None).json == {"status": "ready"}
        store.stop()
        eventually("it says so", lambda: api.get("/readyz", None).json == {"status": "degraded"})
        text = api.get("/metrics", None).body.decode()
        for name in ("failures", "misses"):
            assert re.search(rf"^zdemo_introspection_shared_{name}_total [1-9]", text, re.MULTILINE)
        store.start()
        eventually("it is ready again", lambda: api.get("/readyz", None).json == {"status": "ready"})
        log = api.log
    assert log.count("answers are not shared") == 1
    assert store.url.removeprefix("redis://") in log
