"""Explanations that were found, until the next change: who sends a request every second asks ZITADEL only once."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from zdemo.processes.forks import renewed_after_fork

KEPT_SECONDS = 60.0  # something else may have changed, which the page did not do
MOST = 100

Why = dict[str, Any] | None


class Explanations:
    """Why requests were refused, by what tells refusals apart. Thread-safe."""

    @renewed_after_fork
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, Why]] = {}
        self._changes = 0

    def clear(self) -> None:
        """Forget all, since something was changed; also what is being found out now."""
        with self._lock:
            self._changes += 1
            self._found.clear()

    def kept(self, key: Hashable, explain: Callable[[], Why]) -> Why:
        """Return what was found, or find it out."""
        with self._lock:
            found_at, why = self._found.get(key, (None, None))
        if found_at is None or self._clock() >= found_at + KEPT_SECONDS:
            return self.new(key, explain)
        return why

    def new(self, key: Hashable, explain: Callable[[], Why]) -> Why:
        """Find it out, and keep it."""
        began, changes = self._clock(), self._changes
        why = explain()
        with self._lock:
            if changes == self._changes:
                if len(self._found) >= MOST:
                    self._found.clear()
                self._found[key] = began, why
        return why
