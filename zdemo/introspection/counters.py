"""What the introspectors count, in one plain object that metrics can read."""

from __future__ import annotations

import threading


class Counters:
    """Counters since the start, and two gauges. Read the attributes at any time; change them under ``lock`` only.

    Hold ``lock`` for one addition only: the warm path takes it too.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hits = 0  # requests that were answered from the cache
        self.misses = 0  # requests that led an introspection, or tried to
        self.joins = 0  # requests that waited for an introspection which another request had begun
        self.introspections = 0  # introspection requests that were sent to ZITADEL, probes included
        self.refused = 0  # requests that were refused because too many were waiting already
        self.in_flight = 0  # gauge: introspections under way now
        self.breaker_state = 0  # gauge: 0 closed, 1 half open, 2 open
