"""What the introspectors count, in one plain object that metrics can read."""

import threading

from zdemo.serving.forks import renewed_after_fork


class Counters:
    """Counters since the start, and three gauges. Read the attributes at any time; change them under ``lock`` only.

    Hold ``lock`` for one addition only: the warm path takes it too.
    """

    @renewed_after_fork
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hits = 0  # requests that were answered from the cache
        self.misses = 0  # requests that found no usable answer here, and asked the store or ZITADEL
        self.joins = 0  # requests that waited for the answer that another request here had asked for
        self.introspections = 0  # introspection requests that were sent to ZITADEL, probes included
        self.refused = 0  # requests that were refused because too many were waiting already
        self.in_flight = 0  # gauge: introspections under way now
        self.breaker_state = 0  # gauge: 0 closed, 1 half open, 2 open
        self.shared_hits = 0  # answers from the store that workers and machines share
        self.shared_misses = 0  # questions to the store that brought no answer, so that ZITADEL was asked
        self.shared_rejected = 0  # values in the store that were not believed
        self.shared_failures = 0  # operations in which the store failed
        self.shared_breaker = 0  # gauge: as breaker_state, of the store
