"""When ZITADEL is left alone: the breaker, and the pause after refused client credentials.

Two small state machines without threads or sockets of their own; the clock is an argument.

Why not a library: the usual ones (pybreaker, circuitbreaker) let the first caller after the open time be the probe
and wait for it. A probe that hangs for the whole timeout then holds up the return of service for as long, and a
shorter timeout would keep a ZITADEL that is merely slow locked out for good (hanging up in mid-query also costs
ZITADEL a database connection). Here the next probe does not wait for a hung one: one is begun every half second,
each may take its full time, and the first answer of any of them, or of a call from before, closes the breaker.

The second thing they lack: a failure counts only when no answer has come since its call began. Calls that were lost
while ZITADEL hung end in timeouts long after it is back, and must not open the breaker again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import IntEnum

from zdemo.errors import CredentialsRefused
from zdemo.introspection.counters import Counters
from zdemo.introspection.single_flight import same_again

FAILURES_THAT_OPEN = 5  # in a row: one lost connection or a rolling restart is no outage
PROBE_SECONDS = 0.5  # so that service resumes within a second of ZITADEL's return
MOST_PROBES = 20  # under way at once, when each hangs for its full timeout
PAUSE_SECONDS = 1.0


class BreakerState(IntEnum):
    """Half open: a probe is under way."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Permit:
    """Leave to ask ZITADEL once; to be returned with ``answered`` or ``failed``."""

    __slots__ = ("answers_before", "is_probe")

    def __init__(self, answers_before: int, *, is_probe: bool) -> None:
        self.answers_before = answers_before
        self.is_probe = is_probe


class Breaker:
    """Opens after ``FAILURES_THAT_OPEN`` failures without an answer between them. Thread-safe.

    ``timeout_seconds`` is how long a probe may take: when it is so long that probes which hang would pile up, they
    are begun less often.
    """

    def __init__(
        self, *, timeout_seconds: float, counters: Counters | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hung_probe_seconds = max(PROBE_SECONDS, timeout_seconds / MOST_PROBES)
        self._tally = counters or Counters()
        self._clock = clock
        self._lock = threading.Lock()
        self._open = False
        self._answers = 0
        self._failures = 0
        self._probes: set[Permit] = set()
        self._latest_probe: Permit | None = None
        self._probe_at = 0.0  # when the latest probe was begun, or the breaker opened

    @property
    def state(self) -> BreakerState:
        """The state at this moment."""
        with self._lock:
            return self._state()

    def admit(self) -> Permit | None:
        """Leave to ask, as a probe when the breaker is open and one is due; ``None``: not now."""
        with self._lock:
            if not self._open:
                return self._ticket()
            now = self._clock()
            hangs = self._latest_probe in self._probes
            if now < self._probe_at + (self._hung_probe_seconds if hangs else PROBE_SECONDS):
                return None
            probe = self._latest_probe = self._ticket(is_probe=True)
            self._probe_at = now
            self._probes.add(probe)
            self._show()
            return probe

    def admit_if_closed(self) -> Permit | None:
        """Leave to ask, but never as a probe: for who has waited since it was admitted."""
        with self._lock:
            return None if self._open else self._ticket()

    def answered(self, ticket: Permit) -> bool:
        """ZITADEL answered. Whether this closed the breaker."""
        with self._lock:
            closes, self._open = self._open, False
            self._answers += 1
            self._failures = 0
            self._probes.discard(ticket)
            self._show()
            return closes

    def failed(self, ticket: Permit) -> bool:
        """ZITADEL did not answer, or said that it cannot. Whether this opened the breaker."""
        with self._lock:
            self._probes.discard(ticket)
            opens = False
            if not self._open and ticket.answers_before == self._answers:
                self._failures += 1
                opens = self._failures >= FAILURES_THAT_OPEN
                if opens:
                    self._open_at(self._clock())
            self._show()
            return opens

    def stalled(self) -> bool:
        """All calls that may be under way are, and none ends: a probe is due at once. Whether this opened the breaker.

        Without it, a ZITADEL that hung for a moment would be found again only when the lost calls have timed out.
        """
        with self._lock:
            opens = not self._open
            if opens:
                self._open_at(self._clock() - PROBE_SECONDS)
            self._show()
            return opens

    def _ticket(self, *, is_probe: bool = False) -> Permit:
        return Permit(self._answers, is_probe=is_probe)

    def _open_at(self, moment: float) -> None:
        self._open = True
        self._failures = 0
        self._latest_probe = None
        self._probe_at = moment

    def _state(self) -> BreakerState:
        if not self._open:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if self._probes else BreakerState.OPEN

    def _show(self) -> None:
        with self._tally.lock:
            self._tally.breaker_state = int(self._state())


class CredentialsPause:
    """Keeps refused client credentials from being tried more than once a second. Thread-safe.

    A wrong pair costs ZITADEL about five times what a right one costs. During the pause callers get the refusal
    without a question; when it is over one caller asks, and decides for all.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refusal: CredentialsRefused | None = None
        self._announced = False
        self._until = 0.0

    def admit(self) -> bool:
        """Whether this caller is the one who decides; ``False`` as well when there is nothing to decide.

        Raises:
            CredentialsRefused: it is too early to ask again.
        """
        with self._lock:
            if self._refusal is None:
                return False
            now = self._clock()
            if now < self._until:
                raise same_again(self._refusal)
            self._until = now + PAUSE_SECONDS
            return True

    def refused(self, refusal: CredentialsRefused, *, decides: bool) -> None:
        """ZITADEL refused. Only the first refusal and a deciding one make the pause last."""
        with self._lock:
            if self._refusal is None or decides:
                self._refusal = CredentialsRefused(refusal.message, hint=refusal.hint, answer=refusal.answer)
                self._until = self._clock() + PAUSE_SECONDS
            self._announced = True

    def accepted(self, *, decides: bool) -> bool:
        """ZITADEL answered what was asked. Whether this ends a refusal that had been announced."""
        with self._lock:
            if self._refusal is not None and not decides:
                return False  # asked before the refusal came
            ends, self._announced = self._announced, False
            self._refusal = None
            return ends

    def unknown(self, *, decides: bool) -> None:
        """No word about the credentials came: who asks next shall meet what there is now, not an old refusal."""
        with self._lock:
            if decides:
                self._refusal = None
