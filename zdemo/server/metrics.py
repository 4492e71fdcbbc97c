"""Metrics for Prometheus: requests by route and outcome, how long they took, and what the introspectors count.

Labels come from fixed sets, never from a request. With several workers every process writes into
``PROMETHEUS_MULTIPROC_DIR``, which must be set before this module is loaded, and each of them answers for all.

A request only adds to plain numbers. They go to prometheus-client together: when somebody asks for the metrics, and
with several workers also soon after a request, since another worker may answer the next one for metrics. By itself the
library takes several locks per request.
"""

import os
import threading
from bisect import bisect_left
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from zdemo.introspection.counters import Counters
from zdemo.processes.forks import renewed_after_fork

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SHARE_SECONDS = 0.1  # until the other workers see a request
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COUNTED = {
    "hits": "Requests that were answered from the cache.",
    "misses": "Requests that found no usable answer in the worker's own cache, and asked the store or ZITADEL.",
    "joins": "Requests that waited for the answer that another request of the worker had asked for.",
    "introspections": "Introspection requests sent to ZITADEL.",
    "refused": "Requests refused because too many were waiting for ZITADEL.",
    "shared_hits": "Answers from the store that workers and machines share.",
    "shared_misses": "Questions to that store that brought no answer, so that ZITADEL was asked.",
    "shared_rejected": "Values in that store that were not believed.",
    "shared_failures": "Operations in which that store failed.",
}


class Metrics:
    """The metrics of one app in one process."""

    @renewed_after_fork
    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._exported = dict.fromkeys(COUNTED, 0)
        self._shared = DIRECTORY_VARIABLE in os.environ
        registry = self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._new: dict[tuple[str, str], list[float]] = {}  # requests per bucket, and the sum of their seconds
        self._will_share = False
        labels = ["route", "outcome"]
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

        self._shared_breaker = Gauge(
            "zdemo_shared_breaker_state",
            "Of the store: 0 closed, 1 half open, 2 open; with several workers the highest.",
            registry=registry,
            multiprocess_mode="livemax",
        )

    def observe(self, route: str, outcome: str, seconds: float) -> None:
        """Count one request."""
        bucket = bisect_left(SECONDS, seconds)
        with self._lock:
            numbers = self._new.get((route, outcome))
            if numbers is None:
                numbers = self._new[route, outcome] = [0] * (len(SECONDS) + 2)
            numbers[bucket] += 1
            numbers[-1] += seconds
        if self._shared and not self._will_share:
            self._will_share = True
            timer = threading.Timer(SHARE_SECONDS, self._share)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:  # the process may have no more threads
                self._share()

    def _share(self) -> None:
        self._will_share = False  # before it collects, so that no request is left out
        self.collect()

    def _collect_requests(self) -> None:
        with self._lock:
            new, self._new = self._new, {}
        for (route, outcome), (*buckets, seconds) in new.items():
            self._requests.labels(route, outcome).inc(sum(buckets))
            latency = self._latency.labels(route)
            latency._sum.inc(seconds)  # it has no public method for several at once
            for bucket, count in zip(latency._buckets, buckets, strict=True):
                bucket.inc(count)

    def collect(self) -> None:
        """Export what has been counted since the last time."""
        self._collect_requests()
        with self._counters.lock:
            grown = [(name, getattr(self._counters, name) - self._exported[name]) for name in COUNTED]
            for name, growth in grown:
                self._exported[name] += growth
            in_flight, breaker = self._counters.in_flight, self._counters.breaker_state
            shared_breaker = self._counters.shared_breaker
        for name, growth in grown:
            if growth:
                self._prometheus_counters[name].inc(growth)
        self._in_flight.set(in_flight)
        self._breaker.set(breaker)
        self._shared_breaker.set(shared_breaker)

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
