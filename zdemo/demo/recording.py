"""What the API and ZITADEL said to each other, for those who want to see it."""

import threading
from dataclasses import dataclass

from zdemo.config.masking import masked
from zdemo.errors import IntrospectionError
from zdemo.introspection.model import Introspection, Introspector


@dataclass(frozen=True, kw_only=True)
class IntrospectionExchange:
    """A question of the API to ZITADEL, and its answer: an introspection, or why there is none."""

    token: str  # masked
    outcome: Introspection | IntrospectionError


class RecordingIntrospector:
    """An introspector that keeps what the one that is ``current`` answers. Thread-safe."""

    def __init__(self, current: Introspector) -> None:
        self.current = current
        self._lock = threading.Lock()
        self._exchanges: list[IntrospectionExchange] = []

    def introspect(self, token: str) -> Introspection:
        """Ask the current one."""
        outcome: Introspection | IntrospectionError
        try:
            outcome = self.current.introspect(token)
        except IntrospectionError as error:
            self._keep(token, error.copy())
            raise
        self._keep(token, outcome)
        return outcome

    def _keep(self, token: str, outcome: Introspection | IntrospectionError) -> None:
        with self._lock:
            self._exchanges.append(IntrospectionExchange(token=masked(token), outcome=outcome))

    def taken(self) -> tuple[IntrospectionExchange, ...]:
        """Return what was said since the last time, and forget it."""
        with self._lock:
            exchanges, self._exchanges = tuple(self._exchanges), []
        return exchanges
