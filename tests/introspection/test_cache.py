"""The cache: how long an answer may be used, and one introspection at a time per token.

``test_cache_model`` tries freshness, expiry and jumping clocks at random; the cases here show one rule each.
"""

import contextlib
from dataclasses import dataclass, field, replace

import pytest

from tests.support.introspector_doubles import (
    ACTIVE,
    INACTIVE,
    PATIENCE_SECONDS,
    Clock,
    Crowd,
    Hanging,
    Scripted,
    errors_of,
    refused,
    unavailable,
    unusable,
)
from tests.support.waiting import eventually
from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.cache import CachingIntrospector, PriorityIntrospector
from zdemo.introspection.model import Introspection, Source
from zdemo.introspection.pacer import Pacer
from zdemo.introspection.store import bytes_for, memory_of

TTL = 5.0
TOKEN = "an-unknown-token"
PER_SECOND = 4
YEAR_9999 = 253402300799
NOW = 1_800_000_000


@dataclass
class Setup:
    """A cache with clocks that the test moves."""

    inner: PriorityIntrospector
    ttl_seconds: float = TTL
    size: int = 100
    timeout_seconds: float = PATIENCE_SECONDS
    slots: int = 100
    reserved_slots: int = 0
    wait_seconds: float = 0.0
    clock: Clock = field(default_factory=Clock)
    wall_clock: Clock = field(default_factory=lambda: Clock(NOW))
    waits: list[float] = field(default_factory=list)  # of callers that were paced

    def __post_init__(self) -> None:
        self.cache = CachingIntrospector(
            self.inner,
            ttl_seconds=self.ttl_seconds,
            size=self.size,
            timeout_seconds=self.timeout_seconds,
            bulkhead=Bulkhead(
                self.slots, reserve=self.reserved_slots, waiters=100, wait_seconds=self.wait_seconds, clock=self.clock
            ),
            pacer=Pacer(PER_SECOND, clock=self.clock, sleep=self.waits.append),
            clock=self.clock,
            wall_clock=self.wall_clock,
        )


def active_until(expires_at: int) -> Introspection:
    return Introspection(active=True, claims={"active": True, "exp": expires_at}, expires_at=expires_at)


class TestFreshness:
    @pytest.mark.parametrize(
        ("answer", "age", "questions"),
        [
            (ACTIVE, 0.0, 1),
            (ACTIVE, 4.999, 1),
            (ACTIVE, 5.0, 2),
            (INACTIVE, 0.999, 1),
            (INACTIVE, 1.0, 2),
        ],
    )
    def test_an_answer_is_used_until_its_time_is_up(self, answer: Introspection, age: float, questions: int) -> None:
        zitadel = Scripted(answer)
        setup = Setup(zitadel)
        setup.cache.introspect(TOKEN)
        setup.clock.advance(age)
        assert setup.cache.introspect(TOKEN) == answer
        assert len(zitadel.asked) == questions

    @pytest.mark.parametrize(("answer", "seconds"), [(ACTIVE, TTL), (INACTIVE, 1.0)])
    @pytest.mark.parametrize("set_back", [False, True])
    def test_an_answer_that_is_too_old_by_either_clock_is_not_used(
        self, answer: Introspection, seconds: float, set_back: bool
    ) -> None:
        zitadel = Scripted(answer)
        setup = Setup(zitadel)
        setup.cache.introspect(TOKEN)
        if set_back:
            setup.wall_clock.advance(-3600)
            setup.clock.advance(seconds)
        else:
            setup.wall_clock.advance(seconds)  # alone, as after a time when the machine stood still
        setup.cache.introspect(TOKEN)
        assert len(zitadel.asked) == 2

    @pytest.mark.parametrize(("answer", "seconds"), [(ACTIVE, TTL), (INACTIVE, 1.0)])
    @pytest.mark.parametrize("by", ["clock", "wall_clock"])
    def test_the_age_of_a_shared_answer_counts_from_when_another_worker_asked(
        self, answer: Introspection, seconds: float, by: str
    ) -> None:
        shared = replace(answer, source=Source.SHARED, asked_at=Clock().now - 0.75)
        zitadel = Scripted(shared)
        setup = Setup(zitadel)
        assert setup.cache.introspect(TOKEN).source is Source.SHARED
        clock: Clock = getattr(setup, by)
        clock.advance(seconds - 0.76)
        hit = setup.cache.introspect(TOKEN)
        assert (hit.source, hit.asked_at) == (Source.HIT, shared.asked_at)
        clock.advance(0.02)
        setup.cache.introspect(TOKEN)
        assert len(zitadel.asked) == 2

    def test_each_answer_says_when_its_question_was_sent(self) -> None:
        setup = Setup(Scripted())
        sent_at = setup.clock.now
        asked = setup.cache.introspect(TOKEN)
        setup.clock.advance(1)
        assert (asked.asked_at, setup.cache.introspect(TOKEN).asked_at) == (sent_at, sent_at)


