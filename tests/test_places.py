"""A limited number of places: in turn, briefly, and never for long in front of something that hangs."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from tests.introspector_doubles import PATIENCE_SECONDS, Clock, Crowd, until
from zdemo.places import Places

HOUR_SECONDS = 3600.0


def waiting(places: Places) -> int:
    return len(vars(places)["_queue"])


def test_there_are_as_many_as_promised() -> None:
    places = Places(2, wait_seconds=0.0)
    assert places.take() is not None
    held = places.take()
    assert held is not None
    assert places.take() is None
    places.give_back(held)
    assert places.take() is not None
    assert places.take() is None


def test_who_waits_gets_the_place_that_comes_free_first_come_first_served() -> None:
    places = Places(1, wait_seconds=PATIENCE_SECONDS)
    served: list[int] = []
    held = places.take()
    assert held is not None

    def caller(number: int) -> None:
        place = places.take()
        assert place is not None
        served.append(number)
        places.give_back(place)

    with Crowd(10) as crowd:
        callers: list[Future[None]] = []
        for number in range(10):
            callers.append(crowd.submit(caller, number))
            until(lambda: waiting(places) == len(callers))
        places.give_back(held)
        for future in callers:
            future.result(PATIENCE_SECONDS)
    assert served == list(range(10))


def test_who_waits_in_vain_is_refused_and_leaves_no_trace() -> None:
    clock = Clock()
    places = Places(1, wait_seconds=0.01, clock=clock)
    held = places.take()
    assert held is not None
    assert places.take() is None
    assert waiting(places) == 0
    places.give_back(held)
    assert places.take() is not None


def test_nobody_begins_to_wait_when_nothing_moves() -> None:
    clock = Clock()
    places = Places(1, wait_seconds=HOUR_SECONDS, clock=clock)
    assert places.take() is not None
    clock.advance(HOUR_SECONDS)
    assert places.seconds_still() == HOUR_SECONDS
    found: list[int | None] = []
    caller = threading.Thread(target=lambda: found.append(places.take()), daemon=True)
    caller.start()
    caller.join(PATIENCE_SECONDS)
    assert found == [None]


def test_with_a_place_free_nothing_stands_still() -> None:
    clock = Clock()
    places = Places(2, wait_seconds=0.0, clock=clock)
    places.take()
    clock.advance(10)
    assert places.seconds_still() == 0


def test_lost_holders_are_forgotten_and_their_return_changes_nothing() -> None:
    places = Places(1, wait_seconds=0.0)
    lost = places.take()
    assert lost is not None
    places.renew()
    assert places.take() is not None
    places.give_back(lost)
    assert places.take() is None


def test_new_places_go_to_those_who_wait() -> None:
    places = Places(2, wait_seconds=PATIENCE_SECONDS)
    places.take()
    places.take()
    with Crowd(3) as crowd:
        callers = [crowd.submit(places.take) for _ in range(3)]
        until(lambda: waiting(places) == 3)
        places.renew()
        until(lambda: sum(caller.done() for caller in callers) == 2)
        first = next(place for caller in callers if caller.done() and (place := caller.result()) is not None)
        places.give_back(first)
        assert all(caller.result(PATIENCE_SECONDS) is not None for caller in callers)


def test_the_limit_holds_among_many_threads_and_nothing_is_lost() -> None:
    places = Places(3, wait_seconds=PATIENCE_SECONDS)
    inside: list[None] = []
    most: list[int] = []

    def caller() -> None:
        for _ in range(200):
            place = places.take()
            assert place is not None
            inside.append(None)
            most.append(len(inside))
            inside.pop()
            places.give_back(place)

    with Crowd(16) as crowd:
        for future in [crowd.submit(caller) for _ in range(16)]:
            future.result(PATIENCE_SECONDS)
    assert max(most) <= 3
    assert [places.take() is not None for _ in range(3)] == [True] * 3
