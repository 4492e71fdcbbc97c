"""What a flood of unknown tokens costs callers with known tokens, and the public route."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks import load, stand, tables

CONNECTIONS = 500
PUBLIC_PER_SECOND = 200
KNOWN_TOKENS = 58
KNOWN_PER_SECOND = 5 * KNOWN_TOKENS
SECONDS = 4
FIRST_SECONDS = 1  # in which the connections come, all at once
SETTLE_SECONDS = 5  # in which the last requests of a flood end
ROUNDS = 3
KNOWN = [
    load.request("/api/private", f"a-known-token-of-many-characters-{number:02d}") for number in range(KNOWN_TOKENS)
]
LOADS: dict[str, tuple[Sequence[bytes], float]] = {
    "public": ([tables.PUBLIC], PUBLIC_PER_SECOND),
    "known tokens": (KNOWN, KNOWN_PER_SECOND),
}
# What ZITADEL does: how the flood's tokens begin, for how many milliseconds an introspection takes, and the TTL
CASES = {
    "60 ms, TTL 1 s": ("garbage", 60, 1),
    "5 ms, TTL 1 s": ("garbage", 5, 1),
    "hangs, TTL 120 s": ("hang", 0, 120),
}


def _own_load(port: int, seconds: float = SECONDS) -> dict[str, load.Result]:
    """Send the requests of ordinary callers, and return what they got."""
    with ThreadPoolExecutor(len(LOADS)) as pool:
        futures = {
            name: pool.submit(load.run_paced, port, requests, per_second=per_second, seconds=seconds)
            for name, (requests, per_second) in LOADS.items()
        }
    return {name: future.result() for name, future in futures.items()}


def flood() -> None:
    """Measure ordinary callers alone and during a flood, in turn, since a machine may get slower."""
    rows = []
    for what, (prefix, milliseconds, ttl) in CASES.items():
        alone: list[dict[str, load.Result]] = []
        first: list[dict[str, load.Result]] = []
        flooded: list[dict[str, load.Result]] = []
        answers: Counter[str] = Counter()
        with stand.upstream(milliseconds) as zitadel, stand.api(zitadel, cache_ttl=ttl) as server:
            _own_load(server.port, 1)
            for _ in range(ROUNDS):
                alone.append(_own_load(server.port))
                with stand.attacker(server.port, CONNECTIONS, prefix, FIRST_SECONDS + SECONDS) as got:
                    first.append(_own_load(server.port, FIRST_SECONDS))
                    flooded.append(_own_load(server.port))
                answers += got
                time.sleep(SETTLE_SECONDS)
        gets = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
        for name in LOADS:
            before, start, during = (
                load.merged([results[name] for results in runs]) for runs in (alone, first, flooded)
            )
            times = [f"{result.quantile(q) * 1000:.1f} ms" for result in (before, during) for q in (0.5, 0.99)]
            ratio, longest = during.quantile(0.99) / before.quantile(0.99), start.quantile(1) * 1000
            failed = sum(sum(result.statuses.values()) - result.statuses[200] for result in (start, during))
            rows.append((what, name, *times, f"**{ratio:.1f}**", f"{longest:.0f} ms", failed, gets))
    header = ["ZITADEL", "", "p50 alone", "p99 alone", "p50", "p99", "ratio of p99", "longest in the first second"]
    header += ["not 200", "the flood gets"]
    tables.show(f"{CONNECTIONS} connections send unknown tokens", header, rows)
