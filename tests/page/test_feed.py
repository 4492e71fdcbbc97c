"""The feed as a stream: what comes in it, to whom, and how much of it there is at most."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.page_site import PageSite, page_site
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.page.feed import LINGER_SECONDS, MOST_PER_SECOND, Feed, Watching
from zdemo.server.observe import MOST_PAST, PAST_FIELDS, Trace, Watcher
from zdemo.serving.bus import Bus, Hub

WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site(threads=64) as site:
        yield site.open()


def test_a_page_that_connects_again_gets_what_it_missed(site: PageSite) -> None:
    with site.feed() as stream:
        site.call("/api/private")
        forget = requests.post(f"{site.url}/-/forget", json={"everything": True}, timeout=PATIENCE_SECONDS)
        forgotten = next(document for name, document in stream if name == "forgotten")
        assert forgotten == {"user_id": None, "everything": True, "count": forget.json()["forgotten"]}
        ids = []
        for _ in range(3):  # one after the other, since an answer can reach its caller before it reaches the feed
            ids.append(site.call("/api/public").headers["X-Request-ID"])
            assert any(document["id"] == ids[-1] for _, document in stream)
    with site.feed(ids[0]) as stream:
        assert [next(stream)[1]["id"] for _ in range(2)] == ids[1:]


class Worker:
    """One worker: what its requests leave, and its feeds."""

    def __init__(self, bus: Bus | None = None) -> None:
        self.now = 1000.0
        self.watcher, bus = Watcher(), bus or Bus()
        self.watching = Watching(self.watcher, lambda trace: {"id": trace.id}, bus, clock=lambda: self.now)
        bus.start()

    def request(self, identity: str) -> bool:
        """Do what the layer does for a request; return whether it left a trace."""
        if not (self.watcher.watching and self.watcher.admits()):
            return False
        self.watcher.ended(Trace(id=identity, began=time.perf_counter(), began_at=0))
        return True


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def two() -> Iterator[tuple[Worker, Worker]]:
    hub = Hub()
    pipes = [hub.open() for _ in range(2)]
    first, second = (Worker(Bus(pipe, others=1)) for pipe in pipes)
    yield first, second
    for pipe in pipes:
        pipe.close()


def next_of(feed: Feed, name: str = "request") -> Any:
    while frame := feed.take(WAIT_SECONDS):
        lines = frame.data.decode().splitlines()
        if f"event: {name}" in lines:
            return json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))
    return pytest.fail(f"no {name} comes")


def test_nobody_watches_until_a_feed_is_open_and_for_a_while_after(worker: Worker) -> None:
    assert not worker.request("a")
    feed = worker.watching.open()
    assert worker.request("b")
    assert next_of(feed) == {"id": "b"}
    feed.close()
    assert worker.request("c"), "the page may just be connecting again"
    again = worker.watching.open("b")
    assert next_of(again) == {"id": "c"}
    again.close()
    worker.now += LINGER_SECONDS
    eventually("nobody watches", lambda: not worker.watcher.watching)
    empty = worker.watching.open()
    assert b"event: hello" in next(empty)
    assert empty.take(0) is None, "nothing is kept"


def test_a_page_begins_with_the_last_requests_of_all_workers_from_before_it(two: tuple[Worker, Worker]) -> None:
    for worker, identity in zip(two, "ab", strict=True):
        assert worker.watcher.past is not None
        for number in range(MOST_PAST + 1):
            fields = dict.fromkeys(PAST_FIELDS) | {"id": f"{identity}{number}", "began": 0.0}
            worker.watcher.past.append(tuple(fields.values()))
    feed = two[0].watching.open()
    ids = {next_of(feed)["id"] for _ in range(2 * MOST_PAST)}
    assert ids == {f"{identity}{number}" for identity in "ab" for number in range(1, MOST_PAST + 1)}


def test_a_flood_leaves_few_traces_and_the_feed_says_how_many_it_does_not_show(worker: Worker) -> None:
    feed = worker.watching.open()
    assert sum(worker.request(str(number)) for number in range(5 * MOST_PER_SECOND)) == MOST_PER_SECOND
    assert next_of(feed) == {"id": "0"}
    worker.now += 5
    assert next_of(feed, "skipped") == {"count": 4 * MOST_PER_SECOND}
    assert worker.request("later")


def test_a_change_reaches_the_feeds_of_all_workers_and_is_kept_among_the_requests(two: tuple[Worker, Worker]) -> None:
    first, other = two
    feeds = [first.watching.open()]
    eventually("a feed elsewhere makes the other worker watch, too", lambda: other.watcher.watching)
    assert other.request("a")
    assert next_of(feeds[0]) == {"id": "a"}
    feeds.append(other.watching.open())
    first.watching.tell("changed", {"text": "revoked it", "at": 1.0})
    change, copy = (next_of(feed, "changed") for feed in feeds)
    assert change == copy == {"id": change["id"], "text": "revoked it", "at": 1.0}
    assert next_of(other.watching.open(), "changed") == change
    last = other.watching.open(change["id"])
    other.request("after")
    assert next_of(last)["id"] == "after"
