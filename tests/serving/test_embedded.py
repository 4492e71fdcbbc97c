"""A WSGI application served inside a process: a free port, many clients, and a clean end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support import processes
from tests.support.wire import converse, exchange, request
from zdemo.serving.embedded import LOOPBACK, SILENT_SECONDS, serving
from zdemo.serving.production import port_is_free

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
        assert not port_is_free(LOOPBACK, port)
        reply = exchange(port, request("/path", "Authorization: Bearer a", "Authorization: Bearer b"))
        assert reply.body == b"/path Bearer a, Bearer b"
        assert reply.one("date")
        assert reply.all("server") == []
    assert port_is_free(LOOPBACK, port)
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
