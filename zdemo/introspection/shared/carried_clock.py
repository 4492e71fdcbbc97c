"""Another machine's clock, carried forward by this one's running clock, which nobody can set."""

import math
import threading

DRIFT = 0.001  # of the time: no two clocks that work drift apart faster


class CarriedClock:
    """The least that another clock shows, from what it has shown before. Thread-safe.

    So a clock that is set back does not make answers younger: it counts as if it had gone on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown = -math.inf
        self._seen_at = 0.0

    def least(self, now: float) -> float:
        """Return the least that the clock shows at ``now`` (running clock); minus infinity if it was never seen."""
        shown, seen_at = self._shown, self._seen_at
        return shown + (now - seen_at) * (1 - DRIFT)

    def follow(self, shown: float, seen_at: float) -> None:
        """Note what the clock had shown by ``seen_at``; less than it must show by now counts for nothing."""
        with self._lock:
            if shown > self.least(seen_at):
                self._shown, self._seen_at = shown, seen_at

    def set(self, shown: float, seen_at: float) -> None:
        """Note what the clock had shown by ``seen_at``, and trust it more than all before."""
        with self._lock:
            self._shown, self._seen_at = shown, seen_at