class TestExpiry:
    @pytest.mark.parametrize(
        ("passed", "jump"), [(2.0, 0.0), (2.0, -3600.0), (0.0, 2.0)], ids=["exp", "clock set back", "clock set ahead"]
    )
    def test_an_answer_is_not_used_from_exp_on_whatever_the_wall_clock_does(self, passed: float, jump: float) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel)
        zitadel.outcome = active_until(int(setup.wall_clock.now) + 2)
        setup.cache.introspect(TOKEN)
        setup.clock.advance(passed and passed - 0.001)
        setup.cache.introspect(TOKEN)
        assert len(zitadel.asked) == 1
        setup.clock.advance(passed and 0.001)
        setup.wall_clock.advance(passed + jump)
        setup.cache.introspect(TOKEN)
        assert len(zitadel.asked) == 2

    @pytest.mark.parametrize(
        ("expires_at", "questions"),
        [(YEAR_9999, [1, 1, 2]), (10**400, [1, 1, 2]), *((gone, [1, 2, 3]) for gone in (0, -1, -(10**400), NOW))],
    )
    def test_an_exp_that_never_comes_leaves_the_ttl_and_what_has_expired_is_not_kept(
        self, expires_at: int, questions: list[int]
    ) -> None:
        zitadel = Scripted(active_until(expires_at))
        setup = Setup(zitadel)
        asked = []
        for age in (0, 0, TTL):
            setup.clock.advance(age)
            setup.cache.introspect(TOKEN)
            asked.append(len(zitadel.asked))
        assert asked == questions


class TestBounds:
    def test_no_more_than_size_tokens_are_kept(self) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel, size=3)
        for token in ("a", "b", "c", "d", "d", "c", "b"):
            setup.cache.introspect(token)
        assert zitadel.asked == ["a", "b", "c", "d"]
        setup.cache.introspect("a")
        assert zitadel.asked[-1] == "a"

    def test_large_answers_take_no_more_than_the_memory_for_size_tokens(self) -> None:
        roles = {f"role {number}": {"300000000000000001": "acme.localhost"} for number in range(500)}
        zitadel = Scripted(Introspection(active=True, claims={"active": True, "roles": roles}))
        setup = Setup(zitadel)
        tokens = [f"token {number}" for number in range(20)]
        for token in (*tokens, *reversed(tokens)):
            setup.cache.introspect(token)
        most = bytes_for(setup.size) // memory_of(roles)
        assert len(tokens) - most <= len(zitadel.asked) - len(tokens) < len(tokens)

    def test_an_answer_larger_than_the_memory_for_size_tokens_is_given_and_not_kept(self) -> None:
        large = Introspection(active=True, claims={"active": True, "x": "x" * bytes_for(100)})
        zitadel = Scripted()
        setup = Setup(zitadel)
        setup.cache.introspect("a small one")
        zitadel.outcome = large
        assert [setup.cache.introspect(TOKEN), setup.cache.introspect(TOKEN)] == [large, large]
        assert setup.cache.introspect("a small one") == ACTIVE
        assert zitadel.asked == ["a small one", TOKEN, TOKEN]

    def test_garbage_does_not_push_good_tokens_out(self) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel, size=3)
        setup.cache.introspect(TOKEN)
        zitadel.outcome = INACTIVE
        for number in range(100):
            setup.cache.introspect(f"garbage {number}")
        assert setup.cache.introspect(TOKEN) == ACTIVE
        assert zitadel.asked.count(TOKEN) == 1

    def test_nothing_that_stays_holds_the_token(self) -> None:
        setup = Setup(Scripted())
        setup.cache.introspect(TOKEN)
        held = [value for name, value in vars(setup.cache).items() if name != "_inner"]
        assert TOKEN not in repr(held)
        assert TOKEN.encode() not in repr(held).encode()


