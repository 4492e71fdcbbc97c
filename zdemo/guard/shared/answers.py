"""The answers in the store, and the introspector that shares them: one worker asks ZITADEL, the others get its answer.

An answer from the store counts if it opens with this application's credentials, was sealed for this token, is younger
than the TTL, and no order to forget came since. Its age counts from just before the question was sent. Two clocks
measure it, and the older age counts: the store's, so that the clocks of the machines need not agree, and the machines'
own, so that a store that lies about the time cannot keep an answer in use.

The worker that asks has a lease in the store. The others look again, at growing intervals, take over when the lease
ends, and ask for themselves when they have waited for as long as a lease lasts. Most of the time is left for ZITADEL.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from zdemo.errors import UnusableAnswer
from zdemo.guard.forget import hash_of
from zdemo.guard.instruments import running_clock
from zdemo.guard.protection import ProtectedIntrospector
from zdemo.guard.shared.orders import LISTEN_SECONDS, OrderFeed
from zdemo.guard.shared.redis_store import RedisStore, SharedState
from zdemo.guard.shared.sealing import Sealer
from zdemo.zitadel.introspection_answer import Introspection, Source

LATE_SECONDS = 5.0  # how much longer than the TTL orders are remembered
TRIAL_SECONDS = 1.0  # for a lease, if it is not given back
LONGEST_LEASE_SECONDS = 1.5  # ZITADEL takes up to 1.36 s under load (p99)
LEASE_SHARE = 0.3  # of the timeout
FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.025
PAUSE_GROWTH = 1.25


class Question(NamedTuple):
    """A request's question to the store about one token, and the keys of its answer and of the lease."""

    token_hash: bytes
    name: str
    answer_key: str
    lease_key: str


class Look(NamedTuple):
    """What the store says about a token, with the answer if it is believed.

    The question was sent at ``sent_at`` (running clock), or ``sent_at_wall`` (epoch seconds), when the store's clock
    showed ``now`` or less. Until ``lease_until``, this worker has the lease.
    """

    sent_at: float
    sent_at_wall: float
    now: float
    lease_until: float
    answer: Introspection | None = None


