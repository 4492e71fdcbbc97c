"""When not to ask ZITADEL: the breaker. Failures in a row open it, and so does one refusal of the client credentials.

Why not a library (pybreaker, circuitbreaker): there, a probe that hangs delays the return of service for its whole
timeout. Here a new probe starts every half second, and the first answer to any call closes the breaker. And a failure
counts only if no answer has come since its call began: calls that were lost while ZITADEL hung end long after it is
back. Refused credentials are tried once per second, since each trial costs ZITADEL much: only an answer to a call that
began after the refusal ends that.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from zdemo.errors import CredentialsRefused
from zdemo.guard.instruments import Counters, running_clock

FAILURES_THAT_OPEN = 5  # in a row: one lost connection or a rolling restart is not an outage
PROBE_SECONDS = 0.5  # so that service resumes within a second of ZITADEL's return
MOST_PROBES = 20  # under way at once, when each hangs for its full timeout
REFUSED_PROBE_SECONDS = 1.0


class BreakerState(IntEnum):
    """The state of a breaker; it is half open while a probe is in progress."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, eq=False, slots=True)
class Permit:
    """Permission to ask ZITADEL once; hand it back to ``answered`` or ``failed``."""

    answers_before: int
    is_probe: bool


@dataclass(eq=False, kw_only=True)
class Breaker:
    """Opens after ``FAILURES_THAT_OPEN`` failures without an answer in between, or by a ``refusal``. Thread-safe.

    A probe takes up to ``timeout_seconds``, or never returns. The ``gauge`` of ``counters`` shows outages alone.
    """

    timeout_seconds: float
    counters: Counters = field(default_factory=Counters)
    gauge: Literal["breaker_state", "shared_breaker"] = "breaker_state"
    clock: Callable[[], float] = running_clock

    def __post_init__(self) -> None:
        self._hung_probe_seconds = max(PROBE_SECONDS, self.timeout_seconds / MOST_PROBES)
        self._lock = threading.Lock()
        self.refusal: CredentialsRefused | None = None  # why it is open, if ZITADEL answers
        self._refused_at = 0  # the number of answers before the refusal
        self._open = False
        self._answers = 0
        self._failures = 0
        self._probes: set[Permit] = set()
        self._latest_probe: Permit | None = None
        self._probe_at = 0.0  # when the latest probe started, or the breaker opened

    def admit(self, *, may_probe: bool = True) -> Permit | None:
        """Return a permit, for a probe if the breaker is open, one is due and the caller may; ``None``: not now."""
        with self._lock:
            if not self._open:
                return Permit(self._answers, is_probe=False)
            now, seconds = self.clock(), PROBE_SECONDS
            if self.refusal:
                seconds = REFUSED_PROBE_SECONDS
            elif self._latest_probe in self._probes:
                seconds = self._hung_probe_seconds
            if not may_probe or now < self._probe_at + seconds:
                return None
            probe = self._latest_probe = Permit(self._answers, is_probe=True)
            self._probe_at = now
            self._probes.add(probe)
            self._publish()
            return probe

    def answered(self, permit: Permit) -> bool:
        """Record that ZITADEL answered; return whether this ended an outage."""
        with self._lock:
            ends = self._open and self.refusal is None
            self._open = self._open and not ends
            self._answers += 1
            self._failures = 0
            self._probes.discard(permit)
            self._publish()
            return ends

    def refused(self, permit: Permit, refusal: CredentialsRefused) -> None:
        """Record that an answer refused the credentials. A call that began before a refusal does not renew it."""
        with self._lock:
            if self.refusal is None or permit.answers_before >= self._refused_at:
                self._open_at(self.clock())
                self.refusal, self._refused_at = refusal.copy(), self._answers
                self._publish()

    def not_refused(self, permit: Permit) -> bool:
        """Record that an answer did not refuse the credentials; return whether this ended a refusal."""
        with self._lock:
            return self._end_refusal(permit)

    def failed(self, permit: Permit) -> bool:
        """Record that ZITADEL did not answer, or said that it cannot; return whether this opened the breaker."""
        with self._lock:
            self._probes.discard(permit)
            self._end_refusal(permit)
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

    def _end_refusal(self, permit: Permit) -> bool:
        ends = self.refusal is not None and permit.answers_before >= self._refused_at
        if ends:
            self.refusal, self._open = None, False
        return ends

    def _open_at(self, moment: float) -> None:
        self._open, self.refusal = True, None
        self._failures = 0
        self._probes.clear()  # probes of a refusal that found no slot never end
        self._latest_probe = None
        self._probe_at = moment

    def _publish(self) -> None:
        open_state = BreakerState.HALF_OPEN if self._probes else BreakerState.OPEN
        with self.counters.lock:
            setattr(self.counters, self.gauge, open_state if self._open and not self.refusal else BreakerState.CLOSED)
