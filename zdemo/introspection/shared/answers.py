"""What the store is believed. It makes introspections rarer, and decides nothing.

An answer from it counts if it opens with this application's credentials, was sealed for this token, and is younger than
the TTL. Its age is the store's time now minus the store's time when the question was sent, so no other machine's clock
matters. And the store's clock is not believed either:

* it counts as if it had never been set back, measured by this machine's running clock;
* the answer holds ZITADEL's ``Date``. If that is older than the TTL and some seconds, by what ZITADEL itself has told
  this worker since, the answer is not used. Until ZITADEL has told it, this machine's wall clock stands in.

So whoever controls the store can keep an answer alive for some seconds beyond the TTL, and can make the store useless.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import TypeVar

from zdemo.introspection.breaker import Breaker
from zdemo.introspection.clock import running_clock
from zdemo.introspection.counters import Counters
from zdemo.introspection.forget import Forget
from zdemo.introspection.model import LONGEST_INACTIVE_SECONDS, Introspection, Source
from zdemo.introspection.rate_limited_log import RateLimitedLog
from zdemo.introspection.shared.carried_clock import CarriedClock
from zdemo.introspection.shared.link import StoreFailed, StoreFault
from zdemo.introspection.shared.orders import ReceivedOrders
from zdemo.introspection.shared.redis_store import MOST_ORDERS, PREFIX, Look, Names, RedisStore
from zdemo.introspection.shared.sealing import Sealer, StoredAnswer, Unbelievable
from zdemo.introspection.shared.state import OF_WRITES, SharedState

DATE_SECONDS = 5.0  # how much the clocks of ZITADEL's servers may differ
WALL_SECONDS = 30.0  # how much this machine's clock may be ahead of ZITADEL's before ZITADEL has told the time
SET_BACK_SECONDS = 1.0  # of the store's clock, that are worth a word
LISTEN_SECONDS = 1.0
TRIAL_SECONDS = 1.0  # for a lease, if it is not given back
OWNER_BYTES = 16
T = TypeVar("T")

log = logging.getLogger(__name__)


def new_owner() -> bytes:
    """Return a name for who holds a lease, unlike all others."""
    return os.urandom(OWNER_BYTES).hex().encode()


@dataclass(kw_only=True)
class Question:
    """A request's question to the store about one token. ``rejected`` is the SHA-1 of a value that was not believed."""

    token_hash: bytes
    name: str
    names: Names
    owner: bytes = field(default_factory=new_owner)
    rejected: str = ""


