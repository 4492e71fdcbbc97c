"""A limited number of places for those who wait for ZITADEL: the bulkhead's one mechanism, used twice.

A module of its own because both the cache (all requests that wait for ZITADEL, whatever for) and the protection
(introspections under way) are limited by it, and because its races deserve tests of their own.

``threading.Semaphore`` does not do: a newcomer may overtake those who wait, who then wait in vain; it cannot tell a
queue that moves from one that stands still; and it cannot forget a place whose holder is lost.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class _Waiter:
    __slots__ = ("generation", "given")

    def __init__(self) -> None:
        self.given = threading.Event()
        self.generation: int | None = None


class Bulkhead:
    """At most ``most`` places. Who finds none waits ``wait_seconds``, in turn, and is then refused.

    When no place has been given back for ``wait_seconds``, nobody begins to wait: everyone is refused at once. So a
    queue in front of something that hangs costs its threads for a moment, and not for as long as it hangs.
    """

    def __init__(self, most: int, *, wait_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._generation = 0
        self._moved_at = clock()
        self._queue: deque[_Waiter] = deque()  # not empty only while all places are taken

    def acquire(self) -> int | None:
        """A place, to be handed to ``release`` in the end, or ``None``: refused."""
        with self._lock:
            if self._taken < self.most:
                self._taken += 1
                self._moved_at = self._clock()
                return self._generation
            if self._clock() - self._moved_at >= self._wait_seconds:
                return None
            waiter = _Waiter()
            self._queue.append(waiter)
        try:
            waiter.given.wait(self._wait_seconds)
        except BaseException:
            self._give_up(waiter)
            raise
        with self._lock:
            if waiter.generation is None:
                self._queue.remove(waiter)
            return waiter.generation

    def release(self, place: int) -> None:
        """Give a place to the first who waits, or back to all. One from before ``renew`` is of no account."""
        with self._lock:
            if place != self._generation:
                return
            self._moved_at = self._clock()
            self._taken -= 1
            self._serve_queue()

    def renew(self) -> None:
        """Forget all who hold a place: the holders are lost, and new places stand free."""
        with self._lock:
            self._generation += 1
            self._taken = 0
            self._moved_at = self._clock()
            self._serve_queue()

    def seconds_still(self) -> float:
        """For how long all places have been taken without one being given back; 0 while one is free."""
        with self._lock:
            return self._clock() - self._moved_at if self._taken >= self.most else 0.0

    def _serve_queue(self) -> None:
        while self._queue and self._taken < self.most:
            waiter = self._queue.popleft()
            self._taken += 1
            waiter.generation = self._generation
            waiter.given.set()

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the queue without using what may have been given at that very moment."""
        with self._lock:
            if waiter.generation is None:
                self._queue.remove(waiter)
                return
        self.release(waiter.generation)
