"""How soon a removed role is refused after an order to forget, while clients ask without a pause."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection

from benchmarks import stand
from benchmarks.tables import show
from zdemo.emulator import AUTHORIZATION_ID, READER, Emulator, emulate

ROUNDS = 20
CLIENTS = 16  # in all, spread over the servers; each connection stays with one worker
WARM_SECONDS = 0.3  # until all workers have kept an answer
AFTER_SECONDS = 0.3
PATH = "/api/private-scoped"
SETUPS = (("1 server", 1, 1), ("1 server", 1, 4), ("2 servers with a shared store", 2, 2))


@dataclass
class Seen:
    """When each admitted request was sent, per server."""

    sent_at: dict[int, list[float]] = field(default_factory=dict)


@contextmanager
def asking(ports: list[int]) -> Iterator[Seen]:
    """Let the clients ask for the block."""
    seen, ends = Seen({port: [] for port in ports}), threading.Event()

    def client(port: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while not ends.is_set():
            sent_at = time.perf_counter()
            connection.request("GET", PATH, headers={"Authorization": f"Bearer {READER.pat}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                seen.sent_at[port].append(sent_at)
        connection.close()

    threads = [threading.Thread(target=client, args=(ports[number % len(ports)],)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def order(port: int, body: dict[str, object]) -> None:
    """Give one order, and check that it was confirmed."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/-/forget", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the order was answered {answer.status}")


def one_round(emulator: Emulator, ports: list[int]) -> tuple[float, float, int]:
    """Return after how long the last request was sent that still passed, the order's answer, and how many passed then.

    What is counted at last are requests to the server that got the order, sent after its answer.
    """
    assignment = emulator.world.authorizations[AUTHORIZATION_ID]
    assignment.active = True
    order(ports[0], {"everything": True})
    with asking(ports) as seen:
        time.sleep(WARM_SECONDS)
        assignment.active = False
        start = time.perf_counter()
        order(ports[0], {"user_id": READER.id})
        confirmed = time.perf_counter()
        time.sleep(AFTER_SECONDS)
    last = max((at for times in seen.sent_at.values() for at in times), default=start)
    return max(0.0, last - start), confirmed - start, sum(at > confirmed for at in seen.sent_at[ports[0]])


def api_of(emulator: Emulator, workers: int, store: str) -> AbstractContextManager[stand.Server]:
    """Return an API with a TTL of an hour; ``store`` may be empty."""
    zitadel = int(emulator.url.rsplit(":", 1)[1])
    return stand.api(zitadel, "--workers", str(workers), cache_ttl=3600, cache_url=store)


def milliseconds(times: Sequence[float]) -> str:
    """Return the median and the most of some seconds."""
    return f"{statistics.median(times) * 1000:.1f} / {max(times) * 1000:.1f} ms"


def forget() -> None:
    """Measure one server and several; each time is the median and the most of all rounds."""
    rows = []
    for name, servers, workers in SETUPS:
        with ExitStack() as stack:
            emulator = stack.enter_context(emulate())
            store = stack.enter_context(stand.store()) if servers > 1 else ""
            if store is None:
                continue
            apis = [stack.enter_context(api_of(emulator, workers, store)) for _ in range(servers)]
            results = [one_round(emulator, [api.port for api in apis]) for _ in range(ROUNDS)]
        passed, confirmed, late = zip(*results, strict=True)
        rows.append((name, workers, milliseconds(passed), milliseconds(confirmed), sum(late)))
    header = ("API", "workers of each", "the last that passed was sent after", "confirmed after", "passed after that")
    show(f"A removed role after an order to forget, TTL 3600 s, {CLIENTS} clients, {ROUNDS} rounds", header, rows)
