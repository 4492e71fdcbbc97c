"""Known tokens in front of a ZITADEL that is as slow as ZITADEL has published."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import load, stand, upstream
from benchmarks.tables import show

WORKERS = 4
TTL = 5
LOADS = ((200, 400), (1000, 1000))  # tokens, and requests per second with them
WARM_SECONDS = TTL + 1.0
SECONDS = 12.0
WAITED = ("asked", "joined")  # how the log says that a request waited for ZITADEL


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the callers got, how their requests came to answers, and how often ZITADEL was asked."""

    result: load.Result
    sources: Counter[str]
    asked: int


def published() -> None:
    """Measure with and without the store."""
    rows = []
    with stand.store() as store:
        for tokens, per_second in LOADS:
            rows.append((tokens, f"{per_second}/s", "no", *_row(_measured(tokens, per_second, None))))
            outcome = _row(_measured(tokens, per_second, store)) if store else ("not measured",)
            rows.append((tokens, f"{per_second}/s", "yes", *outcome))
    quantiles = [f"{1000 * upstream.published_seconds(share):.0f} ms" for share in (0.5, 0.95, 0.99)]
    title = f"{WORKERS} workers, TTL {TTL} s, ZITADEL answers within {', '.join(quantiles)} (p50, p95, p99)"
    header = ["known tokens", "requests", "store", "p50", "p95", "p99", "waited for ZITADEL", "asked per second"]
    show(title, [*header, "not 200"], rows)


def _measured(tokens: int, per_second: int, store: str | None) -> Outcome:
    requests = [load.request("/api/private", f"a-known-token-of-many-characters-{n:04d}") for n in range(tokens)]
    settings: dict[str, Any] = {"cache_ttl": TTL, **({"cache_url": store} if store else {})}
    options = ("--workers", str(WORKERS), "--json-logs")
    with tempfile.TemporaryDirectory() as folder, stand.upstream(upstream.PUBLISHED) as zitadel:
        log = Path(folder) / "log"
        with log.open("ab") as written, stand.api(zitadel, *options, log=written, **settings) as server:
            load.run_paced(server.port, requests, per_second=per_second, seconds=WARM_SECONDS)
            seen, before = Counter(_sources(log)), stand.introspections(zitadel)
            result = load.run_paced(server.port, requests, per_second=per_second, seconds=SECONDS)
            asked = stand.introspections(zitadel) - before
        return Outcome(result=result, sources=Counter(_sources(log)) - seen, asked=asked)


def _sources(log: Path) -> Iterator[str]:
    """Yield how each request with a token came to its answer, as the log says so far."""
    for line in log.read_bytes().split(b"\n")[:-1]:
        if line.startswith(b"{") and (source := json.loads(line).get("cache")):
            yield source


def _row(outcome: Outcome) -> tuple[str, ...]:
    result, count = outcome.result, sum(outcome.result.statuses.values())
    waited = sum(outcome.sources[source] for source in WAITED)
    return (
        *(f"{1000 * result.quantile(share):.1f} ms" for share in (0.5, 0.95, 0.99)),
        f"{waited / max(1, sum(outcome.sources.values())):.1%}",
        f"{outcome.asked / SECONDS:.0f}",
        f"{count - result.statuses[200]} of {count}",
    )
