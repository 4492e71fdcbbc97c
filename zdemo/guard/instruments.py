"""What all introspectors share: a clock that nobody can set, counters that metrics can read, and a log for outages."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from zdemo.serving.forks import renewed_after_fork

CLOCKS = ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC")  # the first is Linux's; the second runs on while macOS sleeps
REPEAT_SECONDS = 60


def _running_clock() -> Callable[[], float]:
    for name in CLOCKS:
        try:
            clock = partial(time.clock_gettime, getattr(time, name))
            clock()
        except (AttributeError, OSError):  # a system or a sandbox may lack it
            continue
        return clock
    return time.monotonic


running_clock = _running_clock()
"""Return the seconds since some moment. Nobody can set this clock, and it runs on while the machine is suspended.

``time.monotonic`` stands still meanwhile on Linux and macOS, though not on Windows.
"""


class Counters:
    """Counters since the start, and three gauges. Read the attributes at any time; change them under ``lock`` only.

    ``hits`` alone changes without it, on the warm path.
    """

    @renewed_after_fork
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hits = 0  # requests that were answered from the cache
        self.misses = 0  # requests that found no usable answer here, and asked the store or ZITADEL
        self.joins = 0  # requests that waited for the answer that another request here had asked for
        self.introspections = 0  # introspection requests that were sent to ZITADEL, probes included
        self.refused = 0  # requests that were refused because too many were waiting already
        self.in_flight = 0  # gauge: introspections under way now
        self.breaker_state = 0  # gauge: 0 closed, 1 half open, 2 open
        self.shared_hits = 0  # answers from the store that workers and machines share
        self.shared_misses = 0  # questions to the store that brought no answer, so that ZITADEL was asked
        self.shared_rejected = 0  # values in the store that were not believed
        self.shared_failures = 0  # operations in which the store failed
        self.shared_breaker = 0  # gauge: as breaker_state, of the store

    def count(self, name: str) -> None:
        """Count one more of what is called so."""
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)


class RateLimitedLog:
    """A logger that writes the same message once per minute: an outage must not cost one line per request."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def error(self, message: str, details: str, level: int = logging.ERROR) -> None:
        """Log, unless the same ``message`` was logged less than a minute ago; ``details`` may differ."""
        now = self._clock()
        recent = {text: at for text, at in self._logged_at.items() if now - at < REPEAT_SECONDS}
        if message not in recent:
            self._logged_at = recent | {message: now}
            self._logger.log(level, "%s: %s", message, details)
