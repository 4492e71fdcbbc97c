"""The cache against a model: time passes, clocks jump, roles change, tokens die, ZITADEL fails and is slow.

The model knows what is true and when ZITADEL last said it. Whatever happens, an answer of the cache is one that
ZITADEL gave for this token, no longer ago than promised.
"""

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.introspector_doubles import Clock, unavailable
from zdemo.errors import ZitadelUnavailable
from zdemo.introspection.bulkhead import Bulkhead, Pacer
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.model import LONGEST_INACTIVE_SECONDS, Introspection

TOKENS = ["a", "b", "c"]
SIZE = 2  # fewer than there are tokens, so that entries are pushed out
seconds = st.sampled_from([0.25, 0.999, 1.0, 1.5, 0.0, 0.001, 3.0, 10.0])
jumps = st.sampled_from([0.0, 0.0, 0.0, -5.0, -0.5, 0.5, 2.0, -86_400.0, 86_400.0])
delays = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.5, 10.0])  # most answers are prompt: late ones are not kept
lifetimes = st.sampled_from([None, 1, 3, 10, 0, 10**12])
failures = st.sampled_from([False] * 5 + [True])
SLACK_SECONDS = 1e-6  # the floats of two clocks may differ by this


@dataclass
class Truth:
    """The state of a token at ZITADEL."""

    alive: bool = True
    roles: int = 0
    expires_at: int | None = None


@dataclass(frozen=True)
class Statement:
    """What ZITADEL said about a token, and both clocks when it was asked."""

    answer: Introspection
    asked_at: float
    asked_at_wall: float


class CacheAgainstModel(RuleBasedStateMachine):
    """ZITADEL (``introspect`` is its side of the wire) and the API's cache, under the same two clocks."""

    @initialize(ttl=st.sampled_from([5.0, 2.0, 0.5, 0.0]), lifetime=lifetimes)
    def begin(self, ttl: float, lifetime: int | None) -> None:
        self.ttl = ttl
        self.clock, self.wall_clock = Clock(), Clock(1_800_000_000.0)
        self.truth: dict[str, Truth] = {}
        for token in TOKENS:
            self.a_token_comes_to_life(token, lifetime)
        self.statements: dict[str, Statement] = {}
        self.questions = 0
        self.fails = False
        self.delay_before = self.delay_after = 0.0
        self.cache = CachingIntrospector(
            self,
            ttl_seconds=ttl,
            size=SIZE,
            timeout_seconds=5,
            bulkhead=Bulkhead(1, waiters=0, wait_seconds=0),
            pacer=Pacer(1, sleep=lambda _: None),
            clock=self.clock,
            wall_clock=self.wall_clock,
        )

    def introspect(self, token: str, *, known: bool) -> Introspection:
        assert not known or token in self.statements, "a token is known only if ZITADEL said so"
        self.questions += 1
        asked_at, asked_at_wall = self.clock(), self.wall_clock()
        self.pass_time(self.delay_before)
        truth = self.truth[token]
        answer = Introspection(active=False, claims={"active": False})
        if truth.alive and (truth.expires_at is None or self.wall_clock() < truth.expires_at):
            answer = Introspection(active=True, claims={"roles": truth.roles}, expires_at=truth.expires_at)
        self.pass_time(self.delay_after)
        if self.fails:
            raise unavailable()
        self.statements[token] = Statement(answer, asked_at, asked_at_wall)
        return answer

    def pass_time(self, duration: float) -> None:
        self.clock.advance(duration)
        self.wall_clock.advance(duration)

    @rule(duration=seconds, jump=jumps)
    def time_passes_and_the_wall_clock_jumps(self, duration: float, jump: float) -> None:
        self.pass_time(duration)
        self.wall_clock.advance(jump)

    @rule(token=st.sampled_from(TOKENS))
    def roles_change(self, token: str) -> None:
        self.truth[token].roles += 1

    @rule(token=st.sampled_from(TOKENS))
    def a_token_dies(self, token: str) -> None:
        self.truth[token].alive = False

    @rule(token=st.sampled_from(TOKENS), lifetime=lifetimes)
    def a_token_comes_to_life(self, token: str, lifetime: int | None) -> None:
        expires_at = None if lifetime is None else int(self.wall_clock()) + lifetime
        self.truth[token] = Truth(expires_at=expires_at)

    @rule(token=st.sampled_from(TOKENS), fails=failures, before=delays, after=delays)
    def a_request_comes(self, token: str, fails: bool, before: float, after: float) -> None:
        self.fails, self.delay_before, self.delay_after = fails, before, after
        self.request(token)

    @rule(
        token=st.sampled_from(TOKENS),
        lifetime=lifetimes,
        pauses=st.lists(st.tuples(seconds, jumps), min_size=1, max_size=4),
    )
    def a_new_token_is_used_again_and_again(
        self, token: str, lifetime: int | None, pauses: list[tuple[float, float]]
    ) -> None:
        self.a_token_comes_to_life(token, lifetime)
        self.fails, self.delay_before, self.delay_after = False, 0.0, 0.0
        self.request(token)
        for duration, jump in pauses:
            self.time_passes_and_the_wall_clock_jumps(duration, jump)
            self.request(token)

    def request(self, token: str) -> None:
        questions = self.questions
        try:
            answer = self.cache.introspect(token)
        except ZitadelUnavailable:
            assert self.fails
            assert self.questions == questions + 1
            return
        assert answer == self.statements[token].answer, "not what ZITADEL said last"
        if self.questions == questions:
            self.check_hit(self.statements[token])

    def check_hit(self, statement: Statement) -> None:
        age = max(self.clock() - statement.asked_at, self.wall_clock() - statement.asked_at_wall)
        assert self.ttl > 0
        assert age < self.ttl, "accepted later than the TTL after ZITADEL confirmed it"
        if not statement.answer.active:
            assert age < LONGEST_INACTIVE_SECONDS
        elif statement.answer.expires_at is not None:
            assert self.wall_clock() < statement.answer.expires_at, "after exp, by the wall clock"
            assert self.clock() - statement.asked_at < (
                statement.answer.expires_at - statement.asked_at_wall + SLACK_SECONDS
            ), "after exp, by the time passed"

    @precondition(lambda self: self.ttl >= LONGEST_INACTIVE_SECONDS)
    @rule(token=st.sampled_from(TOKENS))
    def a_second_request_at_once_asks_nothing(self, token: str) -> None:
        self.fails, self.delay_before, self.delay_after = False, 0.0, 0.0
        answer = self.cache.introspect(token)
        questions = self.questions
        assert self.cache.introspect(token) == answer
        assert self.questions == questions

    @invariant()
    def nothing_is_kept_for_an_introspection_that_has_ended(self) -> None:
        if hasattr(self, "cache"):
            assert not vars(self.cache)["_flights"]


CacheAgainstModel.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestCacheAgainstModel = CacheAgainstModel.TestCase
