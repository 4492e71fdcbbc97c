"""Metrics for Prometheus: requests by route and outcome, how long they took, and what the introspectors count.

Labels come from fixed sets, never from a request. With several workers every process writes into
``PROMETHEUS_MULTIPROC_DIR``, which must be set before this module is loaded, and each of them answers for all.
"""

import os
import threading
from collections import Counter as Counts
from collections import deque
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from zdemo.guard.instruments import Counters
from zdemo.serving.forks import renewed_after_fork

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MOST_SEEN = 100  # requests that are counted together, which takes less time than to count each
COUNTED = {
    "hits": "Requests that were answered from the cache.",
    "misses": "Requests that found no usable answer in the worker's own cache, and asked the store or ZITADEL.",
    "joins": "Requests that waited for the answer that another request of the worker had asked for.",
    "introspections": "Introspection requests sent to ZITADEL, probes included.",
    "refused": "Requests refused because too many were waiting for ZITADEL.",
    "shared_hits": "Answers from the store that workers and machines share.",
    "shared_misses": "Questions to that store that had no answer, so the API asked ZITADEL.",
    "shared_rejected": "Values in that store that the API did not accept.",
    "shared_failures": "Operations in which that store failed.",
}
STATES = "0 closed, 1 half open, 2 open; with several workers the highest."
GAUGES: dict[str, tuple[str, Literal["livesum", "livemax"], str]] = {
    "in_flight": ("introspections_in_flight", "livesum", "Introspections in progress."),
    "breaker_state": ("breaker_state", "livemax", STATES),
    "shared_breaker": ("shared_breaker_state", "livemax", f"The same for the breaker of the store: {STATES}"),
}


class Metrics:
    """The metrics of one app in one process."""

    @renewed_after_fork
    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._exported = dict.fromkeys((*COUNTED, *GAUGES), 0)
        self._lock = threading.Lock()
        self._seen: deque[tuple[str, str, float]] = deque()  # requests that are not counted yet
        self._is_shared = DIRECTORY_VARIABLE in os.environ
        registry = self._registry = CollectorRegistry()
        words = "Requests by route and outcome."
        self._requests = Counter("zdemo_requests", words, ["route", "outcome"], registry=registry)
        words = "How long requests took."
        self._latency = Histogram("zdemo_request_seconds", words, ["route"], buckets=SECONDS, registry=registry)
        self._counts = {
            name: Counter(f"zdemo_introspection_{name}", words, registry=registry) for name, words in COUNTED.items()
        }
        self._gauges = {
            name: Gauge(f"zdemo_{metric}", words, registry=registry, multiprocess_mode=mode)
            for name, (metric, mode, words) in GAUGES.items()
        }

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one request."""
        self._seen.append((route, outcome, seconds))
        if self._is_shared or len(self._seen) >= MOST_SEEN:  # another worker may answer the next request for metrics
            self._export()

    def _export(self) -> None:
        """Export what the introspectors have counted since the last time, and the requests since then."""
        with self._lock:
            seen = [self._seen.popleft() for _ in range(len(self._seen))]
            for labels, count in Counts((route, outcome) for route, outcome, _ in seen).items():
                self._requests.labels(*labels).inc(count)
            latencies = {route: self._latency.labels(route) for route, _, _ in seen}
            for route, _, seconds in seen:
                latencies[route].observe(seconds)
            for name, before in self._exported.items():
                now = self._exported[name] = getattr(self._counters, name)
                if now != before and name in self._gauges:
                    self._gauges[name].set(now)
                elif now != before:
                    self._counts[name].inc(now - before)

    def text(self) -> bytes:
        """Return the metrics of all workers in the text format."""
        self._export()
        if not self._is_shared:
            return generate_latest(self._registry)
        _forget_dead_workers(Path(os.environ[DIRECTORY_VARIABLE]))
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
        return generate_latest(all_workers)


def _forget_dead_workers(directory: Path) -> None:
    """Remove the gauges of workers that have died; the library would count them for all time."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]  # as above
        except PermissionError:  # the worker lives, as another user
            pass
