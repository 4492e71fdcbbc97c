"""A WSGI application served inside a process: a free port, many clients, and a clean end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support import processes
from tests.support.wire import Reply, chunked, converse, exchange, parse, request
from zdemo.serving.connections import MOST_HEADER_FIELDS
from zdemo.serving.embedded import LOOPBACK, SILENT_SECONDS, serving

DEADLINE_SECONDS = 10


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with the path and the value of ``Authorization``."""
    body = f"{environ['PATH_INFO']} {environ.get('HTTP_AUTHORIZATION')}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def read_all(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    return hello(environ, start_response)


def get(port: int, *fields: str, target: str = "/path") -> bytes:
    return exchange(port, request(target, *fields)).body


def test_it_serves_on_a_free_port_while_the_block_runs_and_on_the_same_one_again() -> None:
    with serving(hello) as port:
        reply = exchange(port, request("/path", "Authorization: Bearer a", "Authorization: Bearer b"))
        assert reply.body == b"/path Bearer a, Bearer b"
        assert reply.one("date")
        assert reply.all("server") == []
    with serving(hello, port=port) as again:
        assert again == port
        assert get(port) == b"/path None"


def test_a_taken_port_and_a_foreign_host_are_os_errors() -> None:
    with serving(hello) as port, pytest.raises(OSError, match=str(port)), serving(hello, port=port):
        pass
    with pytest.raises(OSError, match=r"192\.0\.2\.1"), serving(hello, host="192.0.2.1"):
        pass


@pytest.mark.parametrize("target", ["//evil.example/path", "//path", "/a//b"])
def test_a_path_with_two_slashes_arrives_as_it_is(target: str) -> None:
    with serving(hello) as port:
        assert get(port, target=target) == f"{target} None".encode()


def test_a_client_that_speaks_http_2_is_disconnected_and_reported() -> None:
    reported = threading.Event()
    with serving(hello, on_http2=reported.set) as port:
        assert exchange(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 0
        assert reported.wait(DEADLINE_SECONDS)


BROKEN = [
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nno field\r\n\r\n",
    b"GET / FTP/1\r\n\r\n",
]


@pytest.mark.parametrize("request_text", BROKEN)
def test_a_broken_request_does_not_disturb_the_next_one(request_text: bytes) -> None:
    with serving(hello) as port:
        assert exchange(port, request_text).status != 200
        assert get(port) == b"/path None"


def test_requests_are_answered_side_by_side() -> None:
    """Each of them waits until all have arrived."""
    together = threading.Barrier(8)

    def meet(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        together.wait(DEADLINE_SECONDS)
        return hello(environ, start_response)

    with serving(meet, threads=8) as port, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, [port] * 8)) == [b"/path None"] * 8


@pytest.mark.parametrize(
    ("patient", "sent"),
    [
        (False, b""),
        (True, b""),
        (True, b"GET /path HTT"),
        (True, b"POST /path HTTP/1.1\r\nContent-Length: 7\r\n\r\ntok"),
    ],
    ids=["silent", "silent, patient server", "half a header", "half a body"],
)
def test_clients_that_do_not_finish_block_no_others(patient: bool, sent: bytes) -> None:
    with serving(read_all, threads=2, patient=patient) as port, ExitStack() as slow:
        for _ in range(40):
            slow.enter_context(socket.create_connection((LOOPBACK, port))).sendall(sent)
        start = time.monotonic()
        for _ in range(5):
            assert get(port) == b"/path None"
        assert time.monotonic() - start < SILENT_SECONDS / 2


def test_a_slow_client_is_answered_once_it_has_finished() -> None:
    with (
        serving(hello, threads=1, patient=True) as port,
        socket.create_connection((LOOPBACK, port), timeout=DEADLINE_SECONDS) as slow,
    ):
        slow.sendall(b"GET /path HTTP/1.1\r\nHo")
        get(port)
        assert converse(slow, b"st: x\r\nConnection: close\r\n\r\n").body == b"/path None"


# --- limits


