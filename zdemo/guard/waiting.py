"""What requests wait for: a slot of the bulkhead, their turn, or a flight, which is another request's introspection.

Callers whose token is known come first: however many unknown tokens a client sends, it cannot keep them from a slot.
``threading.Semaphore`` neither keeps the order nor limits how many wait, and cannot forget a slot whose holder is lost.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.guard.instruments import running_clock
from zdemo.serving.forks import renewed_after_fork
from zdemo.zitadel.introspection_answer import Introspection, Source


@dataclass(eq=False)
class _Waiter:
    # it has left the queue: with a slot, or because another caller came first
    called: threading.Event = field(default_factory=threading.Event)
    generation: int | None = None


@dataclass(eq=False, kw_only=True)
class Bulkhead:
    """At most ``size`` slots, the last ``reserve`` of them for callers with a known token. Thread-safe.

    ``waiters`` is how many callers wait for a slot. One more is refused at once. But if its token is known, the last
    caller with an unknown token has to leave for it.

    A caller with a known token waits up to ``wait_seconds``, one with an unknown token for a part of that, which grows
    with the queue, so that callers that came at once and in vain leave one by one.
    """

    size: int
    waiters: int
    wait_seconds: float
    shortest_wait_seconds: float | None = None
    reserve: int = 0
    clock: Callable[[], float] = running_clock

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._limits = {True: self.size, False: self.size - self.reserve}  # by whether the token is known
        self._lock = threading.Lock()
        self._taken = 0
        self._generation = 0
        self._moved_at = self.clock()
        self._queues: dict[bool, deque[_Waiter]] = {True: deque(), False: deque()}  # likewise

    def acquire(self, *, known: bool = False) -> int | None:
        """Return a slot, to be handed to ``release`` in the end, or ``None`` if refused."""
        with self._lock:
            if self._taken < self._limits[known]:
                self._taken += 1
                self._moved_at = self.clock()
                return self._generation
            if self.waiting >= self.waiters:
                if not (known and self._queues[False]):
                    return None
                self._queues[False].pop().called.set()  # the last one with an unknown token has to leave
            waiter = _Waiter()
            self._queues[known].append(waiter)
            wait_seconds = self.wait_seconds
            if not known and self.shortest_wait_seconds is not None:
                wait_seconds = max(self.shortest_wait_seconds, wait_seconds * self.waiting / self.waiters)
        interrupted = True
        try:
            waiter.called.wait(wait_seconds)
            interrupted = False
        finally:
            with self._lock:
                if not waiter.called.is_set():
                    self._queues[known].remove(waiter)
            if interrupted and waiter.generation is not None:  # granted at that very moment
                self.release(waiter.generation)
        return waiter.generation

    @property
    def waiting(self) -> int:
        """How many callers wait for a slot."""
        return sum(len(queue) for queue in self._queues.values())

    def release(self, slot: int) -> None:
        """Give a slot to the first waiting caller, or back to all. One from before ``renew`` is ignored."""
        with self._lock:
            if slot != self._generation:
                return
            self._moved_at = self.clock()
            self._taken -= 1
            self._grant()

    def renew(self) -> None:
        """Free all slots, because their holders are lost."""
        with self._lock:
            self._generation += 1
            self._taken = 0
            self._moved_at = self.clock()
            self._grant()

    def seconds_stalled(self) -> float:
        """Return for how long a caller with an unknown token has found no slot, and none was released; 0 if one is."""
        with self._lock:
            return self.clock() - self._moved_at if self._taken >= self._limits[False] else 0.0

    def _grant(self) -> None:
        for known, queue in self._queues.items():  # known ones first
            while queue and self._taken < self._limits[known]:
                waiter = queue.popleft()
                self._taken += 1
                waiter.generation = self._generation
                waiter.called.set()


@dataclass(eq=False, kw_only=True)
class Pacer:
    """Makes callers take turns, at most ``per_second``. Nobody waits while fewer come. Thread-safe.

    Clients that are refused at once and ask again at once would take the whole processor.
    """

    per_second: float
    clock: Callable[[], float] = running_clock
    sleep: Callable[[float], None] = time.sleep

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._next_turn = self.clock()

    def wait(self) -> None:
        """Wait for this caller's turn."""
        with self._lock:
            now = self.clock()
            turn = max(self._next_turn, now)
            self._next_turn = turn + 1 / self.per_second
        if turn > now:
            self.sleep(turn - now)


class Flight:
    """An introspection under way, and its outcome for all threads that wait; ``sent_at_wall`` is in epoch seconds."""

    def __init__(self, *, sent_at: float = 0.0, sent_at_wall: float = 0.0) -> None:
        self.sent_at = sent_at
        self.sent_at_wall = sent_at_wall
        self._landed = threading.Event()
        self._introspection: Introspection | None = None
        self._error: IntrospectionError | None = None

    def lead(
        self, ask: Callable[[], Introspection], at_end: Callable[[Introspection | None], None] = lambda _answer: None
    ) -> Introspection:
        """Ask, call ``at_end`` with the answer or with ``None``, and wake all that wait, whatever happens."""
        introspection = None
        try:
            introspection = self._introspection = ask()
        except IntrospectionError as error:
            self._error = error.copy()  # without the traceback, whose frames hold the token
            raise
        finally:
            try:
                at_end(introspection)
            finally:
                self._landed.set()
        return introspection

    def outcome(self, wait_seconds: float) -> Introspection:
        """Wait for the outcome. Raises the leader's error, or ZitadelUnavailable if there is no outcome."""
        if not self._landed.wait(wait_seconds):
            raise ZitadelUnavailable("ZITADEL takes too long to answer", hint="check ZITADEL, then try again")
        if self._introspection is not None:
            return self._introspection.as_from(Source.JOINED)
        if self._error is not None:
            raise self._error.copy() from self._error
        raise ZitadelUnavailable("the introspection that this request waited for was interrupted", hint="try again")
