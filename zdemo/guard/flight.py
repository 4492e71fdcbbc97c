"""One introspection that several threads wait for: requests with the same token, or the caller of a probe."""

import threading
from collections.abc import Callable

from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.zitadel.introspection_answer import Introspection, Source


class Flight:
    """An introspection under way, and its outcome for all threads that wait; ``sent_at_wall`` is in epoch seconds."""

    def __init__(self, *, sent_at: float = 0.0, sent_at_wall: float = 0.0) -> None:
        self.sent_at = sent_at
        self.sent_at_wall = sent_at_wall
        self._landed = threading.Event()
        self._introspection: Introspection | None = None
        self._error: IntrospectionError | None = None

    def lead(
        self, ask: Callable[[], Introspection], at_end: Callable[[Introspection | None], None] | None = None
    ) -> Introspection:
        """Ask, call ``at_end`` with the answer or with ``None``, and wake all that wait, whatever happens."""
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
            return self._introspection.as_from(Source.JOINED)
        if self._error is not None:
            raise self._error.copy() from self._error
        raise ZitadelUnavailable("the introspection that this request waited for was interrupted", hint="try again")
