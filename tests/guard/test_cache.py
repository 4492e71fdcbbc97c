"""The cache: how long an answer may be used, and one introspection at a time per token."""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Generic, TypeVar

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
from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.guard.cache import CachingIntrospector, Entry, PriorityIntrospector, Store
from zdemo.guard.waiting import Bulkhead, Pacer
from zdemo.zitadel.introspection_answer import Introspection, Source

TTL = 5.0
TOKEN = "an-unknown-token"
PER_SECOND = 4
NOW = 1_800_000_000
Zitadel = TypeVar("Zitadel", bound=PriorityIntrospector)


class Setup(Generic[Zitadel]):
    """A cache before a stand-in for ZITADEL, on clocks that stand still. ``options`` are those of the cache."""

    def __init__(
        self, zitadel: Zitadel, *, slots: int = 100, reserved_slots: int = 0, wait_seconds: float = 0.0, **options: Any
    ) -> None:
        self.zitadel, self.clock, self.wall_clock = zitadel, Clock(), Clock(NOW)
        self.waits: list[float] = []  # of callers that were paced
        self.cache = CachingIntrospector(
            inner=zitadel,
            bulkhead=Bulkhead(
                size=slots, reserve=reserved_slots, waiters=100, wait_seconds=wait_seconds, clock=self.clock
            ),
            pacer=Pacer(per_second=PER_SECOND, clock=self.clock, sleep=self.waits.append),
            clock=self.clock,
            wall_clock=self.wall_clock,
            **{"ttl_seconds": TTL, "size": 100, "timeout_seconds": PATIENCE_SECONDS} | options,
        )


def crowded(outcome: Introspection | BaseException) -> tuple[Setup[Hanging], list[Future[Introspection]]]:
    """Let 100 callers ask about one token at the same time; ZITADEL is asked once, and its answer is ``outcome``."""
    setup = Setup(Hanging())
    with ThreadPoolExecutor(100) as crowd:
        callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(100)]
        eventually("all wait", lambda: setup.cache.counters.joins == 99)
        call = setup.zitadel.call(0)
        if isinstance(outcome, Introspection):
            call.set_result(outcome)
        else:
            call.set_exception(outcome)
        setup.zitadel.let_go()
    assert len(setup.zitadel.calls) == 1
    return setup, callers


def check_overtaken(setup: Setup[Hanging], outdate: Callable[[], object]) -> None:
    """Outdate an answer on its way, and ask again: that is not joined, and its answer is not replaced."""
    with ThreadPoolExecutor(2) as crowd:
        first = crowd.submit(setup.cache.introspect, TOKEN)
        setup.zitadel.call(0)
        outdate()
        second = crowd.submit(setup.cache.introspect, TOKEN)
        setup.zitadel.call(1).set_result(INACTIVE)
        assert second.result(PATIENCE_SECONDS) == INACTIVE
        setup.zitadel.call(0).set_result(ACTIVE)
        assert first.result(PATIENCE_SECONDS) == ACTIVE
    assert setup.cache.introspect(TOKEN) == INACTIVE


def active_until(expires_at: int) -> Introspection:
    return Introspection(active=True, claims={"active": True, "exp": expires_at}, expires_at=expires_at)


