"""The emulator by JSON and by gRPC: calls per second, and the time of its start with and without the extra ``grpc``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import requests

from benchmarks import stand, tables
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER

GET = "/zitadel.user.v2.UserService/GetUserByID"
BEARER = f"Bearer {ADMIN.pat}"
MESSAGE = b"\x0a" + bytes([len(READER.id)]) + READER.id.encode()
SECONDS = 3.0
ROUNDS = 9
WITHOUT = "import sys; sys.modules['grpc'] = None; from zdemo.cli import main; main()"  # as if it were not installed


def rate(call: Callable[[], object], threads: int) -> str:
    """Return how often some threads call per second."""

    def repeat(end: float) -> int:
        count = 0
        while time.perf_counter() < end:
            call()
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        counts = pool.map(repeat, [time.perf_counter() + SECONDS] * threads)
        return f"{sum(counts) / SECONDS:.0f}/s"


def started(*program: str) -> float:
    """Return the seconds from the start of an emulator to its first line."""
    start = time.perf_counter()
    command = [sys.executable, *program, "emulator", "--port", str(stand.free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        process.stdout.readline()
        seconds = time.perf_counter() - start
        process.terminate()
        return seconds


def grpc_calls() -> None:
    """Measure calls with one client and with eight, then starts in turn."""
    port = stand.free_port()
    command = [sys.executable, "-m", "zdemo", "emulator", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        process.stdout.readline()
        url, headers = f"http://localhost:{port}", {"Authorization": BEARER}

        def introspect() -> None:
            form = {"token": READER.pat}
            requests.post(f"{url}/oauth/v2/introspect", form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=9).json()

        def by_json() -> None:
            requests.post(url + GET, json={"userId": READER.id}, headers=headers, timeout=9).json()["user"]

        with grpc.insecure_channel(f"localhost:{port}") as channel:
            ask: Any = channel.unary_unary(GET)
            metadata = (("authorization", BEARER),)

            def by_grpc() -> None:
                ask(MESSAGE, metadata=metadata)

            begin = time.perf_counter()
            by_grpc()
            first = time.perf_counter() - begin
            calls = {"introspection": introspect, "GetUserByID, JSON": by_json, "GetUserByID, gRPC": by_grpc}
            rows = [(name, rate(call, 1), rate(call, 8)) for name, call in calls.items()]
        process.terminate()
    tables.show("The emulator's answers", ["call", "1 client", "8 clients"], rows)
    pairs = [(started("-c", WITHOUT), started("-m", "zdemo")) for _ in range(ROUNDS)]
    without, extra = (f"{statistics.median(column) * 1000:.0f} ms" for column in zip(*pairs, strict=True))
    more = f"{statistics.median(b - a for a, b in pairs) * 1000:.0f} ms"
    row = (without, extra, more, f"{first * 1000:.0f} ms")
    tables.show("Its start", ["without grpc", "with grpc", "difference", "first call by gRPC"], [row])
