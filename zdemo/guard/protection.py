"""The introspector that protects: this API from a ZITADEL that hangs, and ZITADEL from this API.

Each introspection passes the breaker and the bulkhead, which limits the number of open calls. The breaker comes first,
since a probe of an outage must pass a bulkhead that is full of lost calls, and again after it, since the state may have
changed while a caller waited. When an outage ends, the bulkhead forgets the calls from before. An unusable
answer (502: HTML, a wrong host, a redirect) counts as an answer: it came promptly, and an open breaker would hide
behind a 503 what the operator has to correct.
"""

import logging
import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field

from zdemo.errors import CredentialsRefused, IntrospectionError, UnusableAnswer, ZitadelUnavailable
from zdemo.guard.breaker import Breaker, Permit
from zdemo.guard.instruments import Counters, running_clock
from zdemo.guard.waiting import Bulkhead, Flight
from zdemo.serving.forks import renewed_after_fork
from zdemo.zitadel.introspection_answer import Introspection, Introspector
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.introspection_response import names_our_client

PROBE_PATIENCE_SECONDS = 0.25  # how long the caller whose token a probe carries waits for it
SHORTEST_QUESTION_SECONDS = 0.05  # for one whose caller has waited for nearly all of its time
STALL_SECONDS = 0.5  # without an answer while all flights are taken; a busy ZITADEL answers one every few milliseconds

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class ProtectedIntrospector:
    """Asks ``inner`` as often at once as ``flights`` allows, and not at all while ZITADEL is failing. Thread-safe.

    ``timeout_seconds`` is the most that ``inner`` takes.
    """

    inner: Introspector
    flights: Bulkhead
    timeout_seconds: float
    counters: Counters = field(default_factory=Counters)
    clock: Callable[[], float] = running_clock

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._breaker = Breaker(timeout_seconds=self.timeout_seconds, counters=self.counters, clock=self.clock)

    def introspect(self, token: str, *, known: bool, deadline: float | None = None) -> Introspection:
        """Ask, unless a guard refuses; ``deadline`` is on the running clock.

        Raises ZitadelUnavailable or CredentialsRefused if the breaker is open, the first also if all flights are taken.
        """
        permit = self._breaker.admit()
        if permit is None:
            raise self._why_open()
        if permit.is_probe and not self._breaker.refusal:
            return self._probe(token, permit, deadline)
        slot = self.flights.acquire(known=known)
        if slot is None:
            self.counters.count("refused")
            if self.flights.seconds_stalled() >= STALL_SECONDS and self._breaker.stalled():
                log.warning("breaker opened: %d introspections hang; probing ZITADEL", self.flights.size)
            hint = "try again; check ZITADEL if this persists"
            raise ZitadelUnavailable("too many introspections are in progress", hint=hint)
        try:
            permit = permit if permit.is_probe else self._breaker.admit(may_probe=False)  # as of now, after the wait
            if permit is None:
                raise self._why_open()
            return self._ask(token, permit, deadline)
        finally:
            self.flights.release(slot)

    def _ask(self, token: str, permit: Permit, deadline: float | None) -> Introspection:
        with self.counters.lock:
            self.counters.introspections += 1
            self.counters.in_flight += 1
        try:
            if deadline is not None and isinstance(self.inner, IntrospectionClient):
                left = max(SHORTEST_QUESTION_SECONDS, deadline - self.clock())
                introspection = self.inner.introspect(token, most_seconds=left)
            else:
                introspection = self.inner.introspect(token)
        except (CredentialsRefused, UnusableAnswer) as refusal:
            self._answered(permit)
            # Would every caller get this? A filter that refuses one token must not get them all refused.
            if isinstance(refusal, CredentialsRefused) and (not refusal.answer or names_our_client(refusal.answer)):
                self._breaker.refused(permit, refusal)
            else:
                self._breaker.not_refused(permit)
            raise
        except BaseException:
            if self._breaker.failed(permit):
                log.warning("breaker opened: ZITADEL failed repeatedly; probing it every half second")
            raise
        finally:
            with self.counters.lock:
                self.counters.in_flight -= 1
        self._answered(permit)
        if self._breaker.not_refused(permit):
            log.warning("ZITADEL accepts the API application's credentials again")
        return introspection

    def _probe(self, token: str, permit: Permit, deadline: float | None) -> Introspection:
        probe = Flight()

        def run() -> None:
            try:
                probe.lead(lambda: self._ask(token, permit, deadline))
            except Exception as error:  # the flight hands the outcome on
                log.debug("a probe failed: %s", type(error).__name__)

        try:
            # in the caller's context, so that code that watches the caller sees the probe
            threading.Thread(target=copy_context().run, args=(run,), name="probe", daemon=True).start()
        except RuntimeError:  # no thread can be started
            self._breaker.failed(permit)
            raise self._why_open() from None
        return probe.outcome(PROBE_PATIENCE_SECONDS)

    def _answered(self, permit: Permit) -> None:
        if self._breaker.answered(permit):
            self.flights.renew()
            log.warning("ZITADEL answers again")

    def _why_open(self) -> IntrospectionError:
        if refusal := self._breaker.refusal:
            return refusal.copy()
        hint = "check ZITADEL; service resumes by itself"
        return ZitadelUnavailable("ZITADEL failed repeatedly; it is not asked for a moment", hint=hint)
