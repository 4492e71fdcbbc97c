"""How many tokens, and requests with them, one ZITADEL can carry behind several workers: calculated, and measured.

The requests come at random times with random tokens. A worker asks when a request comes and its answer is older than
the TTL, so about each token once per TTL plus the mean time until the next request.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from benchmarks import load, stand
from benchmarks.tables import show

TTL = 5
ZITADEL_PER_SECOND = 700  # introspections that one ZITADEL answers beside its database on two cores
MEASURED_PER_SECOND = 200  # so few that two cores can handle the requests
WORKER_PER_SECOND = 12_000  # requests that one worker answers on a core of its own
CARRIED_WORKERS = (1, 4, 16)
PER_TOKEN = (0.1, 1.0, 10.0)  # requests per second with each token
MEASURED_WORKERS = (1, 4)
LOADS = (0.8, 1.2)  # of what is calculated
LEARNT = 0.9  # of what ZITADEL answers, so that the first requests with all tokens are not too much for it
SETTLE_SECONDS, SECONDS = 3.0, 12.0
CONNECTIONS = 64  # so that each worker gets some


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Workers in front of one ZITADEL, which share their answers in a store or not."""

    workers: int
    shared: bool

    def questions(self, per_second: float) -> float:
        """Return how often per second ZITADEL is asked about a token with ``per_second`` requests per second."""
        caches = 1 if self.shared else self.workers
        each = per_second / caches
        return caches * each / (1 + each * TTL)

    def tokens(self, per_second: float, answered: int) -> float:
        """Return how many tokens a ZITADEL can serve that answers ``answered`` introspections per second."""
        return answered / self.questions(per_second)


def carry() -> None:
    """Calculate, and measure what the calculation says for one request per second per token."""
    _show_calculated()
    rows = []
    with stand.store() as store:
        for shared in (False, True):
            for workers in MEASURED_WORKERS:
                rows += [_measured(Setup(workers=workers, shared=shared), store, part) for part in LOADS]
    rows += [_measured(Setup(workers=1, shared=False), None, part, ZITADEL_PER_SECOND) for part in LOADS]
    header = [
        "ZITADEL answers",
        "workers",
        "store",
        "tokens, and requests per second",
        "introspections per second: calculated",
        "measured",
    ]
    title = f"Measured: one request per token and second, TTL {TTL} s"
    show(title, [*header, "p50", "p99", "not 200"], rows)


def _measured(setup: Setup, store: str | None, part: float, answered: int = MEASURED_PER_SECOND) -> tuple[object, ...]:
    tokens = round(part * setup.tokens(1, answered))
    known = f"{answered}/s", setup.workers, "yes" if setup.shared else "no", f"{part:.0%}: {tokens:,}"
    if setup.shared and not store:
        return *known, "not measured"
    requests = [load.request("/api/private", f"a-known-token-of-many-characters-{n:04d}") for n in range(tokens)]
    by_chance = random.Random(tokens).choices  # noqa: S311  # nothing secret
    settings: dict[str, Any] = {"cache_ttl": TTL, **({"cache_url": store} if setup.shared else {})}
    learn_per_second = LEARNT * answered
    learn_seconds = 1.2 * tokens * (1 if setup.shared else setup.workers) / learn_per_second
    with (
        stand.upstream(f"{answered}/s") as zitadel,
        stand.api(zitadel, "--workers", str(setup.workers), **settings) as server,
    ):
        load.run_paced(
            server.port, requests, per_second=learn_per_second, seconds=learn_seconds, connections=CONNECTIONS
        )
        for seconds in (SETTLE_SECONDS, SECONDS):
            before, began = stand.introspections(zitadel), time.monotonic()
            some = by_chance(requests, k=round(tokens * seconds))
            result = load.run_paced(server.port, some, per_second=tokens, seconds=seconds, connections=CONNECTIONS)
        per_second = (stand.introspections(zitadel) - before) / (time.monotonic() - began)  # the last end later
    count = sum(result.statuses.values())
    return (
        *known,
        f"{tokens * setup.questions(1):.0f}",
        f"{per_second:.0f}",
        *(f"{1000 * result.quantile(share):.1f} ms" for share in (0.5, 0.99)),
        f"{count - result.statuses[200]} of {count}",
    )


def _show_calculated() -> None:
    rows = []
    for per_second in PER_TOKEN:
        for shared in (False, True):
            setups = [Setup(workers=workers, shared=shared) for workers in CARRIED_WORKERS]
            cells = [_calculated(setup, per_second) for setup in setups]
            rows.append((f"{per_second:g}/s", "yes" if shared else "no", *cells))
    header = ["requests with each token", "store", *(f"{workers} workers" for workers in CARRIED_WORKERS)]
    title = f"Calculated: most tokens and requests that one ZITADEL carries ({ZITADEL_PER_SECOND} introspections/s)"
    show(f"{title}, TTL {TTL} s", header, rows)
    print(f"\n* the workers, at {WORKER_PER_SECOND} requests per second each, are the limit before ZITADEL")


def _calculated(setup: Setup, per_second: float) -> str:
    """Return how many tokens, and requests per second with them, ZITADEL and the workers can handle."""
    by_zitadel = setup.tokens(per_second, ZITADEL_PER_SECOND)
    by_workers = setup.workers * WORKER_PER_SECOND / per_second
    tokens = min(by_zitadel, by_workers)
    mark = " *" if by_workers < by_zitadel else ""
    return f"{tokens:,.0f} tokens, {tokens * per_second:,.0f}/s{mark}"