@dataclass(eq=False, kw_only=True)
class SharedAnswers:
    """The answers in a store, as far as they can be believed. Thread-safe; it starts a thread at its first use."""

    store: RedisStore
    sealer: Sealer
    ttl_seconds: float
    listen_seconds: float = LISTEN_SECONDS
    clock: Callable[[], float] = running_clock
    wall_clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        keep, listen = self.ttl_seconds + LATE_SECONDS, self.listen_seconds
        self.orders = OrderFeed(
            store=self.store, sealer=self.sealer, keep_seconds=keep, clock=self.clock, listen_seconds=listen
        )

    def question(self, token: str) -> Question:
        """Return the question about a token."""
        token_hash = hash_of(token)
        name = self.sealer.name(token_hash)
        return Question(token_hash, name, answer_key=f"zdemo:3:answer:{name}", lease_key=f"zdemo:3:lease:{name}")

    def look(self, question: Question, *, lease_seconds: float = 0.0) -> Look | None:
        """Return what the store says, ``None`` if it cannot be asked; with ``lease_seconds``, take a free lease."""
        self.orders.listen()
        return self.store.run(lambda redis: self._look(redis, question, lease_seconds), writes=lease_seconds > 0)

    def _look(self, redis: Any, question: Question, lease_seconds: float) -> Look:
        sent_at, sent_at_wall = self.clock(), self.wall_clock()
        with redis.pipeline(transaction=False) as pipe:
            if lease_seconds:  # first, so that an answer that came before it was free is seen
                pipe.set(question.lease_key, b"1", nx=True, px=round(1000 * lease_seconds))
            pipe.time()
            pipe.get(question.answer_key)
            self.orders.ask(pipe)
            *took_lease, (seconds, microseconds), value, entries = pipe.execute()
        self.orders.follow(entries)
        lease_until = sent_at + lease_seconds if any(took_lease) else 0.0
        look = Look(sent_at, sent_at_wall, seconds + microseconds / 10**6, lease_until)
        if value is None:
            return look
        answer = self._believed(question, look, value)
        if answer and look.lease_until:
            redis.delete(question.lease_key)
        if not answer and not lease_seconds:  # counted once, at the first look of each question
            self.store.counters.count("shared_rejected")
        return look._replace(answer=answer)

    def _believed(self, question: Question, look: Look, value: bytes) -> Introspection | None:
        try:
            answer, stored_at, stored_at_wall = self.sealer.open_answer(question.name, value)
        except (ValueError, UnusableAnswer):
            return None
        asked_at = look.sent_at - max(look.now - stored_at, look.sent_at_wall - stored_at_wall)
        if stored_at > look.now or self.clock() - asked_at >= answer.lifetime(self.ttl_seconds):
            return None
        if self.orders.forgot(answer, question.token_hash, asked_at=asked_at, asked_at_stored=stored_at):
            return None
        return answer.as_from(Source.SHARED).asked_by(asked_at)

    def end(self, question: Question, look: Look, answer: Introspection | None) -> None:
        """Give the lease back, and keep ZITADEL's answer to a question sent after ``look``, if there is one."""
        now = self.clock()
        has_lease = now < look.lease_until
        value, milliseconds = None, 0
        if answer and not self.orders.forgot(
            answer, question.token_hash, asked_at=look.sent_at, asked_at_stored=look.now
        ):
            milliseconds = int(1000 * (look.sent_at + answer.lifetime(self.ttl_seconds) - now))
            value = self.sealer.seal_answer(question.name, answer, asked_at=look.now, asked_at_wall=look.sent_at_wall)

        def write(redis: Any) -> None:
            with redis.pipeline(transaction=False) as pipe:
                if value and milliseconds > 0:  # another worker may have asked later, when this one's lease had ended
                    pipe.set(question.answer_key, value, px=milliseconds, nx=not has_lease)
                if has_lease:
                    pipe.delete(question.lease_key)
                pipe.execute()

        if value or has_lease:
            self.store.run(write, writes=True)

    def tried(self) -> SharedState:
        """Return whether the store works, after a question about a token that nobody has, and a lease for it."""
        question = self.question(secrets.token_urlsafe())

        def ask(redis: Any) -> None:
            self._look(redis, question, TRIAL_SECONDS)
            redis.delete(question.lease_key)

        return self.store.tried(ask)

    def close(self) -> None:
        """Stop listening to orders, and close the connections."""
        self.orders.close()
        self.store.close()


@dataclass(eq=False, kw_only=True)
class SharedIntrospector:
    """Looks into the store, and asks ``inner`` if it has no answer. Takes at most ``timeout_seconds``. Thread-safe."""

    inner: ProtectedIntrospector
    answers: SharedAnswers
    timeout_seconds: float
    clock: Callable[[], float] = running_clock
    sleep: Callable[[float], None] = time.sleep

    def introspect(self, token: str, *, known: bool) -> Introspection:
        """Return the shared answer, or ZITADEL's."""
        began = self.clock()
        question = self.answers.question(token)
        look = self._wait_for_turn(question)
        if look and look.answer:
            self.answers.store.counters.count("shared_hits")
            return look.answer
        self.answers.store.counters.count("shared_misses")
        answer, seconds = None, self.timeout_seconds - self.answers.store.operation_seconds  # which the end may take
        try:
            answer = self.inner.introspect(token, known=known, deadline=began + seconds)
        finally:
            if look:
                self.answers.end(question, look, answer)
        return answer

    def _wait_for_turn(self, question: Question) -> Look | None:
        """Return an answer, or that it is this caller's turn to ask; ``None`` if the store cannot be asked."""
        lease_seconds = min(LONGEST_LEASE_SECONDS, LEASE_SHARE * self.timeout_seconds)
        until, pause = self.clock() + lease_seconds, FIRST_PAUSE_SECONDS
        look = self.answers.look(question)
        while look and not look.answer:
            look = self.answers.look(question, lease_seconds=lease_seconds)
            if not look or look.answer or look.lease_until or self.clock() >= until:
                break
            self.sleep(pause)
            pause = min(PAUSE_GROWTH * pause, LONGEST_PAUSE_SECONDS)
        return look
