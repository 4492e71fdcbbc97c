"""The answers in the store, and which of them count. The store makes introspections rarer, and decides nothing.

An answer from it counts if it opens with this application's credentials, was sealed for this token, and is younger than
the TTL. Its age is the store's time now minus the store's time when the question was sent, so no other machine's clock
matters. The store's clock is not trusted either:

* it counts as if it had never been set back, measured by this machine's running clock;
* the answer holds ZITADEL's ``Date``. If that is older than the TTL and some seconds, by what ZITADEL itself has told
  this worker since, the answer is not used. Until ZITADEL has told it, this machine's wall clock stands in.

So an attacker who controls the store can keep an answer in use for some seconds beyond the TTL, and can make the store
useless.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1, sha256

from zdemo.introspection.clock import running_clock
from zdemo.introspection.forget import Forget
from zdemo.introspection.model import LONGEST_INACTIVE_SECONDS, Introspection, Source
from zdemo.introspection.shared.carried_clock import CarriedClock
from zdemo.introspection.shared.guarded_store import GuardedStore
from zdemo.introspection.shared.order_feed import LISTEN_SECONDS, OrderFeed
from zdemo.introspection.shared.redis_store import Look, Names, RedisStore
from zdemo.introspection.shared.sealing import Sealer, StoredAnswer, Unbelievable
from zdemo.introspection.shared.state import UNDATED, SharedState
from zdemo.processes.forks import renewed_after_fork

log = logging.getLogger(__name__)

DATE_SECONDS = 5.0  # how much the clocks of ZITADEL's servers may differ
WALL_SECONDS = 30.0  # how much this machine's clock may be ahead of ZITADEL's before ZITADEL has told the time
SET_BACK_SECONDS = 1.0  # of the store's clock, that are worth a word
TRIAL_SECONDS = 1.0  # for a lease, if it is not given back
OWNER_BYTES = 16


@dataclass(kw_only=True)
class Question:
    """A request's question to the store about one token. ``rejected`` is the SHA-1 of a value that was not believed."""

    token_hash: bytes
    name: str
    names: Names
    owner: bytes = field(default_factory=lambda: os.urandom(OWNER_BYTES).hex().encode())
    rejected: str = ""


