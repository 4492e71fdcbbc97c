"""A faulty upstream: a raw-socket server that misbehaves as told, and records its requests.

``with upstream(answer(json_body({"active": True})), hang) as up:`` answers the first request and lets the second hang;
the last behaviour serves all that follow. ``tests.support.connection_faults`` has behaviours by name. Everything ends
with the ``with`` block, hanging requests too.
"""

import json
import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import parse_headers
from typing import Any, NamedTuple
from urllib.parse import parse_qs

LOOPBACK = "127.0.0.1"
DRIP_SECONDS = 1.0
JOIN_SECONDS = 10
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all
TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS client (RFC 8446 §5.1)


class Received(NamedTuple):
    """A request as it came. Header names are in lower case; ``connection`` counts connections from 0."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass
class Connection:
    sock: socket.socket
    number: int
    stopping: threading.Event
    received: Received | None = None

    def send(self, data: bytes) -> None:
        with suppress(OSError):  # the client has left
            self.sock.sendall(data)

    def read(self) -> Received | None:
        """Return the next request; ``None`` if the client has left or begins TLS, which is answered by a 400."""
        with self.sock.makefile("rb") as stream:
            if stream.peek(1)[:1] == TLS_HANDSHAKE:
                self.send(http(b"", 400))
                return None
            if not (first := stream.readline().decode("latin-1")):
                return None
            method, target, _ = first.split(" ", 2)
            headers = {name.lower(): value for name, value in parse_headers(stream).items()}
            body = stream.read(int(headers.get("content-length", "0")))
        return Received(method=method, target=target, headers=headers, body=body, connection=self.number)


Behaviour = Callable[[Connection], bool]
"""A function that acts on a connection after a request, and returns whether the connection stays open."""


def http(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    reason = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def json_body(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def answer(body: bytes, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Behaviour:
    def behave(connection: Connection) -> bool:
        connection.send(http(body, status, headers))
        return True

    return behave


def raw(data: bytes) -> Behaviour:
    def behave(connection: Connection) -> bool:
        connection.send(data)
        return False

    return behave


def drip(prompt: bytes, slow: bytes, seconds: float = DRIP_SECONDS) -> Behaviour:
    """Return a behaviour that sends ``prompt`` at once, then ``slow`` byte by byte."""

    def behave(connection: Connection) -> bool:
        connection.send(prompt)
        with suppress(OSError):  # the client has left
            for at in range(len(slow)):
                connection.sock.sendall(slow[at : at + 1])
                if connection.stopping.wait(seconds):
                    break
        return False

    return behave


def after(seconds: float, behaviour: Behaviour) -> Behaviour:
    def behave(connection: Connection) -> bool:
        return not connection.stopping.wait(seconds) and behaviour(connection)

    return behave


def depending(choose: Callable[[Received], Behaviour]) -> Behaviour:
    def behave(connection: Connection) -> bool:
        assert connection.received is not None, "only for behaviours that follow a request"
        return choose(connection.received)(connection)

    return behave


def hang(connection: Connection) -> bool:
    """Send nothing until the upstream stops."""
    connection.stopping.wait()
    return False


def hang_up(connection: Connection) -> bool:  # noqa: ARG001  # the signature of a behaviour
    """Close before a byte of the answer."""
    return False


def reset(connection: Connection) -> bool:
    """Close with RST before a byte of the answer."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    return False


class Upstream:
    """The server. ``requests`` records the requests; ``now`` changes the behaviours."""

    def __init__(self, behaviours: Sequence[Behaviour], on_connect: Behaviour | None, tls: ssl.SSLContext | None):
        self.requests: list[Received] = []
        self.stopping = threading.Event()
        self._on_connect, self._tls = on_connect, tls
        self._lock = threading.Lock()
        self._accepted: list[Connection] = []
        self._threads: list[threading.Thread] = []
        self._script = list(behaviours) or [hang_up]
        self._listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._accepted)

    def now(self, *behaviours: Behaviour) -> None:
        """Use other behaviours from the next request on, the last of them for all that follow."""
        with self._lock:
            self._script = list(behaviours)

    def stop(self) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(JOIN_SECONDS)
        for connection in self._accepted:
            with suppress(OSError):  # it has ended
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
            assert not thread.is_alive(), "a behaviour does not end with its upstream"

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._accepted.append(Connection(sock, self.connections, self.stopping))
            thread = threading.Thread(target=self._serve, args=self._accepted[-1:], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            if self._on_connect is None or self._on_connect(connection):
                self._converse(connection)
        except OSError:
            pass  # the client left, or its handshake failed: the test sees that at the other end
        finally:
            connection.sock.close()

    def _converse(self, connection: Connection) -> None:
        if self._tls:
            secure = self._tls.wrap_socket(connection.sock, server_side=True, do_handshake_on_connect=False)
            connection.sock = secure
            secure.do_handshake()
        while (received := connection.read()) is not None:
            connection.received = received
            with self._lock:
                self.requests.append(received)
                behaviour = self._script.pop(0) if len(self._script) > 1 else self._script[0]
            if not behaviour(connection):
                return


@contextmanager
def upstream(
    *behaviours: Behaviour, on_connect: Behaviour | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Upstream]:
    """Run an upstream: the first request gets the first behaviour, the last one serves all that follow.

    ``on_connect`` comes before anything is read, TLS included; what is read follows only when it returns true.
    """
    server = Upstream(behaviours, on_connect, tls)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a port that refuses connections and that no other program can take meanwhile."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        yield int(sock.getsockname()[1])


# Below those from which a system takes a port for every connection that is opened: one of them might be taken by a
# test that runs at the same time, between this look and the start of what shall listen there.
FIRST, LAST = 20_000, 32_000


def free_port() -> int:
    while True:
        port = random.randrange(FIRST, LAST)  # noqa: S311  # nothing secret
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        return port
