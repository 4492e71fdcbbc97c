"""How the introspectors stand before each other, and how many of what follow from the threads of the server.

Outermost first: the cache with its flights, the protection (pause, breaker, bulkhead), the client. So a known token
meets no guard at all, and requests with one token count once where introspections are counted.

Every request that waits for ZITADEL occupies a thread of the server. The numbers are such that some threads are
always free for known tokens and for the public route:

* all who wait for ZITADEL (introspections, those that wait for a flight, those that joined one) are seven eighths of
  the threads at most; who finds all of that taken waits a tenth of a second, and not even that while none comes free;
* introspections under way are a quarter of the threads. One ZITADEL answers no more in all with more than four
  connections, the rest hides the network between.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.counters import Counters
from zdemo.introspection.model import Introspector
from zdemo.introspection.protection import ProtectedIntrospector

WAIT_FOR_PLACE_SECONDS = 0.1
WAIT_FOR_FLIGHT_SECONDS = 0.25  # the place before it is held meanwhile


def flights_for(threads: int) -> int:
    """How many introspections may be under way at once; the client needs as many connections."""
    return max(1, threads // 4)


def waiting_for(threads: int) -> int:
    """How many requests may wait for ZITADEL at once, whatever for. Below ``threads`` from two threads on."""
    return max(1, threads - max(1, threads // 8))


def build_introspector(settings: Settings, *, threads: int, counters: Counters | None = None) -> CachingIntrospector:
    """What an API asks: ZITADEL, behind protection and cache."""
    waits = WAIT_FOR_PLACE_SECONDS + WAIT_FOR_FLIGHT_SECONDS
    seconds = max(settings.timeout_seconds - waits, settings.timeout_seconds / 2)  # waits included, all of it is kept
    client = IntrospectionClient(settings, connections=flights_for(threads), timeout_seconds=seconds)
    return protected(client, settings, threads=threads, counters=counters)


def protected(
    client: Introspector,
    settings: Settings,
    *,
    threads: int,
    counters: Counters | None = None,
    wait_seconds: float = WAIT_FOR_PLACE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> CachingIntrospector:
    """The client behind cache and protection, for one process with ``threads`` threads that serve requests.

    ``wait_seconds`` is how long a request waits for its place among those that wait for ZITADEL.
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