class SharedAnswers:
    """The answers in a store, as far as they can be believed. Thread-safe; it starts a thread at its first use."""

    @renewed_after_fork
    def __init__(
        self,
        store: GuardedStore,
        sealer: Sealer,
        *,
        ttl_seconds: float,
        listen_seconds: float = LISTEN_SECONDS,
        clock: Callable[[], float] = running_clock,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._store_clock = CarriedClock()
        self._zitadel_clock = CarriedClock()
        self._zitadel_clock.set(wall_clock() - WALL_SECONDS, clock())
        self._orders = OrderFeed(
            store,
            sealer,
            ttl_seconds=ttl_seconds,
            listen_seconds=listen_seconds,
            store_clock=self._store_clock,
            clock=clock,
        )
        self._is_undated = self._has_said_undated = False
        self.counters = store.counters
        self.operation_seconds = store.operation_seconds
        self.count = store.count
        self.subscribe = self._orders.subscribe

    @property
    def state(self) -> SharedState:
        """Whether answers are shared; if not, why, and what to do."""
        return UNDATED if self._is_undated and self._store.state.ok else self._store.state

    def question(self, token: str) -> Question:
        """Return the question about a token."""
        token_hash = sha256(token.encode()).digest()
        name = self._sealer.name(token_hash)
        return Question(token_hash=token_hash, name=name, names=Names.of(name))

    def look(self, question: Question, *, lease_seconds: float) -> tuple[Look, Introspection | None] | None:
        """Return what the store says, with the answer if it is believed; ``None`` if the store cannot be asked.

        If it has no answer, or the one that was rejected before, it gives the lease if that is free. All of it takes at
        most ``operation_seconds``.
        """
        self._orders.listen()
        until = self._clock() + self.operation_seconds
        look = self._store.run(
            lambda store: store.look(
                question.names,
                self._orders.key,
                question.owner,
                lease_seconds=lease_seconds,
                rejected=question.rejected,
            )
        )
        if look is None or not self._orders.read_up_to(look.head, until=until):
            return None
        now = self._store_time(look)
        digest = sha1(look.value, usedforsecurity=False).hexdigest() if look.value else ""
        if digest == question.rejected:
            return look, None
        answer = self._believed(question, look, now)
        if answer is None:
            question.rejected = digest
            self._store.count("shared_rejected")
        return look, answer

    def tried(self, token: str) -> SharedState:
        """Return whether the store works, after a question about a token that nobody has, and a lease for it."""
        asked = self.question(token)

        def ask(store: RedisStore) -> None:
            look = store.look(asked.names, self._orders.key, asked.owner, lease_seconds=TRIAL_SECONDS, rejected="")
            store.end(asked.names, self._orders.key, asked.owner, head=look.head, value=b"", milliseconds=0)

        return self._store.tried(ask)

    def _store_time(self, look: Look) -> float:
        """Return the store's time at ``look.sent_at`` or a little later, as if its clock had never been set back."""
        least = self._store_clock.least(look.sent_at)
        self._store_clock.follow(look.now, look.came_at)
        self._store.note_clock(is_set_back=least - look.now > SET_BACK_SECONDS)
        return max(look.now, least)

    def _believed(self, question: Question, look: Look, now: float) -> Introspection | None:
        """Return the answer in what the store says, if all speaks for it."""
        try:
            stored = self._sealer.open_answer(question.name, look.value)
        except Unbelievable:
            return None
        answer = stored.introspection
        asked_at, seconds = look.sent_at - (now - stored.asked_at), self._seconds_for(answer)
        seconds_old = self._clock() - asked_at
        seconds_old_by_date = self._zitadel_clock.least(self._clock()) - stored.dated_at
        if stored.asked_at > look.now or seconds_old >= seconds or seconds_old_by_date > seconds + DATE_SECONDS:
            return None
        if self._orders.received.forgot(
            answer, question.token_hash, asked_at=asked_at, asked_at_stored=stored.asked_at
        ):
            return None
        return answer.as_from(Source.SHARED).asked_by(asked_at)

    def _seconds_for(self, answer: Introspection) -> float:
        return self._ttl_seconds if answer.active else min(self._ttl_seconds, LONGEST_INACTIVE_SECONDS)

    def end(self, question: Question, look: Look, answer: Introspection | None) -> None:
        """Give the lease back, and keep ZITADEL's answer to a question sent after ``look``, if there is one."""
        value, milliseconds, now = b"", 0, self._clock()
        if answer:
            self._note_date(answer)
        if answer and answer.dated_at is not None:
            self._zitadel_clock.set(answer.dated_at, now)
            milliseconds = int(1000 * (look.sent_at + self._seconds_for(answer) - now))
            is_forgotten = self._orders.received.forgot(
                answer, question.token_hash, asked_at=look.sent_at, asked_at_stored=look.now
            )
            if milliseconds > 0 and not is_forgotten:
                stored = StoredAnswer(asked_at=look.now, dated_at=answer.dated_at, introspection=answer)
                value = self._sealer.seal_answer(question.name, stored) or b""
        self._store.run(
            lambda store: store.end(
                question.names, self._orders.key, question.owner, head=look.head, value=value, milliseconds=milliseconds
            ),
            writes=True,
        )

    def _note_date(self, answer: Introspection) -> None:
        """Note whether ZITADEL's answers can be shared, and say it once if they cannot: it will stay so."""
        self._is_undated = answer.dated_at is None
        if self._is_undated and not self._has_said_undated:
            self._has_said_undated = True
            log.warning("answers are not shared: %s: %s", UNDATED.reason, UNDATED.hint)

    def note(self, order: Forget) -> None:
        """Believe no answer that an order names from before now, and keep none."""
        self._orders.note(order)

    def publish_forget(self, order: Forget) -> bool:
        """Make all who share the store forget; return whether the store has taken the order."""
        return self._orders.publish(order)

    def close(self) -> None:
        """Stop listening to orders, and close the connections."""
        self._orders.close()
        self._store.close()
