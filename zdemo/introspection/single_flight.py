"""One introspection under way, and its outcome for all who wait for it.

A module of its own because the cache's requests wait for another's introspection, and the breaker's for a probe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.introspection.model import Introspection


def same_again(error: IntrospectionError) -> IntrospectionError:
    """An equal error to raise in another thread; one instance raised twice would gather the tracebacks of both."""
    twin = type(error)(error.message, hint=error.hint, answer=error.answer, failure=error.failure)
    vars(twin).update(vars(error))
    return twin


class Flight:
    """An introspection under way. ``sent_at`` is read from the monotonic clock, ``sent_at_wall`` in epoch seconds."""

    def __init__(self, *, sent_at: float = 0.0, sent_at_wall: float = 0.0) -> None:
        self.sent_at = sent_at
        self.sent_at_wall = sent_at_wall
        self._landed = threading.Event()
        self._introspection: Introspection | None = None
        self._error: IntrospectionError | None = None

    def lead(
        self, ask: Callable[[], Introspection], at_end: Callable[[Introspection | None], None] | None = None
    ) -> Introspection:
        """Ask, and let all who wait have the outcome; they are woken whatever happens.

        ``at_end`` is called before they are, with the answer or with ``None``: it is where the flight is forgotten.
        """
        introspection = None
        try:
            introspection = self._introspection = ask()
        except IntrospectionError as error:
            self._error = same_again(error)
            raise
        finally:
            try:
                if at_end is not None:
                    at_end(introspection)
            finally:
                self._landed.set()
        return introspection

    def outcome(self, wait_seconds: float) -> Introspection:
        """Wait for the outcome.

        Raises:
            IntrospectionError: the one that the leader met, or ZitadelUnavailable when it took too long or broke off.
        """
        if not self._landed.wait(wait_seconds):
            raise ZitadelUnavailable("ZITADEL takes too long to answer", hint="look at ZITADEL, then try again")
        if self._introspection is not None:
            return self._introspection
        if self._error is not None:
            raise same_again(self._error)
        raise ZitadelUnavailable("the introspection that this request waited for broke off", hint="try again")
