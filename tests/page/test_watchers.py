"""Who watches: nobody by default, and whoever does is sent no more than is bounded."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from zdemo.page.feed import KEPT, LINGER_SECONDS, MOST_PER_SECOND, WATCH_SECONDS, Subscription, Watching
from zdemo.server import Trace, Watcher
from zdemo.serving.bus import Bus, Hub

WAIT_SECONDS = 20.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Worker:
    """One worker: what its requests leave, and its feeds."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self.watcher = Watcher()
        self.watching = Watching(self.watcher, lambda trace: {"id": trace.id}, bus, clock=clock)
        bus.start()

    def request(self, identity: str) -> bool:
        """Do what the layer does for a request; return whether it left a trace."""
        if not (self.watcher.watching and self.watcher.admits()):
            return False
        self.watcher.ended(Trace(id=identity, began=time.perf_counter(), began_at=0))
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(clock: Clock) -> Worker:
    return Worker(clock, Bus())


@pytest.fixture
def two(clock: Clock) -> Iterator[tuple[Worker, Worker]]:
    hub = Hub()
    pipes = [hub.open() for _ in range(2)]
    one, other = (Worker(clock, Bus(pipe, others=1)) for pipe in pipes)
    yield one, other
    for pipe in pipes:
        pipe.close()


def next_of(feed: Subscription, name: str = "request") -> Any:
    """Return the next document of this name."""
    while frame := feed.take(WAIT_SECONDS):
        lines = frame.data.decode().splitlines()
        if f"event: {name}" in lines:
            return json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
    return pytest.fail(f"no {name} comes")


def test_nobody_watches_until_a_feed_is_open_and_for_a_while_after(worker: Worker, clock: Clock) -> None:
    assert not worker.request("a")
    feed = worker.watching.open()
    assert worker.request("b")
    assert next_of(feed) == {"id": "b"}
    worker.watching.close(feed)
    assert worker.request("c"), "the page may just be connecting again"
    again = worker.watching.open("b")
    assert next_of(again) == {"id": "c"}
    worker.watching.close(again)
    clock.now += LINGER_SECONDS
    eventually("nobody watches", lambda: not worker.watcher.watching)
    assert worker.watching.open().take(0) is None, "nothing is kept"


def test_a_feed_elsewhere_makes_all_workers_watch_while_it_is_open(two: tuple[Worker, Worker], clock: Clock) -> None:
    one, other = two
    feed = one.watching.open()
    eventually("the other worker watches", lambda: other.watcher.watching)
    assert other.request("a")
    assert next_of(feed) == {"id": "a"}
    one.watching.close(feed)
    clock.now += WATCH_SECONDS + LINGER_SECONDS
    eventually("nobody watches", lambda: not (one.watcher.watching or other.watcher.watching))


def test_a_flood_leaves_few_traces_and_the_feed_says_how_many_it_does_not_show(worker: Worker, clock: Clock) -> None:
    feed = worker.watching.open()
    assert sum(worker.request(str(number)) for number in range(5 * MOST_PER_SECOND)) == MOST_PER_SECOND
    assert next_of(feed) == {"id": "0"}
    clock.now += 5
    assert next_of(feed, "skipped") == {"count": 4 * MOST_PER_SECOND}
    assert worker.request("later")


def test_a_feed_that_is_slow_gets_the_latest(worker: Worker, clock: Clock) -> None:
    slow, reader = worker.watching.open(), worker.watching.open()
    for number in range(2 * KEPT):
        clock.now += 1
        worker.request(str(number))
        assert next_of(reader) == {"id": str(number)}
    assert next_of(slow) == {"id": str(KEPT)}


def test_a_change_reaches_the_feeds_of_all_workers_and_is_kept_among_the_requests(two: tuple[Worker, Worker]) -> None:
    one, other = two
    feeds = one.watching.open(), other.watching.open()
    one.watching.tell("changed", {"text": "revoked it", "at": 1.0})
    found = [next_of(feed, "changed") for feed in feeds]
    assert found[0] == found[1] == {"id": found[0]["id"], "text": "revoked it", "at": 1.0}
    assert next_of(other.watching.open(), "changed") == found[0]
    last = other.watching.open(found[0]["id"])
    other.request("after")
    assert next_of(last)["id"] == "after"
