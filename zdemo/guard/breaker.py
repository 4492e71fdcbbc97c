"""When not to ask ZITADEL: the breaker, and the pause after refused client credentials.

Why not a library (pybreaker, circuitbreaker): there, a probe that hangs delays the return of service for its whole
timeout. Here a new probe starts every half second, and the first answer to any call closes the breaker. And a failure
counts only if no answer has come since its call began: calls that were lost while ZITADEL hung end long after it is
back.
"""

import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from enum import IntEnum
from typing import Literal

from zdemo.errors import CredentialsRefused
from zdemo.guard.instruments import Counters, running_clock

FAILURES_THAT_OPEN = 5  # in a row: one lost connection or a rolling restart is not an outage
PROBE_SECONDS = 0.5  # so that service resumes within a second of ZITADEL's return
MOST_PROBES = 20  # under way at once, when each hangs for its full timeout
PAUSE_SECONDS = 1.0


class BreakerState(IntEnum):
    """Half open: while a probe is under way."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, eq=False, slots=True)
class Permit:
    """Permission to ask ZITADEL once; hand it back to ``answered`` or ``failed``."""

    answers_before: int
    is_probe: bool


@dataclass(eq=False)
class Breaker:
    """Opens after ``FAILURES_THAT_OPEN`` failures without an answer in between. Thread-safe.

    A probe takes up to ``timeout_seconds``. The state is published in the ``gauge`` of ``counters``.
    """

    timeout_seconds: float
    _: KW_ONLY
    counters: Counters = field(default_factory=Counters)
    gauge: Literal["breaker_state", "shared_breaker"] = "breaker_state"
    clock: Callable[[], float] = running_clock

    def __post_init__(self) -> None:
        self._hung_probe_seconds = max(PROBE_SECONDS, self.timeout_seconds / MOST_PROBES)
        self._lock = threading.Lock()
        self._open = False
        self._answers = 0
        self._failures = 0
        self._probes: set[Permit] = set()
        self._latest_probe: Permit | None = None
        self._probe_at = 0.0  # when the latest probe started, or the breaker opened

    def admit(self) -> Permit | None:
        """Return a permit, for a probe if the breaker is open and one is due; ``None`` means not now."""
        with self._lock:
            if not self._open:
                return Permit(self._answers, is_probe=False)
            now = self.clock()
            hangs = self._latest_probe in self._probes
            if now < self._probe_at + (self._hung_probe_seconds if hangs else PROBE_SECONDS):
                return None
            probe = self._latest_probe = Permit(self._answers, is_probe=True)
            self._probe_at = now
            self._probes.add(probe)
            self._publish()
            return probe

    def admit_if_closed(self) -> Permit | None:
        """Return a permit, but never for a probe: for a caller that has waited since it was admitted."""
        with self._lock:
            return None if self._open else Permit(self._answers, is_probe=False)

    def answered(self, permit: Permit) -> bool:
        """Record that ZITADEL answered; return whether this closed the breaker."""
        with self._lock:
            closes, self._open = self._open, False
            self._answers += 1
            self._failures = 0
            self._probes.discard(permit)
            self._publish()
            return closes

    def failed(self, permit: Permit) -> bool:
        """Record that ZITADEL did not answer, or said that it cannot; return whether this opened the breaker."""
        with self._lock:
            self._probes.discard(permit)
            if not self._open and permit.answers_before == self._answers:
                self._failures += 1
            opens = self._failures >= FAILURES_THAT_OPEN
            if opens:
                self._open_at(self.clock())
            self._publish()
            return opens

    def stalled(self) -> bool:
        """Record that no call ends; return whether this opened the breaker. A probe is due at once."""
        with self._lock:
            opens = not self._open
            if opens:
                self._open_at(self.clock() - PROBE_SECONDS)
            self._publish()
            return opens

    def _open_at(self, moment: float) -> None:
        self._open = True
        self._failures = 0
        self._latest_probe = None
        self._probe_at = moment

    def _publish(self) -> None:
        open_state = BreakerState.HALF_OPEN if self._probes else BreakerState.OPEN
        with self.counters.lock:
            setattr(self.counters, self.gauge, open_state if self._open else BreakerState.CLOSED)


class CredentialsPause:
    """Keeps refused client credentials from being tried more than once per second: they cost ZITADEL much. Thread-safe.

    During the pause callers get the refusal without a request; after it one caller asks, and decides for all.
    """

    def __init__(self, *, clock: Callable[[], float] = running_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._refusal: CredentialsRefused | None = None
        self._announced = False
        self._until = 0.0

    def admit(self) -> bool:
        """Return whether this caller decides for all. Raises CredentialsRefused if it is too early to ask again."""
        with self._lock:
            if self._refusal is None:
                return False
            now = self._clock()
            if now < self._until:
                raise self._refusal.copy()
            self._until = now + PAUSE_SECONDS
            return True

    def refused(self, refusal: CredentialsRefused, *, decides: bool) -> None:
        """Record a refusal. Only the first one and a deciding one extend the pause."""
        with self._lock:
            if self._refusal is None or decides:
                self._refusal = refusal.copy()
                self._until = self._clock() + PAUSE_SECONDS
            self._announced = True

    def accepted(self, *, decides: bool) -> bool:
        """Record that ZITADEL accepted the credentials; return whether this ends a refusal that had been announced."""
        with self._lock:
            if self._refusal is not None and not decides:
                return False  # asked before the refusal came
            ends, self._announced = self._announced, False
            self._refusal = None
            return ends

    def unknown(self, *, decides: bool) -> None:
        """Record an outcome that says nothing about the credentials: the next caller must not get an old refusal."""
        with self._lock:
            if decides:
                self._refusal = None
