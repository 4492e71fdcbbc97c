"""Orders to forget from and to the other workers and machines: a stream in the store.

A thread waits for new orders, and each answer of the store names the newest one. So a worker that lost its connection
reads what it has missed before it uses an answer. If orders may be lost, all from before counts as forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from zdemo.introspection.forget import Forget
from zdemo.introspection.shared.carried_clock import CarriedClock
from zdemo.introspection.shared.guarded_store import GuardedStore
from zdemo.introspection.shared.orders import ReceivedOrders
from zdemo.introspection.shared.redis_store import MOST_ORDERS, PREFIX, Names, RedisStore
from zdemo.introspection.shared.sealing import Sealer

REST_SECONDS = 0.01
LISTEN_SECONDS = 1.0
LATE_SECONDS = 5.0  # how much older than all answers an order may be and still be followed


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
        self._keep_seconds = ttl_seconds + LATE_SECONDS
        self._listen_seconds = listen_seconds
        self._store_clock = store_clock
        self._clock = clock
        self._head: bytes | None = None  # the newest order that was read
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
        now = self._store.run(RedisStore.time)
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
            before, self._head = self._head, entries[0][0] if entries else b""
            known = [identity for identity, _ in entries]
            if before in known:
                entries = entries[: known.index(before)]
            elif before or len(entries) >= MOST_ORDERS:
                self._lost(everywhere=bool(entries) and before is not None)
            for _, sealed in reversed(entries):
                self._follow(sealed)
            return True
        finally:
            self._reading.release()

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
            at, message = self._sealer.open_order(self._name, sealed)
            order = Forget.from_message(message)
        except ValueError:
            self._store.count("shared_rejected")
            return
        is_old = self._store_clock.least(now) - at > self._keep_seconds
        if not is_old and self.received.is_new(sealed, now):
            self.received.add(order, now, at)
            self._hand_on(order)

    def _hand_on(self, order: Forget) -> None:
        for handler in self._handlers:
            handler(order)
