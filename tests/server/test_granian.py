"""``zdemo serve`` as a process: the table again, on Granian, broken HTTP, slow clients, stopping."""

import re
import resource
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.server.test_faults import PROJECT
from tests.server.test_logs import WITHOUT_TERMINAL
from tests.server.test_request_bodies import SLOW, slow_clients
from tests.support.apis import MESSAGES, PRIVATE, PUBLIC, SCOPED, THREADS
from tests.support.connection_faults import ACTIVE
from tests.support.rows import BEARER, CHUNKED, ROWS, check_rows
from tests.support.served import Served, environment_for, served
from tests.support.upstream import LOOPBACK, after, upstream
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS, bearer, chunked, request
from zdemo.emulator import CLIENT_SECRET, READER, VISITOR, Emulator
from zdemo.errors import ExitCode

SILENT_CLIENTS = 1500  # more than Granian holds by default


@pytest.fixture(scope="module")
def running(zitadel: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``zdemo serve`` with the emulator behind it, without a cache, so that tests do not affect each other."""
    environment = {**environment_for(zitadel.url), "ZDEMO_CACHE_TTL": "0"}
    with served(tmp_path_factory.mktemp("serve"), environment, "--no-page") as process:
        yield process


@pytest.mark.thorough
def test_each_answer_is_the_one_in_the_table(running: Served) -> None:
    check_rows(running)


def test_the_log_has_one_line_per_request_and_no_token(running: Served) -> None:
    marks = [f"/mark-{secrets.token_hex(4)}" for _ in range(2)]
    running.send(request(marks[0]))
    for row in ROWS.values():
        running.send(row.data)
    running.send(request(f"{PRIVATE}?canary-of-the-query", f"User-Agent: {READER.pat}"))
    running.send(request(marks[1]))
    eventually("all is written", lambda: marks[1] in running.log)
    lines = running.log.partition(marks[0])[2].splitlines()[1:-1]
    assert len(lines) == len(ROWS) + 1
    assert all(WITHOUT_TERMINAL.fullmatch(line) for line in lines)
    for canary in (READER.pat, VISITOR.pat, CLIENT_SECRET, "canary-of-the-query"):
        assert canary not in running.log
    assert (running.folder / "stdout").read_text() == ""


def test_a_request_that_offers_a_websocket_is_an_ordinary_one(running: Served) -> None:
    offer = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert [running.send(request(target, *offer)).status for target in (PUBLIC, PRIVATE)] == [200, 401]


CHUNKS = [b"ZZ\r\nabc\r\n0\r\n\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"-1\r\n\r\n", b"\r\n", b"0x5\r\nabcde\r\n"]
NASTY = [
    *(request(PRIVATE, b"Authorization: Bearer " + value) for value in (b"\x00", b"\x1b[31m")),
    request(PRIVATE, "Authorization: Bearer", f" {READER.pat}"),  # a value over two lines
    request(PRIVATE, f"Authorization : Bearer {READER.pat}"),
    request(PRIVATE, bearer("a" * (2 << 20))),
    request(PRIVATE, *[f"X-{number}: a" for number in range(500)]),
    *(request(target, BEARER) for target in (b"/api/private\xff", "api/private", "")),
    b"GET /api/private\r\n\r\n",  # HTTP/0.9
    request(PRIVATE, BEARER, version="HTTP/3.7"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # a TLS greeting
    *(request(PRIVATE, BEARER, f"Content-Length: {length}") for length in ("abc", "-1", "0\r\nContent-Length: 5")),
    request(PRIVATE, BEARER, "Transfer-Encoding: x-unknown"),
    request("localhost:80", BEARER, method="CONNECT"),
    f"GET {PRIVATE} HTTP/1.1\r\nConnection: close\r\n\r\n".encode(),  # no Host
    *(request(PRIVATE, CHUNKED, body=chunks) for chunks in CHUNKS),
]


def test_broken_http_opens_nothing(running: Served) -> None:
    for data in NASTY:
        assert running.send(data).status in {0, 400, 401, 404, 431}, data[:100]
        assert running.get(PRIVATE).status == 200, data[:100]


def test_a_request_with_two_lengths_is_the_last_of_its_connection(running: Served) -> None:
    """A proxy that goes by the other length would take the second request for the body of the first."""
    hidden, mark = f"/hidden-{secrets.token_hex(4)}", f"/mark-{secrets.token_hex(4)}"
    body = chunked() + request(hidden)
    running.send(request(PUBLIC, CHUNKED, f"Content-Length: {len(body)}", method="POST", body=body, close=False))
    running.send(request(mark))
    eventually("all is written", lambda: mark in running.log)
    assert hidden not in running.log


def test_the_next_request_on_a_connection_is_not_mistaken(running: Served) -> None:
    """The second request gets its own answer, or none."""
    for name in ("POST", "a byte more than 64 KiB", "a byte more, in a chunk", "reader"):
        first = ROWS[name].data.replace(b"Connection: close\r\n", b"", 1)
        received = b""
        with (
            socket.create_connection((LOOPBACK, running.port), PATIENCE_SECONDS) as sock,
            suppress(ConnectionError),  # closed with our bytes unread
        ):
            sock.sendall(first + request(SCOPED, BEARER))
            while more := sock.recv(1 << 16):
                received += more
        own, *others = map(int, re.findall(rb"HTTP/1.1 (\d+)", received))
        assert (own, others in ([], [200])) == (ROWS[name].status, True)


@pytest.mark.parametrize("name", [*SLOW, "half a header"])
def test_slow_clients_do_not_block_others(name: str, running: Served) -> None:
    data = SLOW.get(name, b"GET /api/public HTTP/1.1\r\nHost: a\r\nX-Half")
    with slow_clients(running.port, data, THREADS + 8):
        assert running.get(PUBLIC).status == 200
        assert running.get(PRIVATE).status == 200
    form = ROWS["also in the form"]
    eventually("bodies are read again", lambda: running.send(form.data).status == form.status)


@pytest.mark.thorough
def test_two_workers_share_the_metrics_and_sigterm_lets_running_requests_finish(tmp_path: Path) -> None:
    count = 40
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with upstream(ACTIVE) as up:
        environment = {**environment_for(up.url), "ZITADEL_PROJECT_ID": PROJECT, "TMPDIR": str(temporary)}
        with (
            served(tmp_path, environment, "--workers", "2", "--open-metrics", "--no-page") as running,
            ThreadPoolExecutor(8) as pool,
        ):
            assert {reply.status for reply in pool.map(running.get, [SCOPED] * count)} == {200}
            sample = f'zdemo_requests_total{{outcome="ok",route="private_scoped"}} {count}.0'
            metrics = partial(running.get, "/metrics", None)
            eventually("the metrics cover both workers", metrics, lambda reply: sample in reply.body.decode())
            up.now(after(0.5, ACTIVE))
            reply = pool.submit(running.get, SCOPED, "another-token")
            eventually("the request is under way", lambda: [it for it in up.requests if b"another-token" in it.body])
            assert running.stop() == ExitCode.YES
            assert reply.result().json == {"message": MESSAGES[SCOPED]}
    assert [*temporary.iterdir()] == []
    banner, _, lines = running.log.partition("in another terminal\n")
    assert banner.split()[:2] == ["ZITADEL", up.url]
    assert lines.count(f"  GET {SCOPED}   200  ") == count + 1
    with pytest.raises(ConnectionRefusedError):
        running.get(PUBLIC)


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Raise this process's limit of open files, for as many clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]) if before[1] > 0 else 8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.thorough
def test_silent_clients_do_not_block_others(running: Served) -> None:
    """Until their headers are due, they look like slow clients."""
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection((LOOPBACK, running.port))) for _ in range(SILENT_CLIENTS)
        ]
        assert {running.get(PUBLIC).status for _ in range(20)} == {200}
        with pytest.raises(BlockingIOError):  # it is still open: no client was disconnected first
            silent[0].recv(1, socket.MSG_DONTWAIT)
