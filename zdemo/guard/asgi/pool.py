"""Introspection without blocking the event loop: an answer from the cache at once, any other from a thread.

These threads are limited apart from those in which frameworks run functions without ``async``. As many requests get one
as the bulkhead lets ask or wait; the others wait on the event loop, so that clients do not ask again at once.
"""

import math
from typing import NamedTuple

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar

from zdemo.guard.build import LONGEST_WAIT_SECONDS, Limits
from zdemo.guard.cache import CachingIntrospector, too_many_waiting
from zdemo.guard.instruments import Counters
from zdemo.zitadel.introspection_answer import Introspection, Introspector


class _Places(NamedTuple):
    """How many requests may be in a thread. There are two queues, so that known tokens never wait for unknown ones."""

    known: CapacityLimiter
    unknown: CapacityLimiter
    threads: CapacityLimiter  # without a limit of its own


class IntrospectionPool:
    """Asks an introspector in threads, for one of which a request waits for up to ``wait_seconds``, or is refused."""

    def __init__(self, introspector: Introspector, *, threads: int, wait_seconds: float = LONGEST_WAIT_SECONDS) -> None:
        self._introspector = introspector
        self._cache = introspector if isinstance(introspector, CachingIntrospector) else None
        self._counters = self._cache.counters if self._cache else Counters()
        self._limits = Limits.of(threads)
        self._wait_seconds = wait_seconds
        self._places: RunVar[_Places] = RunVar("zdemo_introspection_places")  # of each event loop: tests have many

    async def introspect(self, token: str) -> Introspection:
        """Do as the introspector does. A request that is cancelled leaves at once; its thread ends by itself."""
        if answer := self._remembered(token):
            return answer
        places, borrower = self._current_places(), object()
        known = self._cache is not None and self._cache.is_known(token)
        place = places.known if known else places.unknown
        with move_on_after(self._wait_seconds) as waiting:
            await place.acquire_on_behalf_of(borrower)
        if waiting.cancelled_caught:
            raise too_many_waiting(self._counters)
        try:
            if answer := self._remembered(token):  # it may have come meanwhile
                return answer
            return await to_thread.run_sync(
                self._introspector.introspect, token, limiter=places.threads, abandon_on_cancel=True
            )
        finally:
            place.release_on_behalf_of(borrower)

    def _remembered(self, token: str) -> Introspection | None:
        return self._cache.remembered(token) if self._cache else None

    def _current_places(self) -> _Places:
        places = self._places.get(None)
        if places is None:
            places = _Places(
                known=CapacityLimiter(self._limits.places),
                unknown=CapacityLimiter(self._limits.places - self._limits.reserved_slots),
                threads=CapacityLimiter(math.inf),
            )
            self._places.set(places)
        return places
