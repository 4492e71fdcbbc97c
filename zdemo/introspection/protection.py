"""The introspector that protects: this API from a ZITADEL that hangs, and ZITADEL from this API.

Three guards around each question, in this order:

* the pause: refused client credentials are tried once a second, by one caller (502 for the others);
* the breaker: after repeated failures callers get 503 at once, and probes find out when ZITADEL is back;
* the bulkhead: so many introspections at once and no more; the others wait briefly and get 503.

The first two are asked before the bulkhead, since their refusals cost nothing and a probe must pass a bulkhead that is
full of lost calls; and again behind it, since things may have changed while a caller waited.

A probe runs in a thread of its own. The caller whose token it carries waits for it for a moment only, so that nobody
is held up by a probe that hangs; usually it gets its answer. When the breaker closes, the bulkhead forgets the calls
from before: they may hang until their timeout although ZITADEL is back. The ``Bulkhead`` in front of the cache bound
those too.

An unusable answer (502: HTML, a wrong host, a redirect) counts as an answer here. It came promptly, so there is
nothing to be protected from, and a breaker that opened would hide behind a 503 what the operator has to correct.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeGuard

from zdemo.errors import CredentialsRefused, UnusableAnswer, ZitadelUnavailable
from zdemo.introspection.breaker import Breaker, CredentialsPause, Permit
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.counters import Counters
from zdemo.introspection.model import Introspection, Introspector
from zdemo.introspection.refusals import names_our_client
from zdemo.introspection.single_flight import Flight

PROBE_PATIENCE_SECONDS = 0.25  # how long the caller whose token a probe carries waits for it
STALL_SECONDS = 0.5  # of silence with all flights taken; a ZITADEL at its limit ends one every few milliseconds

log = logging.getLogger(__name__)


class ProtectedIntrospector:
    """Asks ``inner`` at most ``flights`` times at once, and not at all while ZITADEL is out of order. Thread-safe.

    ``wait_seconds``: how long a caller waits for one of the flights. ``timeout_seconds``: how long ``inner`` takes
    at most.
    """

    def __init__(  # limits, a clock and collaborators, each given by name
        self,
        inner: Introspector,
        *,
        flights: int,
        wait_seconds: float,
        timeout_seconds: float,
        counters: Counters | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self.counters = counters or Counters()
        self._flights = Bulkhead(flights, wait_seconds=wait_seconds, clock=clock)
        self._pause = CredentialsPause(clock=clock)
        self._breaker = Breaker(timeout_seconds=timeout_seconds, counters=self.counters, clock=clock)

    def introspect(self, token: str) -> Introspection:
        """See ``Introspector``.

        Raises:
            ZitadelUnavailable: also when ZITADEL is left alone, or all flights are taken.
            CredentialsRefused: also when they were refused less than a second ago.
        """
        decides = self._pause.admit()
        ticket = self._breaker.admit()
        if ticket is None:
            raise _left_alone()
        if ticket.is_probe:
            return self._probe(token, ticket, decides)
        flight = self._flights.acquire()
        if flight is None:
            raise self._no_flight()
        try:
            ticket = self._breaker.admit_if_closed()
            if ticket is None:
                raise _left_alone()
            decides = decides or self._pause.admit()
            return self._ask(token, ticket, decides)
        finally:
            self._flights.release(flight)

    def _ask(self, token: str, ticket: Permit, decides: bool) -> Introspection:
        with self.counters.lock:
            self.counters.introspections += 1
            self.counters.in_flight += 1
        try:
            introspection = self._inner.introspect(token)
        except (CredentialsRefused, UnusableAnswer) as refusal:
            self._answered(ticket)
            if _is_about_our_client(refusal):
                self._pause.refused(refusal, decides=decides)
            else:
                self._pause.unknown(decides=decides)
            raise
        except BaseException:
            self._failed(ticket)
            self._pause.unknown(decides=decides)
            raise
        finally:
            with self.counters.lock:
                self.counters.in_flight -= 1
        self._answered(ticket)
        if self._pause.accepted(decides=decides):
            log.warning("ZITADEL accepts the API application's credentials again")
        return introspection

    def _probe(self, token: str, ticket: Permit, decides: bool) -> Introspection:
        probe = Flight()

        def run() -> None:
            try:
                probe.lead(lambda: self._ask(token, ticket, decides))
            except Exception as error:  # its outcome is the flight's; there is nobody here to tell
                log.debug("a probe failed: %s", type(error).__name__)

        try:
            threading.Thread(target=run, name="probe", daemon=True).start()
        except RuntimeError:  # no thread to be had
            self._breaker.failed(ticket)
            raise _left_alone() from None
        return probe.outcome(PROBE_PATIENCE_SECONDS)

    def _answered(self, ticket: Permit) -> None:
        if self._breaker.answered(ticket):
            self._flights.renew()
            log.warning("ZITADEL answers again")

    def _failed(self, ticket: Permit) -> None:
        if self._breaker.failed(ticket):
            log.warning("ZITADEL is left alone: it failed repeatedly; a probe is sent every half second")

    def _no_flight(self) -> ZitadelUnavailable:
        with self.counters.lock:
            self.counters.refused += 1
        if self._flights.seconds_still() >= STALL_SECONDS and self._breaker.stalled():
            log.warning(
                "ZITADEL is left alone: %d introspections hang; a probe is sent every half second", self._flights.most
            )
        return ZitadelUnavailable(
            "as many introspections as may are under way", hint="try again; look at ZITADEL if it stays so"
        )


def _is_about_our_client(refusal: CredentialsRefused | UnusableAnswer) -> TypeGuard[CredentialsRefused]:
    """Whether all callers would meet the same. A filter that refuses one token must not have them all refused."""
    return isinstance(refusal, CredentialsRefused) and (refusal.answer is None or names_our_client(refusal.answer))


def _left_alone() -> ZitadelUnavailable:
    return ZitadelUnavailable(
        "ZITADEL failed repeatedly and is left alone for a moment", hint="look at ZITADEL; service resumes by itself"
    )
