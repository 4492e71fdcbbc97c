"""The breaker and the pause after refused credentials, as state machines on a clock that the test moves."""

import pytest

from tests.support.introspector_doubles import Clock, refused
from zdemo.errors import CredentialsRefused
from zdemo.guard.breaker import (
    FAILURES_THAT_OPEN,
    MOST_PROBES,
    PAUSE_SECONDS,
    PROBE_SECONDS,
    Breaker,
    CredentialsPause,
    Permit,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(timeout_seconds=5.0, clock=clock)


@pytest.fixture
def pause(clock: Clock) -> CredentialsPause:
    pause = CredentialsPause(clock=clock)
    pause.refused(refused(), decides=False)
    return pause


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


def test_after_refused_credentials_callers_get_the_same_refusal_until_one_asks(
    pause: CredentialsPause, clock: Clock
) -> None:
    clock.advance(PAUSE_SECONDS / 2)
    pause.refused(refused(), decides=False)  # of a call from before, which does not extend it
    assert not pause.accepted(decides=False)  # nor does an answer to one end it
    with pytest.raises(CredentialsRefused, match=refused().message):
        pause.admit()
    for _ in range(2):  # the one who asked may never return
        clock.advance(PAUSE_SECONDS)
        assert pause.admit()
        with pytest.raises(CredentialsRefused):
            pause.admit()


@pytest.mark.parametrize("outage", [False, True])
def test_the_end_of_a_pause_is_news_once(pause: CredentialsPause, clock: Clock, outage: bool) -> None:
    clock.advance(PAUSE_SECONDS)
    if outage:
        pause.unknown(decides=pause.admit())
        assert pause.accepted(decides=False)
    else:
        assert pause.accepted(decides=pause.admit())
    assert not pause.admit()
    assert not pause.accepted(decides=False)
