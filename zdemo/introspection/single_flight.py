"""One introspection under way, and its outcome for all threads that wait for it.

The cache uses it for requests that join an introspection, the protection for the caller of a probe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.introspection.model import Introspection


class Flight:
    """An introspection under way. ``sent_at`` is on the monotonic clock, ``sent_at_wall`` in epoch seconds."""

    def __init__(self, *, sent_at: float = 0.0, sent_at_wall: float = 0.0) -> None:
        self.sent_at = sent_at
        self.sent_at_wall = sent_at_wall
        self._landed = threading.Event()
        self._introspection: Introspection | None = None
        self._error: IntrospectionError | None = None

    def lead(
        self, ask: Callable[[], Introspection], at_end: Callable[[Introspection | None], None] | None = None
    ) -> Introspection:
        """Ask, and give the outcome to all that wait; they are woken whatever happens.

        ``at_end`` is called before that, with the answer or with ``None``: it is where the flight is forgotten.
        """
        introspection = None
        try:
            introspection = self._introspection = ask()
        except IntrospectionError as error:
            self._error = error.copy()  # without the traceback, whose frames hold the token
            raise
        finally:
            try:
                if at_end is not None:
                    at_end(introspection)
            finally:
                self._landed.set()
        return introspection

    def outcome(self, wait_seconds: float) -> Introspection:
        """Wait for the outcome. Raises the leader's error, or ZitadelUnavailable if there is no outcome."""
        if not self._landed.wait(wait_seconds):
            raise ZitadelUnavailable("ZITADEL takes too long to answer", hint="check ZITADEL, then try again")
        if self._introspection is not None:
            return self._introspection
        if self._error is not None:
            raise self._error.copy() from self._error
        raise ZitadelUnavailable("the introspection that this request waited for was interrupted", hint="try again")
