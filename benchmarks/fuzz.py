"""Send mutated requests over sockets to an API that is started for it: ``python -m benchmarks.fuzz [COUNT [SEED]]``.

Reports every 5xx, every protected answer to a request without the one good token, and how much the memory of the
server's processes grew. The exit status is 1 if there is any of the first two.
"""

from __future__ import annotations

import argparse
import random
import re
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load, stand

COUNT = 100_000
THREADS = 8
PER_CONNECTION = 50
STALL_SECONDS = 0.3  # a mutation may promise a body that never comes
GOOD = stand.TOKEN.encode()
PROTECTED = b"Private"  # begins the message of both protected routes
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

READY = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
SEEDS = [
    b"GET /api/public HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /api/private HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n" % GOOD,
    b"GET /api/private-scoped HTTP/1.1\r\nHost: a\r\nAuthorization: bearer %s\r\n\r\n" % GOOD,
    b"GET /api/private HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer bad-token\r\n\r\n",
    b"GET /api/private?access_token=bad HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /api/private HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 16\r\n\r\naccess_token=bad",
    b"GET /api/private HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    READY,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
]
PIECES = [
    b"Bearer ", b"Basic ", b"Authorization: Bearer x\r\n", b",", b"\t", b" ", b"\x00", b"\xff\xfe", b"%00", b"%0a",
    b"%1b", b"../", b"//", b"?", b"=", b"\r\n", b"access_token=x", b"bad", b"{}", b"A" * 70_000, b"A" * 20_000, b"-",
    b"HTTP/2.0", "\u200b\u201c".encode(),
]  # fmt: skip


@dataclass
class Report:
    """The result of a run. ``failures`` holds the failed requests, shortened."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def mutated(chance: random.Random) -> bytes:
    """Return a request: a seed with some bytes changed, inserted, removed, or with a piece of another seed."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data))
        action = chance.randrange(4)
        if action == 0:
            data[at] = chance.randrange(256)
        elif action == 1:
            data[at:at] = chance.choice(PIECES)
        elif action == 2:
            del data[at : at + chance.randrange(1, 9)]
        else:
            other = chance.choice(SEEDS)
            data[at:at] = other[chance.randrange(len(other)) :][: chance.randrange(1, 60)]
    return bytes(data) if b"\r\n\r\n" in data else bytes(data) + b"\r\n\r\n"


def answer_to(sock: socket.socket, request: bytes) -> tuple[int, bytes] | None:
    """Return status and body; ``None`` if the server waits for more, or closed the connection."""
    sock.sendall(request)
    buffer = b""
    while True:
        received = sock.recv(load.RECEIVE_BYTES)
        if not received:
            return None
        buffer += received
        head, blank_line, body = buffer.partition(b"\r\n\r\n")
        if not blank_line:
            continue
        length = LENGTH.search(head)
        if length is None or len(body) >= int(length[1]) or request.lstrip().startswith(b"HEAD"):
            return int(head[9:12]), body


def attack(port: int, count: int, chance: random.Random, report: Report) -> None:
    """Send ``count`` requests, several per connection; a request without an answer ends its connection."""
    sent = 0
    while sent < count:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.settimeout(STALL_SECONDS)
            for _ in range(min(PER_CONNECTION, count - sent)):
                sent += 1
                request = mutated(chance)
                try:
                    answer = answer_to(sock, request)
                except OSError:
                    answer = None
                judge(request, answer, report)
                if answer is None or answer[0] == 400 or request.find(b"\r\n\r\n") != len(request) - 4:
                    break  # what comes next on this connection could be the answer to a second request in this one


def judge(request: bytes, answer: tuple[int, bytes] | None, report: Report) -> None:
    """Count the answer, and keep the request if the answer is wrong."""
    status, body = answer or (0, b"")
    wrong = status >= 500 or (status == 200 and body.find(PROTECTED, 0, 40) >= 0 and GOOD not in request)
    with report.lock:
        report.statuses[status] += 1
        if wrong:
            report.failures.append(f"{status}: {request[:300]!r}")


def resident_mib(process: int) -> float:
    """Return the memory of a process and its children in MiB; 0 on a system without /proc."""
    total, queue = 0.0, [process]
    while queue:
        pid = queue.pop()
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            total += int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) / 1024  # type: ignore[index]  # Linux has it
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                queue += map(int, children.read_text().split())
    return total


def main() -> int:
    """Run the requests and print the report."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    arguments.add_argument("count", type=int, nargs="?", default=COUNT, help=f"requests (default {COUNT})")
    arguments.add_argument("seed", type=int, nargs="?", default=int(time.time()), help="repeats a run")
    count, seed = (given := arguments.parse_args()).count, given.seed
    report = Report()
    with stand.upstream(only=stand.TOKEN) as zitadel, stand.api(zitadel, "--open-metrics") as server:
        load.run(server.port, [READY], connections=1, seconds=0.1)  # until it has asked once, it is not ready: 503
        memory, start = [], time.monotonic()
        for part in range(5):
            threads = [
                threading.Thread(
                    target=attack,
                    args=(server.port, count // 5 // THREADS, random.Random(f"{seed}-{part}-{n}"), report),  # noqa: S311  # no secret
                )
                for n in range(THREADS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            memory.append(resident_mib(server.process.pid))
        seconds = time.monotonic() - start
    print(f"seed {seed}: {sum(report.statuses.values())} requests in {seconds:.0f} s")
    print("statuses:", ", ".join(f"{status or 'none'} {n}" for status, n in sorted(report.statuses.items())))
    print("memory after each fifth:", ", ".join(f"{m:.0f} MiB" for m in memory))
    print(f"wrong answers: {len(report.failures)}", *report.failures[:20], sep="\n")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
