"""Two workers that share a store, which is empty at first: a Redis, and a Valkey if that is installed too."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.guard.shared.sharing import Worker, worker
from tests.server.conftest import zitadel
from tests.support.redis_server import RedisServer, programs, shared_server

__all__ = ["zitadel"]


@pytest.fixture(params=[None, *programs()[1:]], ids=programs() or ["none"])
def store(request: pytest.FixtureRequest) -> RedisServer:
    return shared_server(request.param)


@pytest.fixture
def stack(store: RedisServer) -> Iterator[ExitStack]:  # noqa: ARG001  # it is empty
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def first(store: RedisServer, stack: ExitStack) -> Worker:
    return stack.enter_context(worker(store.url))


@pytest.fixture
def other(store: RedisServer, stack: ExitStack) -> Worker:
    return stack.enter_context(worker(store.url))
