"""What all introspectors share: a clock that nobody can set, counters that metrics can read, and a log for outages."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from zdemo.serving.forks import renewed_after_fork

REPEAT_SECONDS = 60


def _running_clock() -> Callable[[], float]:
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # the first is Linux's; the second runs on while macOS sleeps
        with suppress(AttributeError, OSError):  # a system or a sandbox may lack it
            clock = partial(time.clock_gettime, getattr(time, name))
            clock()
            return clock
    return time.monotonic


running_clock = _running_clock()
"""Return the seconds since some moment. Nobody can set this clock, and it runs on while the machine is suspended.

``time.monotonic`` stands still meanwhile on Linux and macOS, though not on Windows.
"""


class Counters:
    """Counters since the start, and three gauges; ``zdemo.server.metrics`` says what each of them counts.

    Read the attributes at any time; change them under ``lock`` only. Only ``hits`` changes without it, when warm.
    """

    @renewed_after_fork
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hits = self.misses = self.joins = self.introspections = self.refused = 0
        self.shared_hits = self.shared_misses = self.shared_rejected = self.shared_failures = 0
        self.in_flight = self.breaker_state = self.shared_breaker = 0  # the gauges

    def count(self, name: str) -> None:
        """Add one to the counter with this name."""
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
