"""Introspection without blocking the event loop: an answer from the cache at once, any other from a thread.

The threads are limited apart from those in which frameworks run functions without ``async``, so a ZITADEL that hangs
takes none of these. With as many threads as the bulkhead was built for, some are free for the requests that it refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.model import Introspection, Introspector


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """How many requests may be in a thread. Two lines, so that known tokens never stand behind unknown ones."""

    known: CapacityLimiter
    unknown: CapacityLimiter


class IntrospectionPool:
    """Asks an introspector in at most ``threads`` threads for unknown tokens, and as many for known ones.

    The bulkhead limits how many of both wait for ZITADEL.
    """

    def __init__(self, introspector: Introspector, *, threads: int) -> None:
        self._introspector = introspector
        self._threads = threads
        self._limits: RunVar[_Limits] = RunVar("zdemo_introspection_limits")  # of each event loop: tests have many

    async def introspect(self, token: str) -> Introspection:
        """Do as the introspector does. A request that is cancelled leaves at once; its thread ends by itself."""
        cache = self._introspector if isinstance(self._introspector, CachingIntrospector) else None
        answer = cache.remembered(token) if cache else None
        if answer is not None:
            return answer
        limits = self._current_limits()
        limiter = limits.known if cache and cache.is_known(token) else limits.unknown
        return await to_thread.run_sync(self._introspector.introspect, token, limiter=limiter, abandon_on_cancel=True)

    def _current_limits(self) -> _Limits:
        limits = self._limits.get(None)
        if limits is None:
            limits = _Limits(known=CapacityLimiter(self._threads), unknown=CapacityLimiter(self._threads))
            self._limits.set(limits)
        return limits
