"""The bulkhead: slots are given in turn, and callers wait briefly, never for long in front of something that hangs."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from tests.support.introspector_doubles import PATIENCE_SECONDS, Clock, Crowd
from tests.support.waiting import eventually
from zdemo.introspection.bulkhead import Bulkhead

HOUR_SECONDS = 3600.0


def waiting(bulkhead: Bulkhead) -> int:
    return len(vars(bulkhead)["_queue"])


def test_waiting_callers_get_free_slots_in_turn() -> None:
    bulkhead = Bulkhead(1, wait_seconds=PATIENCE_SECONDS)
    served: list[int] = []
    held = bulkhead.acquire()
    assert held is not None

    def caller(number: int) -> None:
        slot = bulkhead.acquire()
        assert slot is not None
        served.append(number)
        bulkhead.release(slot)

    with Crowd(10) as crowd:
        callers: list[Future[None]] = []
        for number in range(10):
            callers.append(crowd.submit(caller, number))
            eventually("the state is reached", lambda: waiting(bulkhead) == len(callers))
        bulkhead.release(held)
        for future in callers:
            future.result(PATIENCE_SECONDS)
    assert served == list(range(10))


def test_a_caller_that_waits_in_vain_is_refused_and_leaves_no_trace() -> None:
    clock = Clock()
    bulkhead = Bulkhead(1, wait_seconds=0.01, clock=clock)
    held = bulkhead.acquire()
    assert held is not None
    assert bulkhead.acquire() is None
    assert waiting(bulkhead) == 0
    bulkhead.release(held)
    assert bulkhead.acquire() is not None


def test_callers_are_refused_at_once_when_nothing_moves() -> None:
    clock = Clock()
    bulkhead = Bulkhead(1, wait_seconds=HOUR_SECONDS, clock=clock)
    clock.advance(HOUR_SECONDS)
    assert bulkhead.seconds_stalled() == 0  # while a slot is free
    assert bulkhead.acquire() is not None
    clock.advance(HOUR_SECONDS)
    assert bulkhead.seconds_stalled() == HOUR_SECONDS
    found: list[int | None] = []
    caller = threading.Thread(target=lambda: found.append(bulkhead.acquire()), daemon=True)
    caller.start()
    caller.join(PATIENCE_SECONDS)
    assert found == [None]


def test_lost_holders_are_forgotten_and_their_return_changes_nothing() -> None:
    bulkhead = Bulkhead(1, wait_seconds=0.0)
    lost = bulkhead.acquire()
    assert lost is not None
    bulkhead.renew()
    assert bulkhead.acquire() is not None
    bulkhead.release(lost)
    assert bulkhead.acquire() is None


def test_new_slots_go_to_waiting_callers() -> None:
    bulkhead = Bulkhead(2, wait_seconds=PATIENCE_SECONDS)
    bulkhead.acquire()
    bulkhead.acquire()
    with Crowd(3) as crowd:
        callers = [crowd.submit(bulkhead.acquire) for _ in range(3)]
        eventually("the state is reached", lambda: waiting(bulkhead) == 3)
        bulkhead.renew()
        eventually("the state is reached", lambda: sum(caller.done() for caller in callers) == 2)
        first = next(slot for caller in callers if caller.done() and (slot := caller.result()) is not None)
        bulkhead.release(first)
        assert all(caller.result(PATIENCE_SECONDS) is not None for caller in callers)


def test_the_limit_holds_among_many_threads_and_nothing_is_lost() -> None:
    bulkhead = Bulkhead(3, wait_seconds=PATIENCE_SECONDS)
    inside: list[None] = []
    most: list[int] = []

    def caller() -> None:
        for _ in range(200):
            slot = bulkhead.acquire()
            assert slot is not None
            inside.append(None)
            most.append(len(inside))
            inside.pop()
            bulkhead.release(slot)

    with Crowd(16) as crowd:
        for future in [crowd.submit(caller) for _ in range(16)]:
            future.result(PATIENCE_SECONDS)
    assert max(most) <= 3
    assert [bulkhead.acquire() is not None for _ in range(3)] == [True] * 3
