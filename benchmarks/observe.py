"""What observing and guarding cost: routes of the API against a bare Flask route on the same server, in one run."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import load, stand
from benchmarks.tables import PRIVATE, PUBLIC, SCOPED, show

CONNECTIONS = 16
SECONDS = 1.0
STARTS, ROUNDS = 3, 3  # one process is faster than another, for as long as it lives


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one route cost in one round."""

    rate: float  # requests per second that were answered 200
    p99: float  # seconds
    cpu: float  # microseconds of processor time of the server's processes, per request


def observe() -> None:
    """Compare the public, private and scoped route, with a known token, with the bare route; also with metrics."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    for _ in range(STARTS):
        with (
            stand.upstream() as zitadel,
            stand.api(zitadel, kind="bare") as bare,
            stand.api(zitadel, cache_ttl=600) as plain,
            stand.api(zitadel, "--open-metrics", cache_ttl=600) as counted,
        ):
            routes = {
                "bare Flask route": (bare, PUBLIC),
                "public, logged": (plain, PUBLIC),
                "private, logged": (plain, PRIVATE),
                "with a role, logged": (plain, SCOPED),
                "public, logged, counted": (counted, PUBLIC),
                "private, logged, counted": (counted, PRIVATE),
            }
            for _ in range(ROUNDS):
                for name, (server, request) in routes.items():
                    costs[name].append(_cost(server, request))
    floor = costs["bare Flask route"]
    rows = [(name, *_row(several, floor)) for name, several in costs.items()]
    header = ["16 connections", "rate", "to bare", "p99", "to bare", "CPU", "more than bare"]
    show("Observing: medians of the rounds, least CPU", header, rows)
    for counted_too in ("", ", counted"):
        own = _least(costs[f"private, logged{counted_too}"]) - _least(costs[f"public, logged{counted_too}"])
        print(f"\nthe guard's own CPU (private minus public, logged{counted_too}): {own:.0f} µs")


def _cost(server: stand.Server, request: bytes) -> Cost:
    before = stand.used_seconds(server)
    result = load.run(server.port, [request], connections=CONNECTIONS, seconds=SECONDS)
    used = stand.used_seconds(server) - before
    return Cost(
        rate=result.statuses[200] / result.seconds, p99=result.quantile(0.99), cpu=1e6 * used / len(result.latencies)
    )


def _row(costs: Sequence[Cost], floor: Sequence[Cost]) -> Sequence[str]:
    pairs = list(zip(costs, floor, strict=True))
    return (
        f"{_middle([it.rate for it in costs]):.0f}/s",
        f"**{_middle([it.rate / bare.rate for it, bare in pairs]):.2f}**",
        f"{1000 * _middle([it.p99 for it in costs]):.1f} ms",
        f"**{_middle([it.p99 / bare.p99 for it, bare in pairs]):.2f}**",
        f"{_least(costs):.0f} µs",
        f"{_least(costs) - _least(floor):.0f} µs",
    )


def _least(costs: Sequence[Cost]) -> float:
    """Return the least processor time of all rounds, since other work on the machine only adds to it."""
    return min(it.cpu for it in costs)


def _middle(numbers: Sequence[float]) -> float:
    return statistics.median(numbers)
