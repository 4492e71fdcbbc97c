"""A WSGI application served inside a process: a free port, many clients, and a clean end."""

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.wire import converse, exchange, request
from zdemo.serving.embedded import LOOPBACK, serving

DEADLINE_SECONDS = 10
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OPEN_FILES = Path("/proc/self/fd")  # on Linux


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = f"{environ['PATH_INFO']} {environ.get('HTTP_AUTHORIZATION')}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def length(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def get(port: int, *fields: str, target: str = "/path") -> bytes:
    return exchange(port, request(target, *fields)).body


def test_it_serves_on_a_free_port_while_the_block_runs_and_on_the_same_one_again() -> None:
    with serving(hello) as port:
        reply = exchange(port, request("/path", "Authorization: Bearer a", "Authorization: Bearer b"))
        assert reply.body == b"/path Bearer a,Bearer b"
        assert reply.one("date")
        assert reply.all("server") == []
    with serving(hello, port=port) as again:
        assert again == port
        assert get(port) == b"/path None"


@pytest.fixture
def silence(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The server says nothing."""
    yield
    assert ("".join(capfd.readouterr()), caplog.get_records("call")) == ("", [])


BROKEN = {
    "TLS": (400, b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n"),
    "Redis": (400, b"*1\r\n$4\r\nPING\r\n"),
    "no URL": (0, b"GET http://[ HTTP/1.1\r\n\r\n"),
    "many fields": (431, request("/", *["Name: value"] * 300)),
    "long path": (414, request("/" + "a" * 1_000_000)),
}


@pytest.mark.usefixtures("silence")
def test_a_broken_request_does_not_disturb_the_next_one() -> None:
    with serving(hello) as port:
        for status, sent in BROKEN.values():
            assert exchange(port, sent).status == status
            assert get(port) == b"/path None"


def test_clients_that_do_not_finish_block_no_others_and_can_finish_later() -> None:
    begun = request("/path", "Content-Length: 7", method="POST")
    with serving(length) as port, ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection((LOOPBACK, port), DEADLINE_SECONDS)) for _ in range(40)]
        for number, client in enumerate(slow):
            client.sendall((begun + b"to")[: number * 2])
        assert get(port) == b"0"
        assert converse(slow[1], begun[2:] + b"content").body == b"7"


@pytest.mark.parametrize("end", ["itself", "client", "server"])
def test_a_stream_of_events_ends_by_itself_or_with_its_client_or_with_the_server_and_is_closed(end: str) -> None:
    closed = threading.Event()

    def events(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        try:
            for _ in range(3 if end == "itself" else 1 << 30):
                time.sleep(0.01)
                yield b": still here\n\n"
        finally:
            closed.set()

    with ExitStack() as clients:
        with serving(events) as port:
            sock = clients.enter_context(socket.create_connection((LOOPBACK, port), DEADLINE_SECONDS))
            sock.sendall(request("/"))
            assert sock.recv(1 << 16)
            if end == "client":
                sock.close()
            assert end == "server" or closed.wait(DEADLINE_SECONDS)
        assert closed.is_set()


CHUNKED = "Transfer-Encoding: chunked"
CUT = [
    ("Content-Length: 10", b"token"),
    (CHUNKED, b"5\r\ntok"),
    (CHUNKED, b"186A0\r\n" + b"a" * 50_000),
    (CHUNKED, b"3\r\nabc\r\n"),
    (CHUNKED, b"-1\r\n"),
    (CHUNKED, b"g\r\n"),
]


@pytest.mark.parametrize(("field", "body"), CUT)
def test_a_body_that_ends_too_early_is_not_taken_for_a_whole_one(field: str, body: bytes) -> None:
    received: list[bytes] = []

    def read(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        while piece := environ["wsgi.input"].read(1 << 14):
            received.append(piece)
        return hello(environ, start_response)

    with serving(read) as port, socket.create_connection((LOOPBACK, port), DEADLINE_SECONDS) as sock:
        sock.sendall(request("/", field, method="POST") + body)
        sock.shutdown(socket.SHUT_WR)
        assert converse(sock, b"").status == 500
    assert b"".join(received) in body


@pytest.mark.usefixtures("silence")
def test_an_application_that_fails_is_a_500_and_the_next_request_is_served() -> None:
    def moody(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/fail":
            raise RuntimeError("on purpose")
        return hello(environ, start_response)

    with serving(moody) as port:
        reply = exchange(port, request("/fail"))
        assert (reply.status, b"on purpose" in reply.body) == (500, False)
        assert get(port) == b"/path None"


def test_leaving_ends_silent_and_waiting_clients_in_time_and_leaves_no_thread_and_no_file() -> None:
    began, waits = threading.Event(), threading.Event()

    def wait(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        began.set()
        environ["wsgi.input"].read()
        waits.set()
        return hello(environ, start_response)

    def held() -> tuple[set[threading.Thread], set[str]]:
        return set(threading.enumerate()), set(os.listdir(OPEN_FILES)) if OPEN_FILES.exists() else set()

    threads, files = held()
    with ExitStack() as clients:
        with serving(wait) as port:
            silent, waiting = (clients.enter_context(socket.create_connection((LOOPBACK, port), 10)) for _ in range(2))
            waiting.sendall(request("/", "Content-Length: 1"))
            assert began.wait(DEADLINE_SECONDS)
        assert (closed(silent), closed(waiting)) == (True, True)
    still, open_files = held()
    assert still <= threads
    assert open_files <= files  # what other tests left may have been closed meanwhile


def closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True
