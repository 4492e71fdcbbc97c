"""How the introspectors are stacked, and the numbers that follow from the server's threads.

Outermost first: the cache with its single flights, the store that workers and machines share (if there is one), the
protection (breaker, bulkhead), the client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zdemo.config.parsers import CACHE_URL, InvalidValue, cache_url
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError
from zdemo.guard.cache import CachingIntrospector, PriorityIntrospector
from zdemo.guard.instruments import Counters, running_clock
from zdemo.guard.protection import ProtectedIntrospector
from zdemo.guard.waiting import Bulkhead, Pacer
from zdemo.zitadel.introspection_answer import Introspector
from zdemo.zitadel.introspection_client import IntrospectionClient

if TYPE_CHECKING:
    from zdemo.guard.shared.answers import SharedAnswers
    from zdemo.guard.shared.redis_store import SharedState

SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 4.0
SHORTEST_WAIT_FOR_FLIGHT_SECONDS = 0.25
LONGEST_WAIT_FOR_FLIGHT_SECONDS = 1.0
FAILURES_PER_SECOND = 125.0  # with its introspection, each takes up to two milliseconds of the processor
PACING_SECONDS = 0.8  # the most that a failure waits for its turn
LONGEST_OPERATION_SECONDS = 0.25  # a round trip takes less than a millisecond; a busy process may take longer
OPERATION_SHARE = 0.05  # of the timeout


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many requests may wait for ZITADEL. Parts are reserved for known tokens, and some threads never wait."""

    slots: int
    reserved_slots: int
    flights: int  # the client needs as many connections
    reserved_flights: int
    waiters: int
    failures_per_second: float

    @classmethod
    def of(cls, threads: int, *, spare_threads: int = 0) -> Limits:
        """Return the limits of a process with ``threads``; in ``spare_threads`` requests only wait for a slot.

        Of the threads, three quarters are slots (for introspections, and for requests that wait to begin or have joined
        one), an eighth may wait for a slot, and an eighth is free. Introspections under way are a quarter: one ZITADEL
        answers no more per second with more than four connections; the rest hides the network in between.
        """
        eighth = max(1, threads // 8)
        slots, flights = max(1, threads - 2 * eighth), max(1, threads // 4)
        return cls(
            slots=slots,
            reserved_slots=slots // 6,
            flights=flights,
            reserved_flights=flights // 4,
            waiters=max(0, min(eighth, threads - slots - 1)) + spare_threads,
            failures_per_second=max(FAILURES_PER_SECOND, slots / PACING_SECONDS),
        )


def build_introspector(  # limits, clocks and collaborators, each given by name
    settings: Settings,
    *,
    threads: int,
    spare_threads: int = 0,
    client: Introspector | None = None,
    counters: Counters | None = None,
    clock: Callable[[], float] = running_clock,
    wall_clock: Callable[[], float] = time.time,
) -> CachingIntrospector:
    """Return the introspector of an API: ZITADEL, or ``client`` in its place, behind cache and protection."""
    counters = counters or Counters()
    limits = Limits.of(threads, spare_threads=spare_threads)
    timeout_seconds = settings.timeout_seconds  # includes how long a request may wait to begin its introspection
    flight_seconds = min(LONGEST_WAIT_FOR_FLIGHT_SECONDS, timeout_seconds / 5)
    if client is None:
        seconds = timeout_seconds - flight_seconds
        client = IntrospectionClient(settings, connections=limits.flights, timeout_seconds=seconds)
    flights = Bulkhead(
        size=limits.flights,
        reserve=limits.reserved_flights,
        waiters=limits.slots,
        wait_seconds=flight_seconds,
        shortest_wait_seconds=min(SHORTEST_WAIT_FOR_FLIGHT_SECONDS, flight_seconds),
        clock=clock,
    )
    slots = Bulkhead(
        size=limits.slots,
        reserve=limits.reserved_slots,
        waiters=limits.waiters,
        wait_seconds=LONGEST_WAIT_SECONDS,
        shortest_wait_seconds=SHORTEST_WAIT_SECONDS,
        clock=clock,
    )
    inner: PriorityIntrospector
    inner = guarded = ProtectedIntrospector(
        inner=client, flights=flights, timeout_seconds=timeout_seconds, counters=counters, clock=clock
    )
    shared = None
    if settings.cache_url and settings.cache_ttl_seconds:
        shared = shared_answers(settings, counters=counters)
        from zdemo.guard.shared.answers import SharedIntrospector  # here, because most APIs have no store

        inner = SharedIntrospector(inner=guarded, answers=shared, timeout_seconds=timeout_seconds, clock=clock)
    return CachingIntrospector(
        inner=inner,
        ttl_seconds=settings.cache_ttl_seconds,
        size=settings.cache_size,
        timeout_seconds=timeout_seconds,
        bulkhead=slots,
        pacer=Pacer(per_second=limits.failures_per_second, clock=clock),
        shared=shared,
        counters=counters,
        clock=clock,
        wall_clock=wall_clock,
    )


def state_of_store(settings: Settings) -> SharedState:
    """Return whether the store of ``ZDEMO_CACHE_URL`` works for this API. Raises as ``shared_answers`` does."""
    with closing(shared_answers(settings)) as answers:
        return answers.tried()


def shared_answers(settings: Settings, *, counters: Counters | None = None) -> SharedAnswers:
    """Return the answers that workers and machines share in the store of ``ZDEMO_CACHE_URL``, which must be set.

    Raises SettingsError if it is wrong, or the package for it is missing.
    """
    try:
        url = cache_url(settings.cache_url or "")
    except InvalidValue as error:
        raise SettingsError([f"{CACHE_URL} {error}"], hint=error.fix) from None
    from zdemo.guard.shared.answers import SharedAnswers  # here, because the package may have been missing
    from zdemo.guard.shared.redis_store import RedisStore
    from zdemo.guard.shared.sealing import Sealer

    seconds = min(LONGEST_OPERATION_SECONDS, OPERATION_SHARE * settings.timeout_seconds)
    store = RedisStore(url=url, operation_seconds=seconds, counters=counters or Counters())
    return SharedAnswers(store=store, sealer=Sealer(settings), ttl_seconds=settings.cache_ttl_seconds)
