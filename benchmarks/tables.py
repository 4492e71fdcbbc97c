"""The tables: what is measured, and what it is compared with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from contextlib import closing

from benchmarks import load, stand
from zdemo.config.address import ZitadelAddress
from zdemo.emulator import ADMIN, READER, emulate
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.resources import remove_pat

PUBLIC = load.request("/api/public")
PRIVATE = load.request("/api/private", stand.TOKEN)
SCOPED = load.request("/api/private-scoped", stand.TOKEN)
SECONDS = 1.5
ROUNDS = 5
CONNECTIONS = (1, 16, 64)
LATENCIES_MS = (0, 5, 25)
ASGI_FRAMEWORKS = ("fastapi", "starlette")
ASGI_ROUTES = ("bare", "least", "empty", "private", "private-scoped")
ASGI_ROUNDS, ASGI_SECONDS = 40, 0.2


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{' --- |' * len(header)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def rate(port: int, request: bytes, connections: int, seconds: float = SECONDS) -> float:
    """Return the requests per second that were answered 200."""
    result = load.run(port, [request], connections=connections, seconds=seconds)
    return result.statuses[200] / result.seconds


def pairs(port: int, request: bytes, other_request: bytes, connections: int) -> tuple[float, float, float]:
    """Return the rates of two requests and their ratio, measured in turn, since a machine may get slower."""
    rates, other_rates = [], []
    for _ in range(ROUNDS):
        rates.append(rate(port, request, connections))
        other_rates.append(rate(port, other_request, connections))
    ratios = [a / b for a, b in zip(rates, other_rates, strict=True)]
    return statistics.median(rates), statistics.median(other_rates), statistics.median(ratios)


def warm() -> None:
    """Compare a known token on the scoped route with the public route of the same server."""
    rows = []
    with stand.upstream() as zitadel, stand.api(zitadel, cache_ttl=60) as server:
        for connections in CONNECTIONS:
            protected, public, ratio = pairs(server.port, SCOPED, PUBLIC, connections)
            rows.append((connections, f"{public:.0f}/s", f"{protected:.0f}/s", f"**{ratio:.2f}**"))
    show("Warm: scoped route against public route, same server", ["connections", "public", "scoped", "ratio"], rows)


def cached_against_uncached() -> None:
    """Compare the API with and without cache, at several latencies, and count the questions to ZITADEL."""
    rows = []
    for latency in LATENCIES_MS:
        with stand.upstream(latency) as zitadel:
            for connections in CONNECTIONS:
                measured = []
                for ttl in (5, 0):
                    with stand.api(zitadel, cache_ttl=ttl) as server:
                        before = stand.introspections(zitadel)
                        result = load.run(server.port, [SCOPED], connections=connections, seconds=SECONDS * 2)
                        asked = stand.introspections(zitadel) - before
                        measured.append((result.rate, 1000 * asked / max(len(result.latencies), 1)))
                (with_cache, few), (without, many) = measured
                ratio = f"**{with_cache / without:.1f}**"
                row = (f"{latency} ms", connections, f"{with_cache:.0f}/s", f"{without:.0f}/s", ratio)
                rows.append((*row, f"{few:.1f}", f"{many:.0f}"))
    header = ["introspection takes", "connections", "cache", "no cache", "ratio", "asked per 1,000", "without"]
    show("One token, with and without the cache", header, rows)


def servers() -> None:
    """Compare the scoped route with a known token on several servers with a bare Flask route on Granian."""
    rows = []
    with stand.upstream() as zitadel:
        with stand.api(zitadel, kind="bare") as bare:
            floor = statistics.median(rate(bare.port, PUBLIC, 16) for _ in range(ROUNDS))
        rows.append(("bare Flask route (Granian)", f"{floor:.0f}/s", "1.00", "", ""))
        for kind in ("granian", "gunicorn", "waitress"):
            if not stand.available(kind):
                rows.append((kind, "not installed", "", "", ""))
                continue
            with stand.api(zitadel, kind=kind, cache_ttl=60) as server:
                results = [load.run(server.port, [SCOPED], connections=16, seconds=SECONDS) for _ in range(ROUNDS)]
            middle = statistics.median(r.rate for r in results)
            p50, p99 = (statistics.median(r.quantile(q) for r in results) * 1000 for q in (0.5, 0.99))
            rows.append((kind, f"{middle:.0f}/s", f"**{middle / floor:.2f}**", f"{p50:.1f} ms", f"{p99:.1f} ms"))
    show("Servers: scoped route, warm, 16 connections", ["server", "rate", "to the bare route", "p50", "p99"], rows)


def asgi() -> None:
    """Compare, in one process, guarded routes of FastAPI and of Starlette with routes of a bare app."""
    rows = []
    with stand.upstream() as zitadel:
        for kind in ("uvicorn", "granian-asgi"):
            with stand.api(zitadel, kind=kind, cache_ttl=3600) as server:
                rows += [(framework, kind, *_against_bare(server.port, framework)) for framework in ASGI_FRAMEWORKS]
    header = ["app", "server", "bare", *(f"more: {route}" for route in ASGI_ROUTES[1:]), "the guard's own"]
    header += ["bare to with a role, CPU", "… requests per second"]
    show("ASGI: processor time per request, warm, 16 connections, bare apps in the same process", header, rows)


def _against_bare(port: int, framework: str) -> Sequence[str]:
    """Measure in short rounds and compare within each, since other work makes all of a round slower."""
    requests = [load.request(f"/{framework}/{route}", stand.TOKEN) for route in ASGI_ROUTES]
    rounds = [[_cost(port, request) for request in requests] for _ in range(ASGI_ROUNDS)]
    bare = statistics.median(costs[0][1] for costs in rounds)
    more = [statistics.median(costs[at][1] - costs[0][1] for costs in rounds) for at in range(1, len(requests))]
    own = statistics.median(costs[-1][1] - costs[ASGI_ROUTES.index("empty")][1] for costs in rounds)
    cpu = statistics.median(costs[0][1] / costs[-1][1] for costs in rounds)
    rates = statistics.median(costs[-1][0] / costs[0][0] for costs in rounds)
    return *(f"{it:.1f} µs" for it in (bare, *more, own)), f"**{cpu:.2f}**", f"**{rates:.2f}**"


def _cost(port: int, request: bytes) -> tuple[float, float]:
    """Return the requests per second, and the microseconds of the processor that each takes."""
    before = stand.cpu_seconds(port)
    result = load.run(port, [request], connections=16, seconds=ASGI_SECONDS)
    return result.statuses[200] / result.seconds, 1e6 * (stand.cpu_seconds(port) - before) / len(result.latencies)


def cold() -> None:
    """Count the introspections for many simultaneous calls with one unknown token."""
    rows = []
    with stand.upstream(25) as zitadel:
        for kind, ttl, what in (("granian", 5, "cache"), ("granian", 0, "no cache"), ("uvicorn", 5, "FastAPI, cache")):
            with stand.api(zitadel, kind=kind, cache_ttl=ttl) as server:
                before = stand.introspections(zitadel)
                connections = [load.Connection(server.port) for _ in range(64)]
                for connection in connections:
                    connection.send(SCOPED)
                statuses = [_answer(connection) for connection in connections]
                asked = stand.introspections(zitadel) - before
                rows.append((what, asked, statuses.count(200), 64 - statuses.count(200)))
    show("64 simultaneous calls with one cold token", ["", "introspections", "200", "other"], rows)


def _answer(connection: load.Connection) -> int:
    while (status := connection.status()) is None:
        pass
    connection.sock.close()
    return status


def removal() -> None:
    """Measure how long a deleted PAT still passes, without a pause between requests, against the emulator."""
    rows = []
    for ttl in (0, 1, 5):
        with emulate() as emulator, stand.api(int(emulator.url.rsplit(":", 1)[1]), cache_ttl=ttl) as server:
            request = load.request("/api/private", READER.pat)
            load.run(server.port, [request], connections=1, seconds=0.2)
            with closing(ManagementClient(ZitadelAddress(emulator.url), ADMIN.pat, timeout_seconds=5)) as administrator:
                remove_pat(administrator, READER.id, READER.token_id)
            start = time.perf_counter()
            while load.run(server.port, [request], connections=1, seconds=0.02).statuses[200]:
                pass
            rows.append((f"{ttl} s", f"{time.perf_counter() - start:.2f} s"))
    show("A deleted PAT is refused after", ["ZDEMO_CACHE_TTL", "refused after"], rows)


def hanging() -> None:
    """Measure known tokens and the public route, alone and while 200 requests with unknown tokens wait."""
    rows = []
    with stand.upstream() as zitadel, stand.api(zitadel, cache_ttl=120, timeout=5) as server:
        for name, request in (("known token", PRIVATE), ("public", PUBLIC)):
            load.run(server.port, [request], connections=4, seconds=0.5)
            calm = load.run(server.port, [request], connections=4, seconds=3)
            waiting = [load.Connection(server.port) for _ in range(200)]
            for number, connection in enumerate(waiting):
                connection.send(load.request("/api/private", f"hang-{name.replace(' ', '-')}-{number}"))
            loaded = load.run(server.port, [request], connections=4, seconds=3)
            statuses = {_answer(connection) for connection in waiting}
            p99, p99_loaded = calm.quantile(0.99) * 1000, loaded.quantile(0.99) * 1000
            failed = sum(loaded.statuses.values()) - loaded.statuses[200]
            row = (name, f"{p99:.1f} ms", f"{p99_loaded:.1f} ms", f"**{p99_loaded / p99:.1f}**", failed)
            rows.append((*row, " ".join(map(str, sorted(statuses)))))
    header = ["4 connections", "p99 alone", "p99 while 200 wait", "ratio", "not 200", "the 200 get"]
    show("ZITADEL hangs", header, rows)