class SharedAnswers:
    """The answers in a store, as far as they can be believed. Thread-safe; it starts a thread at its first use."""

    def __init__(  # noqa: PLR0913  # as in the cache
        self,
        store: RedisStore,
        sealer: Sealer,
        *,
        shown: str,
        ttl_seconds: float,
        operation_seconds: float,
        listen_seconds: float = LISTEN_SECONDS,
        counters: Counters | None = None,
        clock: Callable[[], float] = running_clock,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; ``shown`` is the store's address without a password.

        An operation takes at most ``operation_seconds``; every ``listen_seconds`` a connection that died is noticed.
        """
        self._listen_seconds = listen_seconds
        self.counters = counters or Counters()
        self.operation_seconds = operation_seconds
        self._store = store
        self._sealer = sealer
        self._shown = shown
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._breaker = Breaker(
            timeout_seconds=operation_seconds, counters=self.counters, gauge="shared_breaker", clock=clock
        )
        self._log = RateLimitedLog(log)
        self._store_clock = CarriedClock()
        self._zitadel_clock = CarriedClock()
        self._zitadel_clock.set(wall_clock() - WALL_SECONDS, clock())
        name = sealer.name(b"orders")
        self._order_name, self._order_key = name, f"{PREFIX}:orders:{name}"
        self._orders = ReceivedOrders(keep_seconds=ttl_seconds + DATE_SECONDS)
        self._head: bytes | None = None  # the newest order that was read
        self._reading = threading.Lock()
        self._starting = threading.Lock()
        self._fault: StoreFault | None = None
        self._set_back = False
        self._handlers: list[Callable[[Forget], object]] = []
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def state(self) -> SharedState:
        """Whether the store works; if not, why, and what to do."""
        if self._fault is not None:
            return SharedState.of(self._fault, self._shown)
        return SharedState.set_back(self._shown) if self._set_back else SharedState()

    def question(self, token: str) -> Question:
        """Return the question about a token."""
        token_hash = sha256(token.encode()).digest()
        name = self._sealer.name(token_hash)
        return Question(token_hash=token_hash, name=name, names=Names.of(name))

    def look(self, question: Question, *, lease_seconds: float) -> tuple[Look, Introspection | None] | None:
        """Return what the store says, with the answer if it is believed; ``None`` if the store cannot be asked.

        If it has no answer, or the one that was rejected before, it gives the lease if that is free.
        """
        self._listen()
        look = self._run(
            lambda: self._store.look(
                question.names,
                self._order_key,
                question.owner,
                lease_seconds=lease_seconds,
                rejected=question.rejected,
            )
        )
        if look is None or not self._read_orders(look.head):
            return None
        now = self._store_time(look)
        digest = sha1(look.value, usedforsecurity=False).hexdigest() if look.value else ""
        if digest == question.rejected:
            return look, None
        answer = self._believed(question, look, now)
        if answer is None:
            question.rejected = digest
            self.count("shared_rejected")
        return look, answer

    def tried(self, token: str) -> SharedState:
        """Return whether the store works, after a question about a token that nobody has, and a lease for it."""
        names, owner = Names.of(self._sealer.name(sha256(token.encode()).digest())), new_owner()
        try:
            look = self._store.look(names, self._order_key, owner, lease_seconds=TRIAL_SECONDS, rejected="")
            self._store.end(names, self._order_key, owner, head=look.head, value=b"", milliseconds=0)
        except StoreFailed as failed:
            return SharedState.of(failed.fault, self._shown)
        return SharedState()

    def _store_time(self, look: Look) -> float:
        """Return the store's time at ``look.sent_at`` or a little later, as if its clock had never been set back."""
        least = self._store_clock.least(look.sent_at)
        self._store_clock.follow(look.now, look.came_at)
        self._set_back = least - look.now > SET_BACK_SECONDS
        if self._set_back:
            self._tell(self.state)
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
        if self._orders.forgot(answer, question.token_hash, asked_at=asked_at, asked_at_stored=stored.asked_at):
            return None
        return answer.as_from(Source.SHARED).asked_by(asked_at)

    def _seconds_for(self, answer: Introspection) -> float:
        return self._ttl_seconds if answer.active else min(self._ttl_seconds, LONGEST_INACTIVE_SECONDS)

    def end(self, question: Question, look: Look, answer: Introspection | None) -> None:
        """Give the lease back, and keep ZITADEL's answer to a question sent after ``look``, if there is one."""
        value, milliseconds, now = b"", 0, self._clock()
        if answer and answer.dated_at is not None:
            self._zitadel_clock.set(answer.dated_at, now)
            milliseconds = int(1000 * (look.sent_at + self._seconds_for(answer) - now))
            is_forgotten = self._orders.forgot(
                answer, question.token_hash, asked_at=look.sent_at, asked_at_stored=look.now
            )
            if milliseconds > 0 and not is_forgotten:
                stored = StoredAnswer(asked_at=look.now, dated_at=answer.dated_at, introspection=answer)
                value = self._sealer.seal_answer(question.name, stored) or b""
        self._run(
            lambda: self._store.end(
                question.names, self._order_key, question.owner, head=look.head, value=value, milliseconds=milliseconds
            ),
            writes=True,
        )

    def subscribe(self, handler: Callable[[Forget], object]) -> None:
        """Call ``handler`` with each order that others publish."""
        self._handlers.append(handler)

    def note(self, order: Forget) -> None:
        """Believe no answer that an order names from before now, and keep none."""
        self._orders.add(order, self._clock())

    def publish_forget(self, order: Forget) -> bool:
        """Make all who share the store forget; return whether the store has taken the order."""
        self.note(order)
        now = self._run(self._store.time)
        if now is None:
            return False
        at = max(now, self._store_clock.least(self._clock()))
        sealed = self._sealer.seal_order(self._order_name, at, order.to_message())
        self._orders.is_new(sealed, self._clock())  # not again when it comes back
        answer = Names.of(self._sealer.name(order.token_hash)).answer if order.token_hash is not None else None
        return self._run(lambda: self._store.publish(self._order_key, sealed, answer)) is not None

    def close(self) -> None:
        """Stop listening, and close the connections."""
        self._closed.set()
        if self._listener is not None:
            self._listener.join(self._listen_seconds + 2 * self.operation_seconds)
        self._store.close()

    def _listen(self) -> None:
        if self._listener is None:
            with self._starting:
                if self._listener is None and not self._closed.is_set():
                    self._listener = threading.Thread(target=self._keep_listening, name="shared-orders", daemon=True)
                    self._listener.start()

    def _keep_listening(self) -> None:
        while not self._closed.is_set():
            newest = self._run(self._newest_order)
            if newest is None:
                self._closed.wait(self._listen_seconds)
            else:
                self._read_orders(newest)

    def _newest_order(self) -> bytes:
        return self._store.newest_order(self._order_key, self._head or b"", self._listen_seconds)

    def _read_orders(self, newest: bytes) -> bool:
        """Read the orders up to the newest, and follow those that are new; return whether that worked."""
        with self._reading:
            if newest == self._head:
                return True
            entries = self._run(lambda: self._store.orders(self._order_key))
            if entries is None:
                return False
            before, self._head = self._head, entries[0][0] if entries else b""
            known = [identity for identity, _ in entries]
            if before in known:
                entries = entries[: known.index(before)]
            elif before or len(entries) >= MOST_ORDERS:
                self._lost(everywhere=bool(entries) and before is not None)
            for _, sealed in reversed(entries):
                self._follow(sealed)
            return True

    def _lost(self, *, everywhere: bool) -> None:
        """Forget all that is stored, since orders may have been lost; ``everywhere``: in this worker's cache too.

        A store that is empty has been started again: then nothing is stored, and no order was missed but the last.
        """
        order = Forget(everything=True)
        self.note(order)
        if everywhere:
            self._hand_on(order)

    def _follow(self, sealed: bytes) -> None:
        now = self._clock()
        try:
            at, message = self._sealer.open_order(self._order_name, sealed)
            order = Forget.from_message(message)
        except ValueError:
            self.count("shared_rejected")
            return
        is_old = self._store_clock.least(now) - at > self._ttl_seconds + DATE_SECONDS
        if not is_old and self._orders.is_new(sealed, now):
            self._orders.add(order, now, at)
            self._hand_on(order)

    def _hand_on(self, order: Forget) -> None:
        for handler in self._handlers:
            handler(order)

    def _run(self, operation: Callable[[], T], *, writes: bool = False) -> T | None:
        """Run an operation on the store, if its breaker allows; ``None`` if it does not, or if the store fails."""
        permit = self._breaker.admit()
        if permit is None:
            return None
        try:
            result = operation()
        except StoreFailed as failed:
            self._breaker.failed(permit)
            self.count("shared_failures")
            self._fault = failed.fault
            self._tell(self.state)
            return None
        except BaseException:
            self._breaker.failed(permit)
            raise
        self._breaker.answered(permit)
        if self._fault is not None and (writes or self._fault not in OF_WRITES):
            self._fault = None
            self._log.warning("answers are shared again", f"the store at {self._shown} works")
        return result

    def _tell(self, state: SharedState) -> None:
        self._log.error(f"answers are not shared: {state.reason}", state.hint)

    def count(self, name: str) -> None:
        """Count one more of what the counters call so."""
        with self.counters.lock:
            setattr(self.counters, name, getattr(self.counters, name) + 1)
