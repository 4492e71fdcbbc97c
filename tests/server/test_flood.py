"""A flood of unknown tokens on ``zdemo serve``: callers with known tokens and the public route are served."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.test_faults import PROJECT
from tests.support.apis import PRIVATE, PUBLIC
from tests.support.connection_faults import ACTIVE, INACTIVE
from tests.support.served import environment_for, served
from tests.support.upstream import LOOPBACK, Behaviour, Received, after, depending, upstream
from tests.support.waiting import eventually
from tests.support.wire import bearer, request

pytestmark = pytest.mark.thorough

CONNECTIONS = 100
THREADS = 32
UNKNOWN = "unknown"
KNOWN = [f"known-{number}" for number in range(5)]
ASKED = 20  # how often ZITADEL is asked about known tokens before the flood ends
SLOW_SECONDS = 0.3  # so that introspections of unknown tokens take all places that they can get


def zitadel(received: Received) -> Behaviour:
    return after(SLOW_SECONDS, INACTIVE) if received.form["token"].startswith(UNKNOWN) else ACTIVE


@contextmanager
def flooded(port: int) -> Iterator[Counter[int]]:
    """Send unknown tokens during the block, over many connections; yield how many answers of each status came."""
    statuses: Counter[int] = Counter()
    ends = threading.Event()

    async def client(number: int) -> None:
        count = 0
        while not ends.is_set():
            count += 1
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(request(PRIVATE, bearer(f"{UNKNOWN}-{number}-{count}")))
            statuses[int((await reader.read())[9:12] or 0)] += 1
            writer.close()

    async def all_clients() -> None:
        await asyncio.gather(*(client(number) for number in range(CONNECTIONS)))

    flood = threading.Thread(target=asyncio.run, args=(all_clients(),))
    flood.start()
    try:
        yield statuses
    finally:
        ends.set()
        flood.join()


def test_known_tokens_and_routes_without_one_are_served(tmp_path: Path) -> None:
    with upstream(depending(zitadel)) as up:
        environment = {**environment_for(up.url), "ZITADEL_PROJECT_ID": PROJECT, "ZDEMO_CACHE_TTL": "0.1"}
        with served(tmp_path, environment, "--threads", str(THREADS)) as api:
            assert [api.get(PRIVATE, token).status for token in KNOWN] == [200] * len(KNOWN)
            with flooded(api.port) as flood:
                eventually("the flood is refused", lambda: flood[503])
                asked_before = len(up.requests)
                answers: Counter[int] = Counter()
                while sum(not r.form["token"].startswith(UNKNOWN) for r in up.requests[asked_before:]) < ASKED:
                    answers.update(api.get(PRIVATE, token).status for token in KNOWN)
                    answers.update(api.get(path, None).status for path in (PUBLIC, "/readyz"))
                assert answers.keys() == {200}
            assert flood.keys() == {401, 503}
