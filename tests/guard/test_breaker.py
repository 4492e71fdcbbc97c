"""The breaker, in outages and after refused credentials, as a state machine on a clock that the test moves."""

import pytest

from tests.support.introspector_doubles import Clock, refused
from zdemo.guard.breaker import FAILURES_THAT_OPEN, MOST_PROBES, PROBE_SECONDS, REFUSED_PROBE_SECONDS, Breaker, Permit


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(timeout_seconds=5.0, clock=clock)


def admitted(breaker: Breaker) -> Permit:
    permit = breaker.admit()
    assert permit is not None
    return permit


def fail_until_open(breaker: Breaker) -> None:
    assert [breaker.failed(admitted(breaker)) for _ in range(FAILURES_THAT_OPEN)][-1]


def test_it_opens_after_so_many_failures_in_a_row_and_says_so_once(breaker: Breaker) -> None:
    permits = [admitted(breaker) for _ in range(FAILURES_THAT_OPEN + 3)]
    assert [breaker.failed(permit) for permit in permits].count(True) == 1
    assert breaker.admit() is None


def test_an_answer_begins_the_count_anew_and_failures_of_calls_from_before_it_do_not_count(breaker: Breaker) -> None:
    lost = [admitted(breaker) for _ in range(FAILURES_THAT_OPEN * 2)]
    for _ in range(3):
        for _ in range(FAILURES_THAT_OPEN - 1):
            assert not breaker.failed(admitted(breaker))
        assert not breaker.answered(admitted(breaker))
    assert not any(breaker.failed(permit) for permit in lost)
    assert not admitted(breaker).is_probe


def test_an_open_one_lets_one_probe_through_each_half_second(breaker: Breaker, clock: Clock) -> None:
    fail_until_open(breaker)
    for _ in range(5):
        clock.advance(PROBE_SECONDS)
        probe = admitted(breaker)
        assert probe.is_probe
        assert breaker.admit() is None
        assert not breaker.failed(probe)
        assert breaker.admit() is None


@pytest.mark.parametrize("answered", [0, 1, 2], ids=["a call from before", "an older probe", "the latest probe"])
def test_the_first_answer_closes_it(breaker: Breaker, clock: Clock, answered: int) -> None:
    calls = [admitted(breaker)]
    fail_until_open(breaker)
    for _ in range(2):
        clock.advance(PROBE_SECONDS)
        calls.append(admitted(breaker))
    assert breaker.answered(calls[answered])
    assert not admitted(breaker).is_probe


@pytest.mark.parametrize("timeout_seconds", [0.1, 10.0, 300.0])
def test_probes_that_hang_do_not_pile_up(clock: Clock, timeout_seconds: float) -> None:
    breaker = Breaker(timeout_seconds=timeout_seconds, clock=clock)
    fail_until_open(breaker)
    under_way: list[tuple[float, Permit]] = []
    for _ in range(3000):
        clock.advance(0.125)
        while under_way and clock() >= under_way[0][0] + timeout_seconds:
            breaker.failed(under_way.pop(0)[1])
        probe = breaker.admit()
        if probe is not None:
            under_way.append((clock(), probe))
        assert len(under_way) <= MOST_PROBES


def test_a_stall_opens_it_with_a_probe_due_at_once(breaker: Breaker) -> None:
    lost = admitted(breaker)
    assert [breaker.stalled(), breaker.stalled()] == [True, False]
    assert admitted(breaker).is_probe
    assert breaker.admit() is None
    assert not breaker.failed(lost)


def refuse(breaker: Breaker, permit: Permit) -> None:
    breaker.answered(permit)
    breaker.refused(permit, refused())


def accepts(breaker: Breaker, permit: Permit) -> bool:
    breaker.answered(permit)
    return breaker.not_refused(permit)


def test_a_refusal_opens_it_until_a_call_that_began_later_is_accepted(breaker: Breaker, clock: Clock) -> None:
    before = [admitted(breaker) for _ in range(4)]
    refuse(breaker, before[0])
    clock.advance(REFUSED_PROBE_SECONDS / 2)
    refuse(breaker, before[1])  # does not put off the probe
    breaker.failed(before[2])
    assert not accepts(breaker, before[3])
    assert breaker.admit() is None
    assert breaker.refusal is not None
    clock.advance(REFUSED_PROBE_SECONDS / 2)
    for _ in range(2):
        probe = admitted(breaker)
        assert breaker.admit() is None
        clock.advance(REFUSED_PROBE_SECONDS)  # the first probe never returns
    assert accepts(breaker, probe)
    assert not admitted(breaker).is_probe


def test_a_probe_of_an_outage_from_before_a_refusal_does_not_end_that(breaker: Breaker, clock: Clock) -> None:
    call = admitted(breaker)
    fail_until_open(breaker)
    clock.advance(PROBE_SECONDS)
    probe = admitted(breaker)
    refuse(breaker, call)
    assert not accepts(breaker, probe)
    assert breaker.refusal is not None


@pytest.mark.parametrize("outcome", ["not_refused", "failed"])
def test_any_other_outcome_ends_a_refusal_which_is_reported_once(breaker: Breaker, clock: Clock, outcome: str) -> None:
    refuse(breaker, admitted(breaker))
    clock.advance(REFUSED_PROBE_SECONDS)
    getattr(breaker, outcome)(admitted(breaker))
    assert breaker.refusal is None
    assert not accepts(breaker, admitted(breaker))