class TestSingleFlight:
    @pytest.mark.parametrize("answer", [ACTIVE, INACTIVE])
    def test_a_hundred_callers_with_one_cold_token_ask_once(self, answer: Introspection) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel)
        with Crowd() as crowd:
            callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(100)]
            eventually("the state is reached", lambda: setup.cache.counters.joins == 99)
            zitadel.call(0).set_result(answer)
            assert [caller.result(PATIENCE_SECONDS) for caller in callers] == [answer] * 100
        assert len(zitadel.calls) == setup.cache.counters.misses == 1

    def test_a_failure_is_shared_and_each_caller_gets_its_own_copy(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel)
        failure = ZitadelUnavailable("ZITADEL does not answer", hint="check it", retry_after_seconds=7)
        with Crowd() as crowd:
            callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(100)]
            eventually("the state is reached", lambda: setup.cache.counters.joins == 99)
            zitadel.call(0).set_exception(failure)
            errors = errors_of(callers)
        assert len({id(error) for error in errors}) == 100
        for error in errors:
            assert isinstance(error, ZitadelUnavailable)
            assert (error.message, error.hint, error.retry_after_seconds) == (failure.message, failure.hint, 7)
        assert len(zitadel.calls) == 1

    @pytest.mark.parametrize("accident", [RuntimeError("a defect"), KeyboardInterrupt()])
    def test_a_leader_that_breaks_off_wakes_all(self, accident: BaseException) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel)
        with Crowd(10) as crowd:
            leader = crowd.submit(setup.cache.introspect, TOKEN)
            call = zitadel.call(0)
            joiners = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(9)]
            eventually("the state is reached", lambda: setup.cache.counters.joins == 9)
            call.set_exception(accident)
            assert all(isinstance(error, ZitadelUnavailable) for error in errors_of(joiners))
            assert errors_of([leader]) == [accident]
            after = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(1).set_result(ACTIVE)
            assert after.result(PATIENCE_SECONDS) == ACTIVE

    def test_with_ttl_zero_each_asks_for_itself(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel, ttl_seconds=0)
        with Crowd(10) as crowd:
            callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(10)]
            for number in range(10):
                zitadel.call(number).set_result(ACTIVE)
            assert errors_of(callers) == [None] * 10

    @pytest.mark.parametrize(("ttl_seconds", "age"), [(0.5, 0.5), (5.0, 1.0)])
    @pytest.mark.parametrize("by", ["clock", "wall_clock"])
    def test_a_flight_whose_answer_would_be_stale_is_not_joined_and_does_not_replace_the_later_one(
        self, ttl_seconds: float, age: float, by: str
    ) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel, ttl_seconds=ttl_seconds)
        clock = setup.clock if by == "clock" else setup.wall_clock
        with Crowd(2) as crowd:
            first = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(0)
            clock.advance(age)
            second = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(1).set_result(INACTIVE)
            assert second.result(PATIENCE_SECONDS) == INACTIVE
            zitadel.call(0).set_result(ACTIVE)
            assert first.result(PATIENCE_SECONDS) == ACTIVE
            assert setup.cache.introspect(TOKEN) == INACTIVE

    def test_a_request_that_joined_asks_again_if_the_shared_answer_was_too_old_when_it_came(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel)
        old = replace(ACTIVE, asked_at=setup.clock.now - TTL + 0.1, source=Source.SHARED)
        with Crowd(2) as crowd:
            leader = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(0)
            setup.clock.advance(0.2)
            late = crowd.submit(setup.cache.introspect, TOKEN)
            eventually("it has joined", lambda: setup.cache.counters.joins == 1)
            zitadel.call(0).set_result(old)
            assert leader.result(PATIENCE_SECONDS) == ACTIVE
            zitadel.call(1).set_result(INACTIVE)
            assert late.result(PATIENCE_SECONDS) == INACTIVE

    def test_a_joined_request_waits_no_longer_than_its_own_deadline(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel, timeout_seconds=0.01)
        with Crowd(2) as crowd:
            leader = crowd.submit(setup.cache.introspect, TOKEN)
            call = zitadel.call(0)
            with pytest.raises(ZitadelUnavailable):
                setup.cache.introspect(TOKEN)
            call.set_result(ACTIVE)
            assert leader.result(PATIENCE_SECONDS) == ACTIVE


