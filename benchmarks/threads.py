"""How many threads, which options of Granian, and how many workers: each choice against the others in one run."""

from __future__ import annotations

import json
import re
import resource
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path

from benchmarks import load, stand
from benchmarks.stand import TOKEN
from benchmarks.tables import PRIVATE, show

COUNTS = (4, 16, 32, 64, 128, 256)  # --threads
CONNECTIONS = (1, 16, 64)
SECONDS = 0.6
ROUNDS = 3
TTL = 600
TOKENS = [load.request("/api/private", f"a-known-token-of-many-characters-{number:04d}") for number in range(1000)]
WORKER_ROUNDS, WRK_SECONDS = 7, 2
# How many requests wrk sends at once over each connection. With several, it takes less processor time from the server.
AT_ONCE = {1: "each waits for its answer", 8: "8 at once each"}
PIPELINE = Path(__file__).parent / "several_at_once.lua"
SLOW_MS, SLOW_TTL, SLOW_SECONDS = 25, 1, 2.0
HANGING, HANG_TIMEOUT, HANG_SECONDS = 200, 2, 1.5
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "as zdemo serve": {},
    "runtime_threads 2": {"runtime_threads": 2},
    "runtime_mode st": {"runtime_mode": "st"},
    "runtime_mode mt": {"runtime_mode": "mt"},
    "128 blocking threads": {"blocking_threads": 128},
    "16 blocking threads": {"blocking_threads": 16},
    "backpressure 16": {"backpressure": 16},
    "backpressure 128": {"backpressure": 128},
    "pipeline_flush": {"http1_settings": {"pipeline_flush": True}},
    "without keep-alive": {"http1_settings": {"keep_alive": False}},
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Several rounds with the same requests: as one, and the least processor time that a round took per request."""

    result: load.Result
    server_cpu: float  # microseconds

    @property
    def cell(self) -> str:
        """The requests per second that were answered 200, and the p99."""
        return f"{self.result.statuses[200] / self.result.seconds:.0f}/s, {1000 * self.result.quantile(0.99):.1f} ms"


def threads() -> None:
    """Print the three tables."""
    _show_counts()
    _show_options()
    _show_workers()


def _rounds(servers: Mapping[str, stand.Server], requests: Sequence[bytes], connections: int) -> dict[str, Measured]:
    """Measure all servers in turn, since a machine may get slower."""
    rounds: dict[str, list[Measured]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            used = stand.used_seconds(server)
            result = load.run(server.port, requests, connections=connections, seconds=SECONDS)
            used_cpu = 1e6 * (stand.used_seconds(server) - used) / len(result.latencies)
            rounds[name].append(Measured(result=result, server_cpu=used_cpu))
    return {
        name: Measured(
            result=load.merged([measured.result for measured in several]),
            server_cpu=min(measured.server_cpu for measured in several),
        )
        for name, several in rounds.items()
    }


def _show_counts() -> None:
    rows: dict[str, list[str]] = {str(count): [str(count)] for count in COUNTS}
    with stand.upstream() as zitadel, ExitStack() as stack:
        servers = {
            name: stack.enter_context(stand.api(zitadel, "--threads", name, cache_ttl=TTL, timeout=HANG_TIMEOUT))
            for name in rows
        }
        for server in servers.values():
            load.run_paced(server.port, TOKENS, per_second=2000, seconds=0.5)  # each token once
        for connections in CONNECTIONS:
            for name, measured in _rounds(servers, [PRIVATE], connections).items():
                rows[name].append(measured.cell)
        for name, measured in _rounds(servers, TOKENS, 16).items():
            rows[name].append(measured.cell)
        slow = [_slow(int(name)) for name in rows]
        for (name, server), cell in zip(servers.items(), slow, strict=True):
            rows[name] += [cell, *_hanging(server)]
    header = ["--threads", *(f"{count} connections" for count in CONNECTIONS), "16, 1,000 tokens"]
    header += [f"64, 1,000 tokens, TTL {SLOW_TTL} s, introspections of {SLOW_MS} ms"]
    header += [f"16, {HANGING} requests hang: known token", "not 200"]
    show("Threads: requests per second, and p99; known tokens", header, rows.values())


def _slow(count: int) -> str:
    with (
        stand.upstream(SLOW_MS) as zitadel,
        stand.api(zitadel, "--threads", str(count), cache_ttl=SLOW_TTL) as server,
    ):
        load.run(server.port, TOKENS, connections=64, seconds=SLOW_TTL)
        result = load.run(server.port, TOKENS, connections=64, seconds=SLOW_SECONDS)
    failed = sum(result.statuses.values()) - result.statuses[200]
    return f"{result.statuses[200] / result.seconds:.0f}/s, {1000 * result.quantile(0.99):.0f} ms, {failed} not 200"


def _hanging(server: stand.Server) -> tuple[str, str]:
    """Measure a known token while requests with others wait for a ZITADEL that does not answer."""
    waiting = [load.Connection(server.port) for _ in range(HANGING)]
    try:
        for number, connection in enumerate(waiting):
            connection.send(load.request("/api/private", f"hang-{number}"))
        result = load.run(server.port, [PRIVATE], connections=16, seconds=HANG_SECONDS)
    finally:
        for connection in waiting:
            with suppress(OSError):
                connection.sock.close()
    cell = f"{result.statuses[200] / result.seconds:.0f}/s, {1000 * result.quantile(0.99):.1f} ms"
    return cell, str(sum(result.statuses.values()) - result.statuses[200])


def _show_options() -> None:
    rows: dict[str, list[str]] = {name: [name] for name in OPTIONS}
    with stand.upstream() as zitadel, ExitStack() as stack:
        servers = {
            name: stack.enter_context(stand.api(zitadel, json.dumps(options), kind="tuned", cache_ttl=TTL))
            for name, options in OPTIONS.items()
        }
        for connections in (16, 64):
            for name, measured in _rounds(servers, [PRIVATE], connections).items():
                rows[name] += [measured.cell, f"{measured.server_cpu:.0f} µs"]
    show("Options of Granian", ["", "16 connections", "CPU", "64 connections", "CPU"], rows.values())


def _show_workers() -> None:
    """Compare one worker with two. The client needs the processor too, so two may not reach twice as much."""
    wrk = shutil.which("wrk")  # a client that needs little
    rows = list(_worker_rows(wrk)) if wrk else [("not measured: wrk is not installed",)]
    header = ["connections", "1 worker", "2 workers", "ratio", "CPU of the server", "CPU of the client"]
    header += ["most that two cores allow"]
    show("Workers, on two cores that the client shares", header, rows)


def _worker_rows(wrk: str) -> Iterator[Sequence[object]]:
    with (
        stand.upstream() as zitadel,
        stand.api(zitadel, cache_ttl=TTL) as one_worker,
        stand.api(zitadel, "--workers", "2", cache_ttl=TTL) as two_workers,
    ):
        for server in (one_worker, two_workers):
            load.run(server.port, [PRIVATE], connections=16, seconds=SECONDS)
        for connections, (at_once, how) in product((16, 64), AT_ONCE.items()):
            rounds = [
                [_driven(wrk, server, connections, at_once) for server in (one_worker, two_workers)]
                for _ in range(WORKER_ROUNDS)
            ]
            single, double = (_middle([pair[at] for pair in rounds]) for at in (0, 1))
            ratio = statistics.median(pair[1].rate / pair[0].rate for pair in rounds)
            most = 2e6 / (double.server_cpu + double.client_cpu) / single.rate
            cpu = f"{single.server_cpu:.0f} µs, {double.server_cpu:.0f} µs", f"{double.client_cpu:.0f} µs"
            yield f"{connections}, {how}", single.cell, double.cell, f"**{ratio:.2f}**", *cpu, f"{most:.2f}"


@dataclass(frozen=True, kw_only=True)
class Driven:
    """What wrk got from a server, and the processor time that both took."""

    rate: float  # requests per second
    p99: float  # milliseconds; 0 with several requests at once, because wrk does not know when it sent each
    server_cpu: float  # microseconds per request
    client_cpu: float

    @property
    def cell(self) -> str:
        """The requests per second, and the p99."""
        return f"{self.rate:.0f}/s, {self.p99:.1f} ms" if self.p99 else f"{self.rate:.0f}/s"


def _middle(several: Sequence[Driven]) -> Driven:
    names = [field.name for field in fields(Driven)]
    return Driven(**{name: statistics.median(getattr(driven, name) for driven in several) for name in names})


def _driven(wrk: str, server: stand.Server, connections: int, at_once: int) -> Driven:
    """Run wrk with a known token."""
    used, own = stand.used_seconds(server), _children_seconds()
    arguments = ["-t1", f"-c{connections}", f"-d{WRK_SECONDS}s", "--latency", "-H", f"Authorization: Bearer {TOKEN}"]
    arguments += ["-s", str(PIPELINE), f"http://127.0.0.1:{server.port}/api/private", "--", str(at_once)]
    text = subprocess.check_output([wrk, *arguments], text=True)
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", text)[0]
    count = int(re.findall(r"(\d+) requests in", text)[0])
    return Driven(
        rate=float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
        p99=0 if at_once > 1 else float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
        server_cpu=1e6 * (stand.used_seconds(server) - used) / count,
        client_cpu=1e6 * (_children_seconds() - own) / count,
    )


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
