"""The bulkhead: a limited number of slots for requests that wait for ZITADEL.

``threading.Semaphore`` is not enough: a newcomer may overtake waiting threads, which then wait in vain; it cannot tell
a queue that moves from one that stands still; and it cannot forget a slot whose holder is lost.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from zdemo.introspection.clock import running_clock


class _Waiter:
    __slots__ = ("generation", "granted")

    def __init__(self) -> None:
        self.granted = threading.Event()
        self.generation: int | None = None


class Bulkhead:
    """At most ``size`` slots. A caller that finds none waits up to ``wait_seconds``, in turn, and is then refused.

    If no slot has been released for ``wait_seconds``, callers are refused at once: a queue in front of something that
    hangs costs its threads for a moment, and not for as long as it hangs.
    """

    def __init__(self, size: int, *, wait_seconds: float, clock: Callable[[], float] = running_clock) -> None:
        self.size = size
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._generation = 0
        self._moved_at = clock()
        self._queue: deque[_Waiter] = deque()  # not empty only while all slots are taken

    def acquire(self) -> int | None:
        """Return a slot, to be handed to ``release`` in the end, or ``None`` if refused."""
        with self._lock:
            if self._taken < self.size:
                self._taken += 1
                self._moved_at = self._clock()
                return self._generation
            if self._clock() - self._moved_at >= self._wait_seconds:
                return None
            waiter = _Waiter()
            self._queue.append(waiter)
        try:
            waiter.granted.wait(self._wait_seconds)
        except BaseException:
            self._leave_queue(waiter)
            raise
        with self._lock:
            if waiter.generation is None:
                self._queue.remove(waiter)
            return waiter.generation

    def release(self, slot: int) -> None:
        """Give a slot to the first waiting caller, or back to all. One from before ``renew`` is ignored."""
        with self._lock:
            if slot != self._generation:
                return
            self._moved_at = self._clock()
            self._taken -= 1
            self._grant()

    def renew(self) -> None:
        """Free all slots, because their holders are lost."""
        with self._lock:
            self._generation += 1
            self._taken = 0
            self._moved_at = self._clock()
            self._grant()

    def seconds_stalled(self) -> float:
        """Return for how long all slots have been taken without a release; 0 while one is free."""
        with self._lock:
            return self._clock() - self._moved_at if self._taken >= self.size else 0.0

    def _grant(self) -> None:
        while self._queue and self._taken < self.size:
            waiter = self._queue.popleft()
            self._taken += 1
            waiter.generation = self._generation
            waiter.granted.set()

    def _leave_queue(self, waiter: _Waiter) -> None:
        """Leave without using a slot that may have been granted at that very moment."""
        with self._lock:
            if waiter.generation is None:
                self._queue.remove(waiter)
                return
        self.release(waiter.generation)
