"""Two workers that share the ``store`` of a test module, which is empty at first."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.redis_server import RedisServer
from tests.support.sharing import Worker, worker


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
