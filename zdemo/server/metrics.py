"""Metrics for Prometheus: requests by route and outcome, how long they took, and what the introspectors count.

Labels come from fixed sets, never from a request. With several workers every process writes into
``PROMETHEUS_MULTIPROC_DIR``, which must be set before this module is loaded, and each of them answers for all.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from zdemo.introspection.counters import Counters

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COUNTED = {
    "hits": "Requests that were answered from the cache.",
    "misses": "Requests that started an introspection.",
    "joins": "Requests that waited for an introspection that another request had started.",
    "introspections": "Introspection requests sent to ZITADEL.",
    "refused": "Requests refused because too many were waiting for ZITADEL.",
}


class Metrics:
    """The metrics of one app in one process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._exported = dict.fromkeys(COUNTED, 0)
        self._shared = DIRECTORY_VARIABLE in os.environ
        registry = self._registry = CollectorRegistry()
        labels = ["route", "outcome"]
        self._of = cache(self._labelled)  # the library looks them up under a lock, each time
        self._requests = Counter("zdemo_requests", "Requests by route and outcome.", labels, registry=registry)
        self._latency = Histogram(
            "zdemo_request_seconds", "How long requests took.", ["route"], buckets=SECONDS, registry=registry
        )
        self._prometheus_counters = {
            name: Counter(f"zdemo_introspection_{name}", words, registry=registry) for name, words in COUNTED.items()
        }
        self._in_flight = Gauge(
            "zdemo_introspections_in_flight",
            "Introspections in progress.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._breaker = Gauge(
            "zdemo_breaker_state",
            "0 closed, 1 half open, 2 open; with several workers the highest.",
            registry=registry,
            multiprocess_mode="livemax",
        )

    def _labelled(self, route: str, outcome: str) -> tuple[Counter, Histogram]:
        return self._requests.labels(route, outcome), self._latency.labels(route)

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one request."""
        requests, latency = self._of(route, outcome)
        requests.inc()
        latency.observe(seconds)
        if self._shared:
            self.collect()  # another worker may answer the next request for metrics

    def collect(self) -> None:
        """Export what the introspectors have counted since the last time."""
        with self._counters.lock:
            grown = [(name, getattr(self._counters, name) - self._exported[name]) for name in COUNTED]
            for name, growth in grown:
                self._exported[name] += growth
            in_flight, breaker = self._counters.in_flight, self._counters.breaker_state
        for name, growth in grown:
            if growth:
                self._prometheus_counters[name].inc(growth)
        self._in_flight.set(in_flight)
        self._breaker.set(breaker)

    def text(self) -> bytes:
        """Return the metrics of all workers in the text format."""
        self.collect()
        if not self._shared:
            return generate_latest(self._registry)
        _forget_dead_workers(Path(os.environ[DIRECTORY_VARIABLE]))
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
        return generate_latest(all_workers)


def _forget_dead_workers(directory: Path) -> None:
    """Remove the gauges of workers that have died; the library would count them for all time."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _is_alive(int(pid)):
            mark_process_dead(int(pid), str(directory))  # type: ignore[no-untyped-call]  # as above


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user
        pass
    return True
