"""How the introspectors are stacked, and the numbers that follow from the server's threads.

Outermost first: the cache with its single flights, the protection (pause, breaker, bulkhead), the client. So a known
token passes no guard, and requests with one token count once where introspections are counted.

Every request that waits for ZITADEL occupies a thread of the server. The numbers keep some threads free for known
tokens and for the public route:

* requests that wait for ZITADEL (introspections, requests that wait for a flight or have joined one) take at most
  seven eighths of the threads; one more waits a tenth of a second, or not at all if none becomes free meanwhile;
* introspections under way are a quarter of the threads. One ZITADEL answers no more per second with more than four
  connections; the rest hides the network in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.clock import running_clock
from zdemo.introspection.counters import Counters
from zdemo.introspection.model import Introspector
from zdemo.introspection.protection import ProtectedIntrospector

WAIT_FOR_SLOT_SECONDS = 0.1
WAIT_FOR_FLIGHT_SECONDS = 0.25  # while the slot in front of the cache is held


def flights_for(threads: int) -> int:
    """Return how many introspections may be under way at once; the client needs as many connections."""
    return max(1, threads // 4)


def waiting_for(threads: int) -> int:
    """Return how many requests may wait for ZITADEL at once. Below ``threads`` from two threads on."""
    return max(1, threads - max(1, threads // 8))


def build_introspector(settings: Settings, *, threads: int, counters: Counters | None = None) -> CachingIntrospector:
    """Return the introspector of an API: ZITADEL behind cache and protection."""
    waits = WAIT_FOR_SLOT_SECONDS + WAIT_FOR_FLIGHT_SECONDS
    seconds = max(settings.timeout_seconds - waits, settings.timeout_seconds / 2)  # the timeout includes the waits
    client = IntrospectionClient(settings, connections=flights_for(threads), timeout_seconds=seconds)
    return protected(client, settings, threads=threads, counters=counters)


def protected(
    client: Introspector,
    settings: Settings,
    *,
    threads: int,
    counters: Counters | None = None,
    wait_seconds: float = WAIT_FOR_SLOT_SECONDS,
    clock: Callable[[], float] = running_clock,
    wall_clock: Callable[[], float] = time.time,
) -> CachingIntrospector:
    """Return ``client`` behind cache and protection, for one process with ``threads`` threads that serve requests.

    ``wait_seconds`` is how long a request waits for its slot among those that wait for ZITADEL.
    """
    counters = counters or Counters()
    guarded = ProtectedIntrospector(
        client,
        flights=flights_for(threads),
        wait_seconds=WAIT_FOR_FLIGHT_SECONDS,
        timeout_seconds=settings.timeout_seconds,
        counters=counters,
        clock=clock,
    )
    return CachingIntrospector(
        guarded,
        ttl_seconds=settings.cache_ttl_seconds,
        size=settings.cache_size,
        timeout_seconds=settings.timeout_seconds,
        bulkhead=Bulkhead(waiting_for(threads), wait_seconds=wait_seconds, clock=clock),
        counters=counters,
        clock=clock,
        wall_clock=wall_clock,
    )
