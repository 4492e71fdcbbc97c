"""What watching may cost: a request that is expensive to show, or a flood of them, must not slow the API down."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.waiting import eventually
from zdemo.page.feed import KEPT, LATEST_SECONDS, REST, Subscription, Watching
from zdemo.server import Trace, Watcher
from zdemo.serving.bus import Bus

COST_SECONDS = 0.01
SOME = 20


class Described:
    """Makes events that cost time, and notes when."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def __call__(self, trace: Trace) -> dict[str, Any]:
        self.moments.append(time.perf_counter())
        while time.perf_counter() < self.moments[-1] + COST_SECONDS:
            pass
        return {"id": trace.id}


def trace(number: int, *, seconds_ago: float = 0.0) -> Trace:
    return Trace(id=f"{number:016x}", began=time.perf_counter() - seconds_ago, began_at=time.time())


def frames(feed: Subscription) -> Iterator[bytes]:
    while frame := feed.take(0):
        yield frame.data


@pytest.fixture
def described() -> Described:
    return Described()


def test_the_page_rests_twice_as_long_as_it_works(described: Described) -> None:
    watcher = Watcher()
    feed = Watching(watcher, described, Bus()).open()
    for number in range(SOME):
        watcher.ended(trace(number))
    eventually("all are shown", lambda: len(described.moments) == SOME)
    eventually("the last one has come", lambda: f"{SOME - 1:016x}".encode() in b"".join(frames(feed)))
    took = described.moments[-1] - described.moments[0]
    assert took >= (SOME - 1) * COST_SECONDS * (1 + REST)


def test_a_request_that_would_be_shown_late_is_skipped_and_counted(described: Described) -> None:
    watcher = Watcher()
    feed = Watching(watcher, described, Bus()).open()
    watcher.ended(trace(1, seconds_ago=LATEST_SECONDS + 1))
    watcher.ended(trace(2))
    seen: list[bytes] = []

    def text() -> bytes:
        seen.extend(frames(feed))
        return b"".join(seen)

    eventually("it is counted, and the other one shown", text, lambda found: b"skipped" in found and b"0002" in found)
    assert b"0001" not in text()
    assert b'{"count":1}' in text()
    assert len(described.moments) == 1


def test_requests_that_have_no_room_are_counted(described: Described) -> None:
    watcher = Watcher()
    feed = Watching(watcher, described, Bus()).open()
    began = time.perf_counter()
    for number in range(KEPT + SOME):
        watcher.ended(trace(number))
    eventually("some are counted", lambda: b"".join(frames(feed)), lambda found: b"skipped" in found)
    assert time.perf_counter() - began < LATEST_SECONDS, "before any would be late"
