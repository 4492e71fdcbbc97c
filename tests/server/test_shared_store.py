"""Shared answers over real processes: one introspection for all workers and machines, whatever the store does."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.apis import SCOPED
from tests.support.introspector_doubles import PATIENCE_SECONDS
from tests.support.processes import processes
from tests.support.redis_server import RedisServer, redis_server
from tests.support.served import Served, environment_for, served
from tests.support.waiting import eventually
from zdemo.emulator import Emulator, emulate, new_fault

CALLS = 64
TIMEOUT_SECONDS = 5.0  # as ZDEMO_TIMEOUT is not set
TTL = {"ZDEMO_CACHE_TTL": "60"}


@pytest.fixture
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(autouse=True)
def empty(store: RedisServer) -> None:
    store.run("FLUSHALL")


def environment(zitadel: Emulator, url: str, **others: str) -> dict[str, str]:
    return {**environment_for(zitadel.url), **TTL, "ZDEMO_CACHE_URL": url, **others}


def introspections(zitadel: Emulator) -> int:
    """Return how often ZITADEL was asked about the reader's token; each server asks about one of its own at start."""
    return sum(record.path.endswith("/introspect") and record.user == "reader" for record in list(zitadel.requests))


def call_all(apis: list[Served], calls: int = CALLS) -> list[int]:
    """Send simultaneous requests, in turn to all, and return their statuses."""
    with ThreadPoolExecutor(calls) as pool:
        replies = [pool.submit(apis[number % len(apis)].get, SCOPED) for number in range(calls)]
        return [reply.result(PATIENCE_SECONDS).status for reply in replies]


@pytest.mark.parametrize("by", ["url", "socket_url"])
def test_cold_calls_to_the_workers_of_one_server_ask_once(
    zitadel: Emulator, store: RedisServer, tmp_path: Path, by: str
) -> None:
    with served(tmp_path, environment(zitadel, getattr(store, by)), "--workers", "4") as running:
        eventually("all workers run", lambda: len(running.workers) == 4)
        assert call_all([running]) == [200] * CALLS
    assert introspections(zitadel) == 1


def test_a_store_that_ends_degrades_the_api_until_it_is_back(zitadel: Emulator, tmp_path: Path) -> None:
    with redis_server() as own, served(tmp_path, environment(zitadel, own.url), "--open-metrics") as api:
        assert api.get(SCOPED).status == 200
        assert api.get("/readyz", None).json == {"status": "ready"}
        own.stop()
        eventually("it says so", lambda: api.get("/readyz", None).json == {"status": "degraded"})
        assert api.get("/readyz", None).status == 200
        text = api.get("/metrics", None).body.decode()
        assert re.search(r"^zdemo_introspection_shared_failures_total [1-9]", text, re.MULTILINE)
        assert re.search(r"^zdemo_introspection_shared_misses_total [1-9]", text, re.MULTILINE)
        own.start()
        eventually("it is ready again", lambda: api.get("/readyz", None).json == {"status": "ready"})
        log = api.log
    assert log.count("answers are not shared") == 1
    assert own.url.removeprefix("redis://") in log


def test_a_worker_that_is_killed_while_it_asks_holds_up_no_other(
    zitadel: Emulator, store: RedisServer, tmp_path: Path
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        apis = []
        for name in "ab":
            (tmp_path / name).mkdir()
            apis.append(stack.enter_context(served(tmp_path / name, environment(zitadel, store.url))))
        zitadel.faults.add(new_fault("hang", times=1, path="introspection"))
        pool.submit(apis[0].get, SCOPED)
        eventually("the first asks", lambda: store.keys("lease"))
        began = time.monotonic()
        waiting = pool.submit(apis[1].get, SCOPED)
        for one in processes():
            if one.group == apis[0].process.pid:
                os.kill(one.pid, signal.SIGKILL)
        assert waiting.result(PATIENCE_SECONDS).status == 200
        assert time.monotonic() - began < TIMEOUT_SECONDS
        zitadel.faults.clear()
