"""Two workers that share a store, which is empty at first: a Redis, and a Valkey if that is installed too."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.redis_server import RedisServer, programs, redis_server
from tests.support.sharing import Worker, worker


@pytest.fixture(scope="session", params=programs() or ["none"])
def store(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with redis_server(program=None if request.param == "none" else request.param) as server:
        yield server


@pytest.fixture
def stack(store: RedisServer) -> Iterator[ExitStack]:
    store.run("FLUSHALL")
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def one(store: RedisServer, stack: ExitStack) -> Worker:
    return stack.enter_context(worker(store.url))


@pytest.fixture
def other(store: RedisServer, stack: ExitStack) -> Worker:
    return stack.enter_context(worker(store.url))
