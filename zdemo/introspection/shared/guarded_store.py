"""The store behind a breaker: failures are counted, logged once per minute, and never become an error of a request."""

import logging
from collections.abc import Callable
from typing import TypeVar

from zdemo.introspection.breaker import Breaker
from zdemo.introspection.clock import running_clock
from zdemo.introspection.counters import Counters
from zdemo.introspection.rate_limited_log import RateLimitedLog
from zdemo.introspection.shared.link import StoreFailed, StoreFault
from zdemo.introspection.shared.redis_store import RedisStore
from zdemo.introspection.shared.state import OF_WRITES, SharedState
from zdemo.processes.forks import renewed_after_fork

T = TypeVar("T")

log = logging.getLogger(__name__)


class GuardedStore:
    """Runs operations on a store while it works. Thread-safe. ``shown`` is its address without a password.

    An operation takes at most ``operation_seconds``.
    """

    @renewed_after_fork
    def __init__(
        self,
        store: RedisStore,
        *,
        shown: str,
        operation_seconds: float,
        counters: Counters | None = None,
        clock: Callable[[], float] = running_clock,
    ) -> None:
        self.counters = counters or Counters()
        self.operation_seconds = operation_seconds
        self._store = store
        self._shown = shown
        self._breaker = Breaker(
            timeout_seconds=operation_seconds, counters=self.counters, gauge="shared_breaker", clock=clock
        )
        self._log = RateLimitedLog(log)
        self._fault: StoreFault | None = None
        self._is_set_back = False

    @property
    def state(self) -> SharedState:
        """Whether the store works; if not, why, and what to do."""
        if self._fault is not None:
            return SharedState.of(self._fault, self._shown)
        return SharedState.set_back(self._shown) if self._is_set_back else SharedState()

    def run(self, operation: Callable[[RedisStore], T], *, writes: bool = False) -> T | None:
        """Run an operation, if the breaker allows; ``None`` if it does not, or if the store fails."""
        permit = self._breaker.admit()
        if permit is None:
            return None
        try:
            result = operation(self._store)
        except StoreFailed as failed:
            self._breaker.failed(permit)
            self.count("shared_failures")
            self._fault = failed.fault
            self._tell(self.state)
            return None
        except BaseException:
            self._breaker.failed(permit)
            raise
        self._breaker.answered(permit)
        if self._fault is not None and (writes or self._fault not in OF_WRITES):
            self._fault = None
            self._log.warning("answers are shared again", f"the store at {self._shown} works")
        return result

    def tried(self, operation: Callable[[RedisStore], object]) -> SharedState:
        """Run an operation whatever the breaker says, and return how it went, which is neither counted nor logged."""
        try:
            operation(self._store)
        except StoreFailed as failed:
            return SharedState.of(failed.fault, self._shown)
        return SharedState()

    def note_clock(self, *, is_set_back: bool) -> None:
        """Note whether the store's clock shows less than before."""
        self._is_set_back = is_set_back
        if is_set_back:
            self._tell(SharedState.set_back(self._shown))

    def _tell(self, state: SharedState) -> None:
        self._log.error(f"answers are not shared: {state.reason}", state.hint)

    def count(self, name: str) -> None:
        """Count one more of what the counters call so."""
        with self.counters.lock:
            setattr(self.counters, name, getattr(self.counters, name) + 1)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._store.close()