def drip(port: int, head: bytes, piece: bytes) -> Reply:
    """Send the beginning of a request, then a piece every few milliseconds until the server has closed."""
    with socket.create_connection((LOOPBACK, port), timeout=DEADLINE_SECONDS) as sock:
        sock.sendall(head)
        sock.settimeout(0.02)
        received = b""
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            try:
                more = sock.recv(1 << 16)
            except TimeoutError:
                with suppress(ConnectionError):
                    sock.sendall(piece)
            except ConnectionError:
                break
            else:
                received += more
                if not more:
                    break
        else:
            pytest.fail("the client was never cut off")
    return parse(received)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"GET /", b"a"),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", b"a"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["line", "fields", "body", "chunks", "size of a chunk"],
)
@pytest.mark.parametrize("patient", [False, True])
def test_a_request_that_takes_too_long_is_cut_off_although_bytes_keep_coming(
    patient: bool, head: bytes, piece: bytes
) -> None:
    with serving(read_all, patient=patient, transfer_seconds=0.5) as port:
        assert drip(port, head, piece).status == 408


def test_a_client_that_does_not_read_is_cut_off() -> None:
    def large(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"a" * 50_000_000]

    def either(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return (large if environ["PATH_INFO"] == "/large" else hello)(environ, start_response)

    with serving(either, threads=1, transfer_seconds=0.5) as port, socket.create_connection((LOOPBACK, port)) as deaf:
        deaf.sendall(request("/large"))
        assert get(port) == b"/path None"


class Events:
    """An app whose response is a stream of events that does not end by itself."""

    def __init__(self, event: bytes) -> None:
        self.event = event
        self.ended = threading.Event()

    def __call__(self, _environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return self._events()

    def _events(self) -> Iterator[bytes]:
        try:
            while True:
                yield self.event
                time.sleep(0.01)
        finally:
            self.ended.set()


def test_a_stream_of_events_may_take_longer_than_a_response_but_ends_with_the_server() -> None:
    events = Events(b": still here\n\n")
    with ExitStack() as clients:
        with serving(events, transfer_seconds=0.3) as port:
            sock = clients.enter_context(socket.create_connection((LOOPBACK, port), timeout=DEADLINE_SECONDS))
            sock.sendall(request("/"))
            end = time.monotonic() + 1
            while time.monotonic() < end:
                assert sock.recv(1 << 16)
            start = time.monotonic()
        assert time.monotonic() - start < DEADLINE_SECONDS
    assert events.ended.is_set()


@pytest.mark.parametrize("leaves", [True, False])
def test_a_stream_of_events_ends_when_its_client_leaves_or_does_not_read(leaves: bool) -> None:
    events = Events(b": still here\n\n" if leaves else b"data: " + b"a" * 100_000 + b"\n\n")
    with serving(events, transfer_seconds=0.3) as port, socket.create_connection((LOOPBACK, port)) as sock:
        sock.sendall(request("/"))
        if leaves:
            sock.close()
        assert events.ended.wait(DEADLINE_SECONDS)


FIELD = "Name: value"


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (request("/", *[FIELD] * (MOST_HEADER_FIELDS - 2)), 200, b""),  # beside Host and Connection
        (request("/", *[FIELD] * (MOST_HEADER_FIELDS - 1)), 431, b"more than 100 header fields"),
        (request("/", *[FIELD] * 300), 431, b"more than 100 header fields"),
        (request("/", *[f"N{number}: a" for number in range(300)]), 431, b"more than 100 header fields"),
        (request("/", "Name: " + "a" * 1_000_000), 431, b"128 KiB"),
        (request("/", *["Name: " + "a" * 100_000] * 10), 431, b"128 KiB"),
        (request("/", "N" * 200_000 + ": a"), 431, b"128 KiB"),
        (request("/" + "a" * 1_000_000), 414, b""),
        (request("/", "Content-Length: -1"), 400, b"Content-Length"),
        (request("/", "Content-Length: +1"), 400, b"Content-Length"),
        (request("/", "Content-Length: 1_0"), 400, b"Content-Length"),
        (request("/", "Content-Length: " + "9" * 10_000), 400, b"Content-Length"),
        (request("/", "Content-Length: 1", "Content-Length: 2", body=b"ab"), 400, b"two lengths"),
        (request("/", "Content-Length: 2", body=b"ab"), 200, b""),
    ],
    ids=lambda value: None if isinstance(value, int) else "",
)
def test_header_fields_are_limited(data: bytes, status: int, words: bytes) -> None:
    with serving(read_all) as port:
        reply = exchange(port, data)
        assert reply.status == status
        assert words in reply.body
        assert get(port) == b"/path None"


CHUNKED = request("/", "Transfer-Encoding: chunked", method="POST", close=False)


