"""Print all tables, or those that are named: ``python -m benchmarks [NAME ...]``."""

from __future__ import annotations

import os
import platform
import sys
import time

from benchmarks.carry import carry
from benchmarks.cpu import cpu
from benchmarks.flood import flood
from benchmarks.forgetting import forget
from benchmarks.grpc_calls import grpc_calls
from benchmarks.memory import memory
from benchmarks.observe import observe
from benchmarks.paint import paint
from benchmarks.proxy import proxy
from benchmarks.published import published
from benchmarks.start import start
from benchmarks.tables import asgi, cached_against_uncached, cold, hanging, removal, servers, warm
from benchmarks.threads import threads
from zdemo.serving.production import most_connections

TABLES = {
    "warm": warm,
    "observe": observe,
    "cpu": cpu,
    "threads": threads,
    "servers": servers,
    "cached": cached_against_uncached,
    "asgi": asgi,
    "proxy": proxy,
    "cold": cold,
    "removal": removal,
    "forget": forget,
    "published": published,
    "carry": carry,
    "hanging": hanging,
    "flood": flood,
    "start": start,
    "memory": memory,
    "paint": paint,
    "grpc": grpc_calls,
}


def main() -> None:
    """Print a description of the machine, then measure."""
    unknown = set(sys.argv[1:]) - TABLES.keys()
    if unknown:
        raise SystemExit(f"unknown table: {', '.join(sorted(unknown))} (one of {', '.join(TABLES)})")
    most_connections()  # raises the limit of open files
    cores, python = os.cpu_count(), platform.python_version()
    print(f"{time.strftime('%Y-%m-%d')}, {cores} cores, {platform.machine()}, {platform.system()}, Python {python}")
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()


if __name__ == "__main__":
    main()
