"""Protection of the API from a ZITADEL that hangs, and of ZITADEL from the API; and the stack as it is built."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import pytest

from tests.support.introspector_doubles import (
    ACTIVE,
    INACTIVE,
    PATIENCE_SECONDS,
    Clock,
    Hanging,
    Scripted,
    errors_of,
    refused,
    unavailable,
    unusable,
)
from tests.support.waiting import eventually
from zdemo.errors import CredentialsRefused, UnusableAnswer, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.guard.breaker import FAILURES_THAT_OPEN, PROBE_SECONDS, REFUSED_PROBE_SECONDS, BreakerState
from zdemo.guard.build import PACING_SECONDS, Limits
from zdemo.guard.protection import STALL_SECONDS, ProtectedIntrospector
from zdemo.guard.waiting import Bulkhead
from zdemo.server.observe import Trace
from zdemo.zitadel.introspection_answer import Introspection, Introspector
from zdemo.zitadel.introspection_client import watched

TOKEN = "an-unknown-token"
TIMEOUT = 5.0
SPARE_THREADS = 100
Zitadel = TypeVar("Zitadel", bound=Introspector)


class Setup(Generic[Zitadel]):
    def __init__(
        self, zitadel: Zitadel, *, flights: int = 2, reserved_flights: int = 0, wait_seconds: float = 0.0
    ) -> None:
        self.zitadel, self.clock = zitadel, Clock()
        self.bulkhead = Bulkhead(
            size=flights, reserve=reserved_flights, waiters=100, wait_seconds=wait_seconds, clock=self.clock
        )
        self.protected = ProtectedIntrospector(
            inner=zitadel, flights=self.bulkhead, timeout_seconds=TIMEOUT, clock=self.clock
        )
        self.counters = self.protected.counters

    def ask(self, *, known: bool = False) -> Introspection:
        return self.protected.introspect(TOKEN, known=known)

    def fails(self, kind: type[Exception] = ZitadelUnavailable) -> None:
        with pytest.raises(kind):
            self.ask()

    def is_in(self, state: BreakerState) -> bool:
        return self.counters.breaker_state == state


def opened(zitadel: Scripted) -> Setup[Scripted]:
    """A protected introspector whose breaker has just opened; ``zitadel`` has been asked as often as that takes."""
    setup = Setup(zitadel)
    zitadel.outcome = unavailable()
    for _ in range(FAILURES_THAT_OPEN):
        setup.fails()
    assert setup.is_in(BreakerState.OPEN)
    zitadel.asked.clear()
    return setup


@pytest.mark.parametrize("failure", [unavailable(), refused(), unusable(), RuntimeError("a defect")])
def test_failures_and_answers_pass_as_they_are_and_give_everything_back(failure: Exception) -> None:
    setup = Setup(Scripted(failure), flights=1)
    with pytest.raises(type(failure)) as caught:
        setup.ask()
    assert caught.value is failure
    assert setup.counters.in_flight == 0
    setup.clock.advance(REFUSED_PROBE_SECONDS)
    for answer in (ACTIVE, INACTIVE):
        setup.zitadel.outcome = answer
        assert setup.ask() is answer
    assert (setup.counters.introspections, setup.counters.in_flight) == (3, 0)


class TestBulkhead:
    @pytest.mark.parametrize(("last", "kind"), [(unavailable(), ZitadelUnavailable), (refused(), CredentialsRefused)])
    def test_a_caller_that_waited_for_a_failure_does_not_ask(self, last: Exception, kind: type[Exception]) -> None:
        setup = Setup(Hanging(), flights=1, wait_seconds=PATIENCE_SECONDS)
        with ThreadPoolExecutor(11) as crowd:
            for number in range(FAILURES_THAT_OPEN - 1):
                caller = crowd.submit(setup.ask)
                setup.zitadel.call(number).set_exception(unavailable())
                errors_of([caller])
            callers = [crowd.submit(setup.ask)]
            last_call = setup.zitadel.call(FAILURES_THAT_OPEN - 1)
            callers += [crowd.submit(setup.ask) for _ in range(10)]
            eventually("the state is reached", lambda: setup.bulkhead.waiting == 10)
            last_call.set_exception(last)
            assert all(isinstance(error, kind) for error in errors_of(callers))
        assert len(setup.zitadel.calls) == FAILURES_THAT_OPEN

    def test_service_resumes_while_all_flights_are_still_lost(self) -> None:
        setup = Setup(Hanging(), flights=2)
        with ThreadPoolExecutor(4) as crowd:
            lost = [crowd.submit(setup.ask) for _ in range(2)]
            setup.zitadel.call(1)
            setup.clock.advance(STALL_SECONDS)
            setup.fails()  # finds all flights taken and nothing moving
            assert setup.is_in(BreakerState.OPEN)
            probe = crowd.submit(setup.ask)
            setup.zitadel.call(2).set_result(ACTIVE)
            eventually("the state is reached", lambda: setup.is_in(BreakerState.CLOSED))
            errors_of([probe])
            served = [crowd.submit(setup.ask) for _ in range(2)]
            setup.zitadel.call(3).set_result(ACTIVE)
            setup.zitadel.call(4).set_result(ACTIVE)
            assert errors_of(served) == [None, None]
            setup.zitadel.let_go()
            assert all(isinstance(error, ZitadelUnavailable) for error in errors_of(lost))
            assert setup.is_in(BreakerState.CLOSED)
        eventually("the state is reached", lambda: setup.counters.in_flight == 0)

    def test_probes_of_a_refusal_that_find_no_flight_leave_nothing_behind(self) -> None:
        setup = Setup(Scripted(refused()), flights=1)
        setup.fails(CredentialsRefused)
        slot = setup.bulkhead.acquire(known=True)
        assert slot is not None
        setup.clock.advance(REFUSED_PROBE_SECONDS)
        setup.fails()
        setup.bulkhead.release(slot)
        setup.zitadel.outcome = unavailable()
        setup.clock.advance(REFUSED_PROBE_SECONDS)
        for _ in range(FAILURES_THAT_OPEN):  # the first ends the refusal
            setup.fails()
        assert setup.is_in(BreakerState.OPEN)

    @pytest.mark.parametrize("is_open", [False, True])
    def test_unusable_answers_reach_every_caller_and_keep_the_breaker_closed(self, is_open: bool) -> None:
        setup = opened(Scripted()) if is_open else Setup(Scripted())
        setup.zitadel.outcome = unusable()
        setup.clock.advance(PROBE_SECONDS)
        for _ in range(FAILURES_THAT_OPEN * 2):
            setup.fails(UnusableAnswer)
        assert len(setup.zitadel.asked) == FAILURES_THAT_OPEN * 2
        assert setup.is_in(BreakerState.CLOSED)

    def test_unknown_tokens_never_take_the_last_flights(self) -> None:
        setup = Setup(Hanging(), flights=3, reserved_flights=1)
        with ThreadPoolExecutor(3) as crowd:
            unknown = [crowd.submit(setup.ask) for _ in range(2)]
            setup.zitadel.call(1)
            setup.fails()
            known = crowd.submit(setup.ask, known=True)
            setup.zitadel.call(2).set_result(ACTIVE)
            assert known.result(PATIENCE_SECONDS) == ACTIVE
            setup.zitadel.let_go()
            errors_of(unknown)


@pytest.mark.parametrize(
    ("status", "body", "asked"),
    [(400, b'{"error":"unauthorized_client"}', 1), (401, b'{"error":"invalid_client"}', 1), (403, b"blocked", 5)],
)
def test_a_filter_that_refuses_one_token_does_not_get_the_others_refused(status: int, body: bytes, asked: int) -> None:
    response = Response(status=status, headers={}, body=body, seconds=0, url="http://localhost/")
    refusal = CredentialsRefused("ZITADEL refuses the credentials", hint="check them", answer=response)
    setup = Setup(Scripted(refusal))
    for _ in range(5):
        setup.fails(CredentialsRefused)
    assert len(setup.zitadel.asked) == asked


def test_the_log_has_the_begin_and_the_end_of_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        setup = opened(Scripted())
        for _ in range(10):
            setup.clock.advance(PROBE_SECONDS)
            setup.fails()
        setup.zitadel.outcome = ACTIVE
        setup.clock.advance(PROBE_SECONDS)
        setup.ask()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert TOKEN not in caplog.text


def test_a_probe_is_noted_for_the_request_that_it_answers() -> None:
    """Another thread sends the probe."""
    noted: list[object] = []

    class Noting(Scripted):
        def introspect(self, token: str, *, known: bool = False) -> Introspection:
            noted.append(watched.get())
            return super().introspect(token, known=known)

    setup, trace = opened(Noting()), Trace(id="1", began=0.0)
    setup.clock.advance(PROBE_SECONDS)
    before = watched.set(trace)
    setup.fails()
    watched.reset(before)
    assert noted[FAILURES_THAT_OPEN:] == [trace]


class TestStack:
    @pytest.mark.parametrize("threads", [*range(2, 17), 64, 1000])
    def test_the_limits_leave_threads_free(self, threads: int) -> None:
        limits = Limits.of(threads, spare_threads=SPARE_THREADS)
        assert limits.slots + limits.waiters - SPARE_THREADS < threads
        assert 1 <= limits.flights <= limits.slots
        assert 1 <= limits.flights - limits.reserved_flights <= limits.slots - limits.reserved_slots
        assert limits.reserved_flights <= limits.reserved_slots
        assert Limits.of(threads).slots / limits.failures_per_second <= PACING_SECONDS, "no failure waits long"
