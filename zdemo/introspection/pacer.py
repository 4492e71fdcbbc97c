"""The pacer: what would otherwise happen as often as a client likes happens at an even rate.

A client that is refused at once can ask again at once. Several hundred of them in a circle would take the whole
processor, and every other request would wait in the same line.
"""

import threading
import time
from collections.abc import Callable

from zdemo.introspection.clock import running_clock
from zdemo.processes.forks import renewed_after_fork


class Pacer:
    """Makes callers take turns, at most ``per_second``. Nobody waits while fewer come. Thread-safe."""

    @renewed_after_fork
    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = running_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_turn = clock()

    def wait(self) -> None:
        """Wait for this caller's turn."""
        with self._lock:
            now = self._clock()
            turn = max(self._next_turn, now)
            self._next_turn = turn + self._interval
        if turn > now:
            self._sleep(turn - now)
