"""The time that a run may take: in all, and for one request."""

import time

MOST_SECONDS = 120.0  # of a run, besides the removal window, which it may have to wait for
LEAST_SECONDS = 0.2


class RunBudget:
    """A deadline for all cases."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether no further case should begin."""
        return time.monotonic() >= self._end

    def at_most(self, seconds: float) -> float:
        """Return the time that a step may take which would like to have this much."""
        return max(LEAST_SECONDS, min(seconds, self._end - time.monotonic()))
