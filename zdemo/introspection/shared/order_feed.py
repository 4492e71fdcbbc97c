"""Orders to forget from and to the other workers and machines: a stream in the store.

A thread waits for new orders, and each answer of the store names the newest one. So a worker that lost its connection
reads what it has missed before it uses an answer. If orders may be lost, because the store has lost its data or is an
older copy, the worker forgets everything, and makes others do so.
"""

import math
import threading
from collections.abc import Callable

from zdemo.introspection.forget import LOSS, Forget
from zdemo.introspection.shared.carried_clock import CarriedClock
from zdemo.introspection.shared.guarded_store import GuardedStore
from zdemo.introspection.shared.orders import ReceivedOrders
from zdemo.introspection.shared.redis_store import MOST_ORDERS, PREFIX, Names
from zdemo.introspection.shared.sealing import Sealer

REST_SECONDS = 0.01
LISTEN_SECONDS = 1.0
LATE_SECONDS = 5.0  # after which an order counts as lost: others may have written it again
LOSS_SECONDS = 5.0  # between two losses that are followed: a store could feign one at each look


class OrderFeed:
    """Reads and publishes orders. Thread-safe; ``listen`` starts a thread. ``key`` is where the orders stand.

    After ``listen_seconds`` a connection that died is noticed. ``store_clock`` is the store's, as it is believed.
    """

    def __init__(
        self,
        store: GuardedStore,
        sealer: Sealer,
        *,
        ttl_seconds: float,
        listen_seconds: float,
        store_clock: CarriedClock,
        clock: Callable[[], float],
    ) -> None:
        self._name = sealer.name(b"orders")
        self.key = f"{PREFIX}:orders:{self._name}"
        self.received = ReceivedOrders(keep_seconds=ttl_seconds + LATE_SECONDS)
        self._store = store
        self._sealer = sealer
        self._listen_seconds = listen_seconds
        self._store_clock = store_clock
        self._clock = clock
        self._head: bytes | None = None  # the newest order that was read, if there was one
        self._lost_at = -math.inf
        self._is_loss_untold = False
        self._reading = threading.Lock()
        self._handlers: list[Callable[[Forget], object]] = []
        self._starting = threading.Lock()
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()

    def subscribe(self, handler: Callable[[Forget], object]) -> None:
        """Call ``handler`` with each order that others publish."""
        self._handlers.append(handler)

    def note(self, order: Forget) -> None:
        """Note an order that came in another way."""
        self.received.add(order, self._clock())

    def publish(self, order: Forget) -> bool:
        """Publish an order; return whether the store has taken it."""
        self.note(order)
        now = self._store.run(lambda store: store.time())
        if now is None:
            return False
        at = max(now, self._store_clock.least(self._clock()))
        sealed = self._sealer.seal_order(self._name, at, order.to_message())
        self.received.is_new(sealed, self._clock())  # not again when it comes back
        answer = Names.of(self._sealer.name(order.token_hash)).answer if order.token_hash is not None else None
        return self._store.run(lambda store: store.publish(self.key, sealed, answer), writes=True) is not None

    def listen(self) -> None:
        """Follow the orders of others from now on."""
        if self._listener is None:
            with self._starting:
                if self._listener is None and not self._closed.is_set():
                    self._listener = threading.Thread(target=self._keep_listening, name="shared-orders", daemon=True)
                    self._listener.start()

    def _keep_listening(self) -> None:
        while not self._closed.is_set():
            newest = self._store.run(
                lambda store: store.newest_order(self.key, self._head or b"", self._listen_seconds)
            )
            if newest is None:
                self._closed.wait(self._listen_seconds)
            else:
                self.read_up_to(newest, until=self._clock() + self._store.operation_seconds)
                if self._is_loss_untold:
                    self._is_loss_untold = not self.publish(LOSS)
                self._closed.wait(REST_SECONDS)  # a server that does not block must not keep this thread busy

    def close(self) -> None:
        """Stop following the orders of others."""
        self._closed.set()
        if self._listener is not None:
            self._listener.join(self._listen_seconds + 2 * self._store.operation_seconds)

    def read_up_to(self, newest: bytes, *, until: float) -> bool:
        """Read the orders up to the newest, and follow those that are new; return whether that worked in time.

        The wait for another one who reads is part of the time: the store could name a new order at each look.
        """
        if not self._reading.acquire(timeout=max(0, until - self._clock())):
            return False
        try:
            if newest == self._head:
                return True
            entries = self._store.run(lambda store: store.orders(self.key, seconds=until - self._clock()))
            if entries is None:
                return False
            known = [identity for identity, _ in entries]
            if self._head in known:
                missed, is_complete = entries[: known.index(self._head)], True
            else:
                missed, is_complete = entries, self._head is None and len(entries) < MOST_ORDERS
            in_time = [self._follow(sealed) for _, sealed in reversed(missed)]  # those after a late one count too
            if not (is_complete and all(in_time)) and not self._follow_loss():
                return False
            self._head = known[0] if known else None
            return True
        finally:
            self._reading.release()

    def _follow(self, sealed: bytes) -> bool:
        """Follow an order if it is new and was made for these workers; return ``False`` if it comes too late for that.

        Its time is too early also if the store's clock was set back before.
        """
        if not sealed:
            return True
        now = self._clock()
        try:
            at, message = self._sealer.open_order(self._name, sealed)
            order = Forget.from_message(message)
        except ValueError:
            self._store.count("shared_rejected")
            return True
        if self._store_clock.least(now) - at > LATE_SECONDS:
            return False
        if self.received.is_new(sealed, now):
            self.received.add(order, now, at)
            self._hand_on(order)
            if order.everything:
                self._is_loss_untold = False  # another worker has told it
        return True

    def _follow_loss(self) -> bool:
        """Forget everything, since orders may be lost; return ``False`` if it is too early to do so again."""
        now = self._clock()
        if now - self._lost_at < LOSS_SECONDS:
            return False
        self._lost_at = now
        self._is_loss_untold = self._head is not None
        self.note(LOSS)
        self._hand_on(LOSS)
        return True

    def _hand_on(self, order: Forget) -> None:
        for handler in self._handlers:
            handler(order)