def lengths(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with the length of the body."""
    body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.mark.parametrize(
    ("chunks", "length"),
    [
        (chunked(b"abc", b"d" * 100_000), b"100003"),
        (b"0003\r\nabc\r\n0\r\n\r\n", b"3"),
        (b"3;name=value\r\nabc\r\n0\r\n\r\n", b"3"),
        (b"A\r\n" + b"a" * 10 + b"\r\n00\r\nTrailer: value\r\nSecond: value\r\n\r\n", b"10"),
        (chunked(), b"0"),
    ],
    ids=["two", "zeros before", "extension", "trailers", "empty"],
)
def test_chunks_are_read_to_their_end_and_the_next_request_begins_behind_it(chunks: bytes, length: bytes) -> None:
    with serving(lengths) as port, socket.create_connection((LOOPBACK, port)) as sock:
        sock.sendall(CHUNKED + chunks)
        first = sock.recv(1 << 16)
        while not first.endswith(length):
            first += sock.recv(1 << 16)
        assert parse(first).body == length
        assert converse(sock, request("/", method="POST", body=b"12")).body == b"2"


@pytest.mark.parametrize(
    "chunks",
    [
        b"-1\r\n",
        b"+1\r\na\r\n0\r\n\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b"\r\n",
        b"g\r\n",
        b"3\nabc\n0\n\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1" * 17 + b"\r\n",
        b"1;" + b"a" * 5000 + b"\r\na\r\n0\r\n\r\n",
        b"0\r\n" + b"Trailer: value\r\n" * 101 + b"\r\n",
    ],
)
def test_broken_chunks_are_refused_and_what_follows_is_not_read(chunks: bytes) -> None:
    seen: list[str] = []

    def remembered(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["PATH_INFO"])
        return lengths(environ, start_response)

    with serving(remembered) as port:
        assert exchange(port, CHUNKED + chunks + request("/smuggled")).status == 500
        assert seen == ["/"]


@pytest.mark.parametrize("fields", [["Content-Length: 10"], ["Transfer-Encoding: chunked"]], ids=["length", "chunks"])
def test_a_body_that_nobody_reads_is_not_waited_for(fields: list[str]) -> None:
    with serving(hello, threads=1) as port:
        assert exchange(port, request("/path", *fields, close=False)).body == b"/path None"


def test_a_client_can_read_the_response_although_nobody_reads_its_large_body() -> None:
    with serving(hello) as port:
        assert exchange(port, request("/path", method="POST", body=b"a" * 50_000_000)).body == b"/path None"


def ask(client: socket.socket) -> None:
    """Send a request on a connection that stays open, and read the whole response."""
    client.sendall(request("/path", close=False))
    received = b""
    while not received.endswith(b"/path None"):
        more = client.recv(1 << 16)
        assert more, "closed"
        received += more


@pytest.mark.parametrize("beginning", [b"", b"GET /", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n"])
def test_a_connection_too_many_ends_the_one_whose_request_is_longest_ago(beginning: bytes) -> None:
    with serving(read_all, patient=True, most_connections=10) as port, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((LOOPBACK, port))) for _ in range(10)]
        for client in clients:
            client.settimeout(DEADLINE_SECONDS)
            ask(client)
        clients[1].sendall(beginning)
        others = (*clients[2:], clients[0])  # the oldest connection is not the one whose request is longest ago
        for client in others * 2:  # twice, since on a busy machine the first one may be seen before the beginning
            ask(client)
        assert get(port) == b"/path None"
        assert closed(clients[1])
        for client in (clients[0], *clients[2:]):
            ask(client)


def test_an_application_that_fails_is_a_500_and_the_next_request_is_served() -> None:
    def moody(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError("on purpose")
        return hello(environ, start_response)

    with serving(moody) as port:
        assert b"on purpose" not in get(port, target="/fail")
        assert get(port) == b"/path None"


def test_leaving_ends_kept_connections_and_silent_clients_in_time() -> None:
    with serving(hello) as port:
        silent = socket.create_connection((LOOPBACK, port))
        kept = HTTPConnection(LOOPBACK, port, timeout=DEADLINE_SECONDS)
        kept.request("GET", "/path")
        kept.getresponse().read()
        start = time.monotonic()
    assert time.monotonic() - start < DEADLINE_SECONDS
    with silent:
        silent.settimeout(DEADLINE_SECONDS)
        assert closed(silent)
    assert isinstance(kept.sock, socket.socket)
    assert closed(kept.sock)
    kept.close()


def closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def test_inside_a_process_granian_is_not_loaded() -> None:
    script = "import sys, zdemo.serving; print([name for name in ('granian', 'flask') if name in sys.modules])"
    assert processes.run_python(script) == "[]\n"
