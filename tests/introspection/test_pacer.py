"""The pacer: callers take turns at an even rate, and nobody waits while few come."""

from tests.support.introspector_doubles import Clock
from zdemo.introspection.pacer import Pacer


def test_callers_that_come_at_once_leave_at_an_even_rate() -> None:
    waits: list[float] = []
    pacer = Pacer(4, clock=Clock(), sleep=waits.append)
    for _ in range(5):
        pacer.wait()
    assert waits == [0.25, 0.5, 0.75, 1.0]


def test_nobody_waits_while_no_more_come_than_there_are_turns() -> None:
    waits: list[float] = []
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=waits.append)
    for _ in range(5):
        pacer.wait()
        clock.advance(0.25)
    assert waits == []


def test_turns_that_nobody_took_are_not_saved_up() -> None:
    waits: list[float] = []
    clock = Clock()
    pacer = Pacer(4, clock=clock, sleep=waits.append)
    clock.advance(3600)
    pacer.wait()
    pacer.wait()
    assert waits == [0.25]