class TestFreshness:
    @pytest.mark.parametrize(
        ("answer", "by_clock", "by_wall", "questions"),
        [
            (ACTIVE, 4.999, 4.999, 1),
            (ACTIVE, 5.0, 5.0, 2),
            (ACTIVE, 0.0, 5.0, 2),  # as after a time when the machine stood still
            (INACTIVE, 0.999, 0.0, 1),
            (INACTIVE, 1.0, -3600.0, 2),
        ],
    )
    def test_an_answer_is_used_until_its_time_is_up_by_either_clock(
        self, answer: Introspection, by_clock: float, by_wall: float, questions: int
    ) -> None:
        setup = Setup(Scripted(answer))
        sent_at = setup.clock.now
        assert setup.cache.introspect(TOKEN).asked_at == sent_at
        setup.clock.advance(by_clock)
        setup.wall_clock.advance(by_wall)
        assert setup.cache.introspect(TOKEN) == answer
        assert len(setup.zitadel.asked) == questions

    def test_the_age_counts_from_when_the_question_was_sent(self) -> None:
        setup = Setup(Hanging())
        with ThreadPoolExecutor(1) as crowd:
            asked = crowd.submit(setup.cache.introspect, TOKEN)
            call = setup.zitadel.call(0)
            setup.clock.advance(2)
            call.set_result(ACTIVE)
            assert asked.result(PATIENCE_SECONDS).asked_at == setup.clock.now - 2
        setup.clock.advance(TTL - 2.001)
        assert setup.cache.introspect(TOKEN) == ACTIVE
        setup.clock.advance(0.001)
        setup.zitadel.let_go()
        with pytest.raises(ZitadelUnavailable):
            setup.cache.introspect(TOKEN)

    @pytest.mark.parametrize(("answer", "seconds"), [(ACTIVE, TTL), (INACTIVE, 1.0)])
    @pytest.mark.parametrize("by", ["clock", "wall_clock"])
    def test_a_shared_answer_is_as_old_as_its_question(self, answer: Introspection, seconds: float, by: str) -> None:
        shared = replace(answer, source=Source.SHARED, asked_at=Clock().now - 0.75)
        setup = Setup(Scripted(shared))
        assert setup.cache.introspect(TOKEN).source is Source.SHARED
        clock: Clock = getattr(setup, by)
        clock.advance(seconds - 0.76)
        hit = setup.cache.introspect(TOKEN)
        assert (hit.source, hit.asked_at) == (Source.HIT, shared.asked_at)
        clock.advance(0.02)
        setup.cache.introspect(TOKEN)
        assert len(setup.zitadel.asked) == 2


class TestExpiry:
    @pytest.mark.parametrize(
        ("passed", "jump"), [(2.0, 0.0), (2.0, -3600.0), (0.0, 2.0)], ids=["exp", "clock set back", "clock set ahead"]
    )
    def test_an_answer_is_not_used_from_exp_on_whatever_the_wall_clock_does(self, passed: float, jump: float) -> None:
        setup = Setup(Scripted())
        setup.zitadel.outcome = active_until(int(setup.wall_clock.now) + 2)
        setup.cache.introspect(TOKEN)
        setup.clock.advance(passed and passed - 0.001)
        setup.cache.introspect(TOKEN)
        assert len(setup.zitadel.asked) == 1
        setup.clock.advance(passed and 0.001)
        setup.wall_clock.advance(passed + jump)
        setup.cache.introspect(TOKEN)
        assert len(setup.zitadel.asked) == 2

    @pytest.mark.parametrize(("expires_at", "questions"), [(10**400, 1), (0, 2), (-(10**400), 2), (NOW, 2)])
    def test_an_endless_exp_leaves_the_ttl_and_a_past_exp_is_not_kept(self, expires_at: int, questions: int) -> None:
        setup = Setup(Scripted(active_until(expires_at)))
        for _ in range(2):
            setup.cache.introspect(TOKEN)
        assert len(setup.zitadel.asked) == questions


class TestBounds:
    def test_garbage_does_not_push_good_tokens_out(self) -> None:
        setup = Setup(Scripted(), size=3)
        setup.cache.introspect(TOKEN)
        setup.zitadel.outcome = INACTIVE
        for number in range(100):
            setup.cache.introspect(f"garbage {number}")
        assert setup.cache.introspect(TOKEN) == ACTIVE
        assert setup.zitadel.asked.count(TOKEN) == 1

    def test_nothing_that_stays_holds_the_token(self) -> None:
        setup = Setup(Scripted())
        setup.cache.introspect(TOKEN)
        held = [value for name, value in vars(setup.cache).items() if name != "_inner"]
        assert TOKEN not in repr(held)
        assert TOKEN.encode() not in repr(held).encode()


