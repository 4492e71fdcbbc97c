"""Orders to forget from and to the other workers and machines: a stream in the store, which each worker follows.

A thread waits for new orders, and each question to the store brings those that this worker has not read yet. A worker
that loses its connection cannot know whether the store has lost orders, so it forgets everything.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from zdemo.guard.forget import Forget
from zdemo.guard.shared.redis_store import RedisStore
from zdemo.guard.shared.sealing import Sealer
from zdemo.serving.forks import renewed_after_fork
from zdemo.zitadel.introspection_answer import Introspection

MOST_ORDERS = 1000
ORDERS_MILLISECONDS = 2 * 86_400_000  # no answer is used for longer than a day
LISTEN_SECONDS = 1.0  # a connection that died is noticed after about twice as long
REST_SECONDS = 0.05  # before the next attempt to connect
GIVEN = "as an order in the store says"
CUT_OFF = "because the connection to the store was lost, or too many orders to forget came at once"

EVERYTHING = Forget(everything=True)


class _Received(NamedTuple):
    """An order and when it came: on this worker's running clock, and on the store's if it came from there."""

    order: Forget
    at: float
    stored_at: float | None = None


@dataclass(eq=False, kw_only=True)
class OrderFeed:
    """Reads, publishes and remembers orders. Thread-safe; ``listen`` starts a thread."""

    store: RedisStore
    sealer: Sealer
    keep_seconds: float
    clock: Callable[[], float]
    listen_seconds: float = LISTEN_SECONDS

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._name = self.sealer.name(b"orders")
        self.key = f"zdemo:3:orders:{self._name}"
        seconds = 2 * self.listen_seconds + self.store.operation_seconds  # a busy process may be late
        self._client = self.store.client(seconds, connect=self._connect)
        self._was_cut_off = False  # before the next connection
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._cursor = (0, 0)  # the ID of the newest order that was read
        self._received: list[_Received] = []
        self._handlers: list[Callable[[Forget, str], object]] = []
        self._listener: threading.Thread | None = None
        self._closed = threading.Event()

    def subscribe(self, handler: Callable[[Forget, str], object]) -> None:
        """Call ``handler`` with each order that others publish, and with why this worker follows it."""
        self._handlers.append(handler)

    def publish(self, order: Forget) -> bool:
        """Publish an order; return whether the store has taken it."""
        self.note(order)
        sealed = self.sealer.seal("order", self._name, json.dumps(order.to_message()).encode())

        def add(redis: Any) -> bool:
            with redis.pipeline() as pipe:
                pipe.xadd(self.key, {"order": sealed}, maxlen=MOST_ORDERS, approximate=False)
                pipe.pexpire(self.key, ORDERS_MILLISECONDS)
                pipe.execute()
            return True

        return self.store.run(add, writes=True) is not None

    def note(self, order: Forget, stored_at: float | None = None) -> None:
        """Note an order. If there are too many, they become one to forget everything from before now."""
        now = self.clock()
        with self._lock:
            kept = [received for received in self._received if now - received.at <= self.keep_seconds]
            is_full = len(kept) >= MOST_ORDERS
            self._received = [_Received(EVERYTHING, now)] if is_full else [*kept, _Received(order, now, stored_at)]

    def forgot(self, answer: Introspection, token_hash: bytes, *, asked_at: float, asked_at_stored: float) -> bool:
        """Tell whether an answer about a token is older than an order about it, by the running or the store's clock."""
        return any(
            (asked_at <= at if stored_at is None else asked_at_stored <= stored_at)
            and (order.token_hash == token_hash if order.token_hash is not None else order.names(answer))
            for order, at, stored_at in self._received
        )

    def ask(self, redis: Any) -> None:
        """Ask for the orders that are new; ``follow`` takes what comes."""
        redis.xrange(self.key, min="({}-{}".format(*self._cursor), count=MOST_ORDERS)

    def follow(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Follow those entries of the stream that were not read before."""
        if len(entries) >= MOST_ORDERS:
            self._hand_on(EVERYTHING, CUT_OFF)
        with self._reading:
            for identity, fields in entries:
                milliseconds, number = map(int, identity.split(b"-"))
                if (milliseconds, number) <= self._cursor:
                    continue
                self._cursor = milliseconds, number
                try:
                    message = json.loads(self.sealer.open("order", self._name, fields.get(b"order", b"")))
                    order = Forget.from_message(message)
                except ValueError:
                    self.store.counters.count("shared_rejected")
                else:
                    self._hand_on(order, GIVEN, stored_at=(milliseconds + 1) / 1000)

    def _hand_on(self, order: Forget, why: str, stored_at: float | None = None) -> None:
        self.note(order, stored_at)
        for handler in self._handlers:
            handler(order, why)

    def listen(self) -> None:
        """Follow the orders of others from now on."""
        with self._lock:
            if self._listener is None and not self._closed.is_set():
                self._listener = threading.Thread(target=self._keep_listening, name="shared-orders", daemon=True)
                self._listener.start()

    def _keep_listening(self) -> None:
        while not self._closed.is_set():
            if not self.store.run(self._wait_for_orders, client=self._client):
                self._was_cut_off = True
                self._closed.wait(REST_SECONDS)

    def _connect(self, connection: Any) -> None:
        """Log in. Each connection after the first, which redis-py may open by itself, makes this worker forget all."""
        connection.on_connect()
        if self._was_cut_off:
            self._cursor = (0, 0)  # it may be another store now
            self._hand_on(EVERYTHING, CUT_OFF)
        self._was_cut_off = True

    def _wait_for_orders(self, redis: Any) -> bool:
        cursor, milliseconds = self._cursor, round(1000 * self.listen_seconds)
        streams = redis.xread({self.key: "{}-{}".format(*cursor)}, count=MOST_ORDERS, block=milliseconds)
        if self._cursor == cursor:  # else the connection may be new: the next question reads from its cursor
            for _, entries in streams:
                self.follow(entries)
        return True

    def close(self) -> None:
        """Stop following the orders of others."""
        self._closed.set()
        if self._listener is not None:
            self._listener.join(self.listen_seconds + self.store.operation_seconds)
        self._client.connection_pool.disconnect()