class TestKnownTokens:
    """A token is known from its first active answer on, until ZITADEL says otherwise."""

    @pytest.mark.parametrize("age", [TTL, 86_400.0])
    def test_a_token_stays_known_when_its_answer_is_too_old(self, age: float) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel)
        setup.cache.introspect(TOKEN)
        assert zitadel.known == []
        setup.clock.advance(age)
        zitadel.outcome = unavailable()
        for _ in range(2):
            with pytest.raises(ZitadelUnavailable):
                setup.cache.introspect(TOKEN)
        assert zitadel.known == [TOKEN] * 2

    @pytest.mark.parametrize("outcome", [INACTIVE, unavailable(), refused(), unusable()])
    @pytest.mark.parametrize("was_known", [False, True])
    def test_no_other_outcome_makes_a_token_known(
        self, outcome: Introspection | IntrospectionError, was_known: bool
    ) -> None:
        zitadel = Scripted(ACTIVE if was_known else INACTIVE)
        setup = Setup(zitadel)
        setup.cache.introspect(TOKEN)
        setup.clock.advance(TTL)
        zitadel.outcome = INACTIVE
        setup.cache.introspect(TOKEN)
        assert (TOKEN in zitadel.known) == was_known
        zitadel.known.clear()
        zitadel.outcome = outcome
        for _ in range(2):
            setup.clock.advance(TTL)
            with contextlib.suppress(IntrospectionError):
                setup.cache.introspect(TOKEN)
        assert zitadel.known == []

    def test_without_a_cache_no_token_is_known(self) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel, ttl_seconds=0)
        for _ in range(2):
            setup.cache.introspect(TOKEN)
        assert zitadel.known == []

    @pytest.mark.parametrize("ttl_seconds", [0.0, TTL])
    def test_a_token_of_the_api_itself_counts_as_known_and_its_caller_is_not_paced(self, ttl_seconds: float) -> None:
        zitadel = Scripted(INACTIVE)
        setup = Setup(zitadel, ttl_seconds=ttl_seconds, slots=1, reserved_slots=1)
        tokens = ["the API's first", "the API's second"]
        assert [setup.cache.introspect(token, own=True) for token in tokens] == [INACTIVE] * 2
        assert zitadel.known == tokens
        assert setup.waits == []

    def test_unknown_tokens_never_take_the_last_slots(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel, slots=3, reserved_slots=1)
        with Crowd(3) as crowd:
            first = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(0).set_result(ACTIVE)
            first.result(PATIENCE_SECONDS)
            setup.clock.advance(TTL)
            unknown = [crowd.submit(setup.cache.introspect, f"unknown {number}") for number in range(2)]
            zitadel.call(2)
            with pytest.raises(ZitadelUnavailable):
                setup.cache.introspect("unknown too")
            known = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(3).set_result(ACTIVE)
            assert known.result(PATIENCE_SECONDS) == ACTIVE
            zitadel.let_go()
            errors_of(unknown)


class TestBulkhead:
    def test_known_tokens_need_no_slot(self) -> None:
        zitadel = Hanging()
        setup = Setup(zitadel, slots=1)
        with Crowd(2) as crowd:
            known = crowd.submit(setup.cache.introspect, TOKEN)
            zitadel.call(0).set_result(ACTIVE)
            known.result(PATIENCE_SECONDS)
            unknown = crowd.submit(setup.cache.introspect, "another token")
            call = zitadel.call(1)
            assert setup.cache.introspect(TOKEN) == ACTIVE
            with pytest.raises(ZitadelUnavailable) as refusal:
                setup.cache.introspect("a third token")
            assert refusal.value.retry_after_seconds >= 1
            call.set_result(ACTIVE)
            unknown.result(PATIENCE_SECONDS)
        assert setup.cache.counters.refused == 1

    @pytest.mark.parametrize("ttl_seconds", [0.0, TTL])
    def test_a_failure_is_never_kept_and_every_outcome_releases_the_slot(self, ttl_seconds: float) -> None:
        zitadel = Scripted()
        setup = Setup(zitadel, ttl_seconds=ttl_seconds, slots=1)
        for failure in (unavailable(), refused(), unusable(), RuntimeError("a defect")):
            zitadel.outcome = failure
            with pytest.raises(type(failure)):
                setup.cache.introspect(TOKEN)
        zitadel.outcome = ACTIVE
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
        zitadel = Hanging()
        setup = Setup(zitadel, slots=1, wait_seconds=PATIENCE_SECONDS)
        with Crowd() as crowd:
            callers = [crowd.submit(setup.cache.introspect, TOKEN) for _ in range(100)]
            zitadel.call(0).set_result(ACTIVE)
            assert [caller.result(PATIENCE_SECONDS) for caller in callers] == [ACTIVE] * 100
        assert len(zitadel.calls) == 1