class TestSingleFlight:
    def test_a_hundred_callers_with_one_cold_token_ask_once(self) -> None:
        setup, callers = crowded(ACTIVE)
        assert [caller.result() for caller in callers] == [ACTIVE] * 100
        assert setup.cache.counters.misses == 1

    def test_a_failure_is_shared_and_each_caller_gets_its_own_copy(self) -> None:
        failure = ZitadelUnavailable("ZITADEL does not answer", hint="check it", retry_after_seconds=7)
        _, callers = crowded(failure)
        errors = errors_of(callers)
        assert len({id(error) for error in errors}) == 100
        for error in errors:
            assert isinstance(error, ZitadelUnavailable)
            assert (error.message, error.hint, error.retry_after_seconds) == (failure.message, failure.hint, 7)

    @pytest.mark.parametrize("accident", [RuntimeError("a defect"), KeyboardInterrupt()])
    def test_a_leader_that_breaks_off_wakes_all(self, accident: BaseException) -> None:
        setup, callers = crowded(accident)
        errors = errors_of(callers)
        assert errors.count(accident) == 1
        assert sum(isinstance(error, ZitadelUnavailable) for error in errors) == 99
        with pytest.raises(ZitadelUnavailable, match=unavailable().message):  # it is asked again
            setup.cache.introspect(TOKEN)

    @pytest.mark.parametrize(("ttl_seconds", "age"), [(0.5, 0.5), (5.0, 1.0)])
    @pytest.mark.parametrize("by", ["clock", "wall_clock"])
    def test_a_flight_whose_answer_would_be_stale_is_not_joined_and_does_not_replace_the_later_one(
        self, ttl_seconds: float, age: float, by: str
    ) -> None:
        setup = Setup(Hanging(), ttl_seconds=ttl_seconds)
        clock = setup.clock if by == "clock" else setup.wall_clock
        check_overtaken(setup, lambda: clock.advance(age))

    def test_a_joined_request_waits_no_longer_than_its_own_deadline(self) -> None:
        setup = Setup(Hanging(), timeout_seconds=0.01)
        with ThreadPoolExecutor(2) as crowd:
            leader = crowd.submit(setup.cache.introspect, TOKEN)
            call = setup.zitadel.call(0)
            with pytest.raises(ZitadelUnavailable):
                setup.cache.introspect(TOKEN)
            call.set_result(ACTIVE)
            assert leader.result(PATIENCE_SECONDS) == ACTIVE


class TestKnownTokens:
    """A token is known from its first active answer on, until ZITADEL says otherwise."""

    @pytest.mark.parametrize("age", [TTL, 86_400.0])
    def test_a_token_stays_known_when_its_answer_is_too_old(self, age: float) -> None:
        setup = Setup(Scripted())
        setup.cache.introspect(TOKEN)
        assert setup.zitadel.known == []
        setup.clock.advance(age)
        setup.zitadel.outcome = unavailable()
        for _ in range(2):
            with pytest.raises(ZitadelUnavailable):
                setup.cache.introspect(TOKEN)
        assert setup.zitadel.known == [TOKEN] * 2

    @pytest.mark.parametrize("outcome", [INACTIVE, unavailable(), refused(), unusable()])
    def test_no_other_outcome_makes_a_token_known(self, outcome: Introspection | IntrospectionError) -> None:
        setup = Setup(Scripted())
        for outcome_now in (ACTIVE, INACTIVE, outcome, outcome):
            setup.zitadel.outcome = outcome_now
            with contextlib.suppress(IntrospectionError):
                setup.cache.introspect(TOKEN)
            setup.clock.advance(TTL)
        assert setup.zitadel.known == [TOKEN]

    @pytest.mark.parametrize("ttl_seconds", [0.0, TTL])
    def test_a_token_of_the_api_itself_counts_as_known_and_its_caller_is_not_paced(self, ttl_seconds: float) -> None:
        setup = Setup(Scripted(INACTIVE), ttl_seconds=ttl_seconds, slots=1, reserved_slots=1)
        tokens = ["the API's first", "the API's second"]
        assert [setup.cache.introspect(token, own=True) for token in tokens] == [INACTIVE] * 2
        assert setup.zitadel.known == tokens
        assert setup.waits == []


