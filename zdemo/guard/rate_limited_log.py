"""A log for what may happen at every request."""

import logging
import time
from collections.abc import Callable

REPEAT_SECONDS = 60


class RateLimitedLog:
    """A logger that writes the same message once per minute: an outage must not cost one line per request."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def error(self, message: str, details: str) -> None:
        """Log an error, unless the same ``message`` was logged less than a minute ago; ``details`` may differ."""
        self._log(logging.ERROR, message, details)

    def warning(self, message: str, details: str) -> None:
        """Do as ``error``, with a warning."""
        self._log(logging.WARNING, message, details)

    def _log(self, level: int, message: str, details: str) -> None:
        now = self._clock()
        recent = {text: at for text, at in self._logged_at.items() if now - at < REPEAT_SECONDS}
        if message not in recent:
            self._logged_at = recent | {message: now}
            self._logger.log(level, "%s: %s", message, details)
