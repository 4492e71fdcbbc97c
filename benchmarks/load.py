"""A load generator: several connections that each send one request after the other for some time."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RECEIVE_BYTES = 65536
PATIENCE_SECONDS = 20.0
MOST_CONNECTIONS = 8_000  # for a rate that the server cannot handle


def request(path: str, token: str | None = None) -> bytes:
    """Return the bytes of a GET request for a connection that stays open."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n".encode()


@dataclass(kw_only=True)
class Result:
    """The result of a run. ``latencies`` are seconds, sorted."""

    seconds: float
    latencies: list[float] = field(repr=False)
    statuses: Counter[int]

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, q: float) -> float:
        """Return the number of seconds that this share of the requests stayed below."""
        return self.latencies[min(len(self.latencies) - 1, int(q * len(self.latencies)))]


def merged(results: Sequence[Result]) -> Result:
    """Return several runs as one."""
    return Result(
        seconds=sum(result.seconds for result in results),
        latencies=sorted(latency for result in results for latency in result.latencies),
        statuses=sum((result.statuses for result in results), Counter()),
    )


class Connection:
    """One connection, with one request at a time."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sent_at = 0.0

    def send(self, data: bytes) -> None:
        """Send a request, and start its clock."""
        self.buffer = b""
        self.sent_at = time.perf_counter()
        self.sock.sendall(data)

    def status(self) -> int | None:
        """Return the status if the answer is complete, else ``None``; 0 if the server closed the connection."""
        received = self.sock.recv(RECEIVE_BYTES)
        if not received:
            return 0
        self.buffer += received
        head, blank_line, body = self.buffer.partition(b"\r\n\r\n")
        if not blank_line:
            return None
        length = LENGTH.search(head)
        return int(head[9:12]) if length is None or len(body) >= int(length[1]) else None


def run(port: int, requests: Sequence[bytes], *, connections: int, seconds: float) -> Result:
    """Send ``requests`` in turn over each of ``connections`` for ``seconds``; reopen a connection that was closed."""
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    count = 0

    def begin(connection: Connection) -> None:
        nonlocal count
        connection.send(requests[count % len(requests)])
        count += 1

    def open_one() -> None:
        connection = Connection(port)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        begin(connection)

    start = time.perf_counter()
    for _ in range(connections):
        open_one()
    while (now := time.perf_counter()) < start + seconds:
        events = selector.select(timeout=PATIENCE_SECONDS)
        for key, _ in events:
            connection: Connection = key.data
            status = connection.status()
            if status is None:
                continue
            statuses[status] += 1
            if status == 0:
                selector.unregister(connection.sock)
                connection.sock.close()
                open_one()
                continue
            latencies.append(time.perf_counter() - connection.sent_at)
            begin(connection)
        if not events:
            break
    elapsed = now - start
    for key in list(selector.get_map().values()):
        key.data.sock.close()
    selector.close()
    return Result(seconds=max(elapsed, 1e-9), latencies=sorted(latencies) or [0.0], statuses=statuses)


def run_paced(
    port: int, requests: Sequence[bytes], *, per_second: float, seconds: float, connections: int = 0
) -> Result:
    """Send ``requests`` in turn at a fixed rate, each over a connection that is free, however slow the answers are.

    Each takes its turn, and so many are open from the start: the system spreads connections over workers, not requests.
    The time of a request counts from the moment when it was due. One for which there is no connection is not answered.
    """
    selector = selectors.DefaultSelector()
    free = deque(Connection(port) for _ in range(connections))
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    start = time.perf_counter()
    due = [start + number / per_second for number in range(int(per_second * seconds))]
    sent = lost = 0
    while len(latencies) + lost < len(due):
        while sent < len(due) and due[sent] <= time.perf_counter():
            if not free and len(selector.get_map()) >= MOST_CONNECTIONS:
                sent, lost = sent + 1, lost + 1
                continue
            connection = free.popleft() if free else Connection(port)
            connection.send(requests[sent % len(requests)])
            connection.sent_at = due[sent]
            selector.register(connection.sock, selectors.EVENT_READ, connection)
            sent += 1
        wait_seconds = max(0.0, due[sent] - time.perf_counter()) if sent < len(due) else PATIENCE_SECONDS
        events = selector.select(wait_seconds)
        if not events and sent == len(due):
            break
        for key, _ in events:
            connection = key.data
            status = connection.status()
            if status is None:
                continue
            selector.unregister(connection.sock)
            statuses[status] += 1
            latencies.append(time.perf_counter() - connection.sent_at)
            if status:
                free.append(connection)
            else:
                connection.sock.close()
    statuses[0] += len(due) - len(latencies)
    for connection in (*free, *(key.data for key in selector.get_map().values())):
        connection.sock.close()
    selector.close()
    return Result(seconds=seconds, latencies=sorted(latencies) or [0.0], statuses=statuses)