class TestBulkhead:
    def test_known_tokens_need_no_slot(self) -> None:
        setup = Setup(Hanging(), slots=1)
        with ThreadPoolExecutor(2) as crowd:
            known = crowd.submit(setup.cache.introspect, TOKEN)
            setup.zitadel.call(0).set_result(ACTIVE)
            known.result(PATIENCE_SECONDS)
            unknown = crowd.submit(setup.cache.introspect, "another token")
            call = setup.zitadel.call(1)
            assert setup.cache.introspect(TOKEN) == ACTIVE
            with pytest.raises(ZitadelUnavailable) as refusal:
                setup.cache.introspect("a third token")
            assert refusal.value.retry_after_seconds >= 1
            call.set_result(ACTIVE)
            unknown.result(PATIENCE_SECONDS)
        assert setup.cache.counters.refused == 1

    @pytest.mark.parametrize("ttl_seconds", [0.0, TTL])
    def test_a_failure_is_never_kept_and_every_outcome_releases_the_slot(self, ttl_seconds: float) -> None:
        setup = Setup(Scripted(), ttl_seconds=ttl_seconds, slots=1)
        for failure in (unavailable(), refused(), unusable(), RuntimeError("a defect")):
            setup.zitadel.outcome = failure
            with pytest.raises(type(failure)):
                setup.cache.introspect(TOKEN)
        setup.zitadel.outcome = ACTIVE
        assert [setup.cache.introspect(token) for token in (TOKEN, "another token")] == [ACTIVE, ACTIVE]

    @pytest.mark.parametrize("ttl_seconds", [0.0, TTL])
    @pytest.mark.parametrize("outcome", [INACTIVE, unavailable(), refused(), unusable(), ACTIVE])
    def test_callers_without_an_active_token_are_answered_at_an_even_rate(
        self, ttl_seconds: float, outcome: Introspection | Exception
    ) -> None:
        setup = Setup(Scripted(outcome), ttl_seconds=ttl_seconds)
        for number in range(3):
            with contextlib.suppress(IntrospectionError):
                setup.cache.introspect(f"token {number}")
        assert setup.waits == ([] if outcome is ACTIVE else [1 / PER_SECOND, 2 / PER_SECOND])

    def test_a_request_that_waited_for_a_slot_finds_the_answer_that_came_meanwhile(self) -> None:
        setup = Setup(Hanging(), slots=1, wait_seconds=PATIENCE_SECONDS)
        with ThreadPoolExecutor(100) as crowd:
            callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(100)]
            setup.zitadel.call(0).set_result(ACTIVE)
            assert [caller.result(PATIENCE_SECONDS) for caller in callers] == [ACTIVE] * 100
        assert len(setup.zitadel.calls) == 1


def entry(bytes_more: int = 0) -> Entry:
    claims = {"active": True, "x": "x" * bytes_more}
    return Entry(Introspection(active=True, claims=claims), fresh_until=0, fresh_until_wall=0)


def kept(store: Store, count: int) -> list[int]:
    return [number for number in range(count) if store.get(bytes([number]))]


def test_the_oldest_leave_when_either_bound_is_reached() -> None:
    by_number = Store(most_entries=3, most_bytes=10**9)
    by_bytes = Store(most_entries=10**9, most_bytes=3 * entry(1000).size)
    for store in (by_number, by_bytes):
        for number in range(10):
            store.put(bytes([number]), entry(1000))
        assert kept(store, 10) == [7, 8, 9]
    by_bytes.put(bytes([10]), entry(2000))  # as much as two of the others
    assert kept(by_bytes, 11) == [9, 10]
    by_bytes.put(bytes([9]), entry(10_000))  # larger than the bound: its earlier answer must not stay either
    assert kept(by_bytes, 11) == [10]
    by_number.put(bytes([7]), entry(1000))  # kept again, it is the youngest
    by_number.put(bytes([10]), entry(1000))
    assert kept(by_number, 11) == [7, 9, 10]
