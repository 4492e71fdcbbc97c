"""The cost of a token in the cache: memory, and the time of a hit, at several sizes."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc

from benchmarks import tables, upstream
from zdemo.http.response import Response
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.model import Introspection, parse_introspection

SIZES = (10, 10_000, 100_000)
HITS = 20_000


class _Memory:
    """An introspector that answers like ZITADEL, with new objects for each token."""

    def introspect(self, token: str) -> Introspection:
        claims = json.loads(upstream.ACTIVE) | {"jti": token, "sub": token}
        body = json.dumps(claims).encode()
        answer = Response(status=200, headers={"content-type": "application/json"}, body=body, seconds=0, url="")
        return parse_introspection(answer)


def memory() -> None:
    """Fill a cache, read from it, and print a table."""
    rows = []
    for size in SIZES:
        tokens = [f"benchmark-token-number-{n:048d}" for n in range(size)]
        gc.collect()
        tracemalloc.start()
        bulkhead = Bulkhead(1, wait_seconds=0)
        cache = CachingIntrospector(_Memory(), ttl_seconds=3600, size=size, timeout_seconds=5, bulkhead=bulkhead)
        for token in tokens:
            cache.introspect(token)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        start = time.perf_counter()
        for n in range(HITS):
            cache.introspect(tokens[(n * 7919) % size])
        hit = (time.perf_counter() - start) / HITS
        rows.append((f"{size:,}", f"{used / size:,.0f} bytes", f"{used / 2**20:.1f} MiB", f"{hit * 1e6:.1f} µs"))
    tables.show("The cache", ["tokens", "memory per token", "total", "time per hit"], rows)
