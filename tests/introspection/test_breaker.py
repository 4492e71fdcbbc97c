"""The breaker and the pause after refused credentials, as state machines on a clock that the test moves."""

import pytest

from tests.support.introspector_doubles import Clock, refused
from zdemo.errors import CredentialsRefused
from zdemo.introspection.breaker import (
    FAILURES_THAT_OPEN,
    MOST_PROBES,
    PAUSE_SECONDS,
    PROBE_SECONDS,
    Breaker,
    BreakerState,
    CredentialsPause,
    Permit,
)
from zdemo.introspection.counters import Counters

TIMEOUT = 5.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(timeout_seconds=TIMEOUT, clock=clock)


def admitted(breaker: Breaker) -> Permit:
    permit = breaker.admit()
    assert permit is not None
    return permit


def is_in(breaker: Breaker, state: BreakerState) -> bool:
    counters: Counters = vars(breaker)["_counters"]
    return counters.breaker_state == state


def fail_until_open(breaker: Breaker) -> None:
    assert [breaker.failed(admitted(breaker)) for _ in range(FAILURES_THAT_OPEN)][-1]


class TestClosed:
    def test_it_opens_after_so_many_failures_in_a_row_and_says_so_once(self, breaker: Breaker) -> None:
        permits = [admitted(breaker) for _ in range(FAILURES_THAT_OPEN + 3)]
        assert [breaker.failed(permit) for permit in permits].count(True) == 1
        assert is_in(breaker, BreakerState.OPEN)
        assert breaker.admit() is None

    def test_an_answer_between_them_begins_the_count_anew(self, breaker: Breaker) -> None:
        for _ in range(3):
            for _ in range(FAILURES_THAT_OPEN - 1):
                breaker.failed(admitted(breaker))
            assert not breaker.answered(admitted(breaker))
        assert is_in(breaker, BreakerState.CLOSED)

    def test_failures_of_calls_from_before_an_answer_do_not_count(self, breaker: Breaker) -> None:
        lost = [admitted(breaker) for _ in range(FAILURES_THAT_OPEN * 2)]
        breaker.answered(admitted(breaker))
        assert not any(breaker.failed(permit) for permit in lost)
        assert is_in(breaker, BreakerState.CLOSED)


class TestOpen:
    @pytest.mark.parametrize("timeout_seconds", [TIMEOUT, 300.0])
    def test_one_probe_is_let_through_each_half_second(self, clock: Clock, timeout_seconds: float) -> None:
        breaker = Breaker(timeout_seconds=timeout_seconds, clock=clock)
        fail_until_open(breaker)
        for _ in range(5):
            clock.advance(PROBE_SECONDS)
            probe = admitted(breaker)
            assert probe.is_probe
            assert is_in(breaker, BreakerState.HALF_OPEN)
            assert breaker.admit() is None
            assert not breaker.failed(probe)
            assert is_in(breaker, BreakerState.OPEN)
            assert breaker.admit() is None

    @pytest.mark.parametrize("answered", [0, 1, 2], ids=["a call from before", "an older probe", "the latest probe"])
    def test_the_first_answer_closes_it(self, breaker: Breaker, clock: Clock, answered: int) -> None:
        calls = [admitted(breaker)]
        fail_until_open(breaker)
        for _ in range(2):
            clock.advance(PROBE_SECONDS)
            calls.append(admitted(breaker))
        assert breaker.answered(calls[answered])
        assert is_in(breaker, BreakerState.CLOSED)
        assert not admitted(breaker).is_probe

    @pytest.mark.parametrize("timeout_seconds", [0.1, 5.0, 10.0, 300.0])
    def test_probes_that_hang_do_not_pile_up(self, clock: Clock, timeout_seconds: float) -> None:
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


class TestStalled:
    def test_it_opens_with_a_probe_due_at_once(self, breaker: Breaker) -> None:
        lost = admitted(breaker)
        assert breaker.stalled()
        assert not breaker.stalled()
        assert admitted(breaker).is_probe
        assert not breaker.stalled()
        assert breaker.admit() is None
        assert not breaker.failed(lost)


class TestCredentialsPause:
    @pytest.fixture
    def pause(self, clock: Clock) -> CredentialsPause:
        pause = CredentialsPause(clock=clock)
        pause.refused(refused(), decides=False)
        return pause

    def test_callers_get_the_same_refusal_until_it_is_over_and_then_one_asks(
        self, pause: CredentialsPause, clock: Clock
    ) -> None:
        for _ in range(2):
            with pytest.raises(CredentialsRefused, match=refused().message) as caught:
                pause.admit()
            assert caught.value.hint == refused().hint
        clock.advance(PAUSE_SECONDS)
        assert pause.admit()
        with pytest.raises(CredentialsRefused):
            pause.admit()
        clock.advance(PAUSE_SECONDS)
        assert pause.admit(), "the one who asked never returned"

    def test_refusals_of_calls_from_before_do_not_extend_it(self, pause: CredentialsPause, clock: Clock) -> None:
        clock.advance(PAUSE_SECONDS / 2)
        pause.refused(refused(), decides=False)
        clock.advance(PAUSE_SECONDS / 2)
        assert pause.admit()

    def test_its_end_is_news_once(self, pause: CredentialsPause, clock: Clock) -> None:
        for _ in range(3):
            clock.advance(PAUSE_SECONDS)
            pause.refused(refused(), decides=pause.admit())
        clock.advance(PAUSE_SECONDS)
        assert pause.accepted(decides=pause.admit())
        assert not pause.admit()
        assert not pause.accepted(decides=False)

    def test_an_answer_to_a_call_from_before_does_not_end_it(self, pause: CredentialsPause) -> None:
        assert not pause.accepted(decides=False)
        with pytest.raises(CredentialsRefused):
            pause.admit()

    def test_an_outage_meanwhile_ends_it_and_the_acceptance_after_it_is_news(
        self, pause: CredentialsPause, clock: Clock
    ) -> None:
        clock.advance(PAUSE_SECONDS)
        pause.unknown(decides=pause.admit())
        assert not pause.admit()
        assert pause.accepted(decides=False)
