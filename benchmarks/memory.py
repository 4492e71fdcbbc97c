"""The cost of a token in the cache: memory, and the time of a hit, at several sizes."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc

from benchmarks import tables, upstream
from zdemo.errors.response import Response
from zdemo.guard.cache import CachingIntrospector
from zdemo.guard.waiting import Bulkhead, Pacer
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection, parse_introspection

CASES = ((10, 10, 1), (10_000, 10_000, 1), (100_000, 100_000, 1), (10_000, 2_000, 500))  # size, tokens, roles of each
HITS = 20_000


class _Memory:
    """An introspector that answers like ZITADEL, with new objects for each token, and with so many roles."""

    def __init__(self, roles: int) -> None:
        self.roles = {f"role:{n:03d}": {"300000000000000001": "acme.localhost"} for n in range(roles)}

    def introspect(self, token: str, *, known: bool) -> Introspection:  # noqa: ARG002  # the protocol
        """Return an active answer."""
        claims = json.loads(upstream.ACTIVE) | {"jti": token, "sub": token, ROLES_CLAIM: self.roles}
        body = json.dumps(claims).encode()
        answer = Response(status=200, headers={"content-type": "application/json"}, body=body, seconds=0, url="")
        return parse_introspection(answer)


def _filled(size: int, tokens: list[str], roles: int) -> tuple[CachingIntrospector, int]:
    """Return a cache that was asked about these tokens, and the bytes that it takes."""
    gc.collect()
    tracemalloc.start()
    cache = CachingIntrospector(
        inner=_Memory(roles),
        ttl_seconds=3600,
        size=size,
        timeout_seconds=5,
        bulkhead=Bulkhead(size=1, waiters=0, wait_seconds=0),
        pacer=Pacer(per_second=1),
    )
    for token in tokens:
        cache.introspect(token)
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return cache, used


def _kept(cache: CachingIntrospector, tokens: list[str]) -> list[str]:
    """Return the tokens that the cache still knows: the youngest."""
    for number, token in enumerate(reversed(tokens)):
        cache.introspect(token)
        if cache.counters.misses > len(tokens):
            return tokens[len(tokens) - number :]
    return tokens


def memory() -> None:
    """Fill a cache, read from it, and print a table."""
    rows = []
    for size, count, roles in CASES:
        tokens = [f"benchmark-token-number-{n:048d}" for n in range(count)]
        cache, used = _filled(size, tokens, roles)
        kept = _kept(cache, tokens)
        start = time.perf_counter()
        for n in range(HITS):
            cache.introspect(kept[-1 - (n * 7919) % (len(kept) - 1)])
        hit = (time.perf_counter() - start) / HITS
        row = (f"{size:,}", f"{count:,}", roles, f"{len(kept):,}", f"{used / len(kept):,.0f} bytes")
        rows.append((*row, f"{used / 2**20:.1f} MiB", f"{hit * 1e6:.1f} µs"))
    header = ["ZDEMO_CACHE_SIZE", "tokens", "roles of each", "kept", "memory per token", "total", "time per hit"]
    tables.show("The cache", header, rows)
