"""The bulkhead: slots are given in turn, few callers wait, known tokens come first. The pacer: an even rate."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.introspector_doubles import PATIENCE_SECONDS, Clock
from tests.support.waiting import eventually
from zdemo.guard.waiting import Bulkhead, Pacer

HOUR_SECONDS = 3600.0
MANY = 1000


def queued(crowd: ThreadPoolExecutor, bulkhead: Bulkhead) -> Future[int | None]:
    waiting = bulkhead.waiting
    caller = crowd.submit(bulkhead.acquire)
    eventually("the caller waits", lambda: bulkhead.waiting > waiting)
    return caller


def test_waiting_callers_get_free_slots_in_turn() -> None:
    bulkhead = Bulkhead(size=1, waiters=MANY, wait_seconds=PATIENCE_SECONDS)
    held = bulkhead.acquire()
    assert held is not None
    with ThreadPoolExecutor(3) as crowd:
        callers = [queued(crowd, bulkhead) for _ in range(3)]
        for waiting, caller in zip((2, 1, 0), callers, strict=True):
            bulkhead.release(held)
            assert caller.result(PATIENCE_SECONDS) == held
            assert bulkhead.waiting == waiting


def test_a_caller_that_waits_in_vain_is_refused_and_leaves_no_trace() -> None:
    bulkhead = Bulkhead(size=1, waiters=10**6, wait_seconds=HOUR_SECONDS, shortest_wait_seconds=0.01)  # not the hour
    held = bulkhead.acquire()
    assert held is not None
    assert bulkhead.acquire() is None
    assert bulkhead.waiting == 0
    bulkhead.release(held)
    assert bulkhead.acquire() is not None


class TestKnownTokens:
    def test_the_last_slots_are_for_them(self) -> None:
        bulkhead = Bulkhead(size=5, reserve=2, waiters=0, wait_seconds=0)
        unknown = [bulkhead.acquire() for _ in range(4)]
        assert [slot is not None for slot in unknown] == [True, True, True, False]
        known = [bulkhead.acquire(known=True) for _ in range(3)]
        assert [slot is not None for slot in known] == [True, True, False]

    def test_a_slot_that_becomes_free_stays_in_the_reserve(self) -> None:
        bulkhead = Bulkhead(size=2, reserve=1, waiters=MANY, wait_seconds=PATIENCE_SECONDS)
        unknown, known = bulkhead.acquire(), bulkhead.acquire(known=True)
        assert unknown is not None
        assert known is not None
        with ThreadPoolExecutor(1) as crowd:
            waiting = queued(crowd, bulkhead)
            bulkhead.release(known)
            assert bulkhead.waiting == 1
            bulkhead.release(unknown)
            assert waiting.result(PATIENCE_SECONDS) is not None

    def test_they_overtake_and_take_the_place_of_the_last_unknown_one_in_a_full_queue(self) -> None:
        bulkhead = Bulkhead(size=1, waiters=2, wait_seconds=HOUR_SECONDS)
        held = bulkhead.acquire()
        assert held is not None
        with ThreadPoolExecutor(3) as crowd:
            first, last = queued(crowd, bulkhead), queued(crowd, bulkhead)
            known = crowd.submit(bulkhead.acquire, known=True)
            assert last.result(PATIENCE_SECONDS) is None
            eventually("the caller waits", lambda: bulkhead.waiting == 2)
            assert crowd.submit(bulkhead.acquire).result(PATIENCE_SECONDS) is None  # it is full
            for caller in (known, first):
                bulkhead.release(held)
                assert caller.result(PATIENCE_SECONDS) == held


def test_it_is_stalled_while_no_slot_for_unknown_tokens_is_free_and_none_is_released() -> None:
    clock = Clock()
    bulkhead = Bulkhead(size=2, reserve=1, waiters=0, wait_seconds=0, clock=clock)
    clock.advance(HOUR_SECONDS)
    assert bulkhead.seconds_stalled() == 0
    slot = bulkhead.acquire()
    assert slot is not None
    clock.advance(HOUR_SECONDS)
    assert bulkhead.seconds_stalled() == HOUR_SECONDS
    known = bulkhead.acquire(known=True)
    assert known is not None
    bulkhead.release(known)
    assert bulkhead.seconds_stalled() == 0


def test_new_slots_go_to_waiting_callers() -> None:
    bulkhead = Bulkhead(size=2, waiters=MANY, wait_seconds=PATIENCE_SECONDS)
    bulkhead.acquire()
    bulkhead.acquire()
    with ThreadPoolExecutor(3) as crowd:
        callers = [crowd.submit(bulkhead.acquire) for _ in range(3)]
        eventually("the state is reached", lambda: bulkhead.waiting == 3)
        bulkhead.renew()  # the slots of lost holders
        eventually("the state is reached", lambda: sum(caller.done() for caller in callers) == 2)
        first = next(slot for caller in callers if caller.done() and (slot := caller.result()) is not None)
        bulkhead.release(first)
        assert all(caller.result(PATIENCE_SECONDS) is not None for caller in callers)


@pytest.mark.parametrize(
    ("pauses", "waits"),
    [
        ([0.0, 0.0, 0.0, 0.0], [0.25, 0.5, 0.75]),
        ([0.25, 0.25, 0.25, 0.25], []),
        ([3600.0, 0.0], [0.25]),  # turns that nobody took are not saved up
    ],
)
def test_paced_callers_leave_at_an_even_rate(pauses: list[float], waits: list[float]) -> None:
    clock, waited = Clock(), list[float]()
    pacer = Pacer(per_second=4, clock=clock, sleep=waited.append)
    for pause in pauses:
        clock.advance(pause)
        pacer.wait()
    assert waited == waits
