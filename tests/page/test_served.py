"""The page of a running ``zdemo serve``: never a thread of the API, never a slow end, and whose tokens it has."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cli import Shell, settings
from tests.support.page_site import proofs_of
from tests.support.processes import processes
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS, request
from zdemo.emulator import ADMIN, READER, VISITOR, emulate
from zdemo.page.feed import PageSlots
from zdemo.page.page_context import PAGE_THREADS

SMALL_BUFFER = 4096  # bytes


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One connection on which a feed was requested: the status, and the start of what came."""

    sock: socket.socket
    status: int
    start: bytes

    def read_until(self, mark: bytes) -> bytes:
        """Return what comes until a mark has come and its event is whole, or the connection ends."""
        received, end = self.start, time.monotonic() + PATIENCE_SECONDS
        while not (mark in received and received.partition(mark)[2].count(b"\n\n")) and (
            more := self.sock.recv(1 << 16)
        ):
            received += more
            assert time.monotonic() < end, f"{mark!r} does not come"  # lines to notice who has left come for ever
        return received

    def read_for(self, seconds: float) -> bytes:
        received, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                received += self.sock.recv(1 << 16)
            except TimeoutError:
                break
        return received

    def is_over(self) -> bool:
        self.sock.settimeout(PATIENCE_SECONDS)  # read_for leaves a shorter one
        try:
            while self.sock.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


@contextmanager
def opened(port: int, proofs: Mapping[str, str], *, small_buffer: bool = False) -> Iterator[Opened]:
    """Request a feed, and read what comes up to its first event."""
    fields = [f"{name}: {value}" for name, value in proofs.items()]
    with socket.socket() as sock:
        if small_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect((LOOPBACK, port))
        sock.sendall(request("/-/feed", *fields, host=f"{LOOPBACK}:{port}", close=False))
        received = b""
        while b"hello" not in received and b"too_many_pages" not in received:
            more = sock.recv(1 << 16)
            assert more, received
            received += more
        yield Opened(sock=sock, status=int(received.split()[1]), start=received)


@contextmanager
def many_opened(port: int, proofs: Mapping[str, str], most: int) -> Iterator[list[Opened]]:
    """Open feeds until one is refused, which is the last of the list; at most so many."""
    with ExitStack() as stack:
        found: list[Opened] = []
        while len(found) < most and (not found or found[-1].status == 200):
            found.append(stack.enter_context(opened(port, proofs)))
        yield found


def events_in(stream: bytes) -> list[dict[str, Any]]:
    lines = [line for line in stream.split(b"\n") if line.startswith(b"data: {") and line.endswith(b"}")]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def opens_again(port: int, proofs: Mapping[str, str]) -> None:
    def status() -> int:
        with opened(port, proofs) as found:
            return found.status

    eventually("a feed can be opened", status, lambda found: found == 200)


THREADS = 8  # of the API
STOP_SECONDS = 5  # for an end that waits for no feed; running requests may take 9
READ_SECONDS = 0.2
LONG_PATH = "/" + "long-name/" * 19
OWN = {
    "PAT": "own-pat-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZDEMO_VISITOR_PAT": "own-visitor-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZITADEL_ADMIN_PAT": "own-admin-of-the-person-0123456789abcdefghijABCDEFGHIJ",
}
SCOPED = {"method": "GET", "path": "/api/private-scoped", "caller": "visitor"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """A running ``zdemo serve`` with a page, and what proves its key."""

    process: subprocess.Popen[str]
    url: str
    proofs: dict[str, str]
    zitadel: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> set[str]:
        below = [process for process in processes() if process.parent == self.process.pid]
        return {str(process.pid) for process in below if process.command.startswith("zdemo serve: worker ")}

    def call(self, path: str = "/api/private") -> requests.Response:
        headers = {"Authorization": f"Bearer {READER.pat}"}
        return requests.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(
            f"{self.url}/-/state", headers=self.proofs, timeout=PATIENCE_SECONDS
        ).json()
        return found

    def post(self, where: str, /, **document: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}{where}", json=document, headers=self.proofs, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def served_page(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Page]:
    """Run it with an emulator beside it."""
    port = free_port()
    arguments = ("--emulator", "--emulator-port", str(port), *arguments)
    with Shell(folder=folder, env=dict(env or {})).serving("--threads", str(THREADS), *arguments) as (process, url):
        assert process.stderr
        row = next(line for line in process.stderr if line.startswith("page"))
        yield Page(process=process, url=url, proofs=proofs_of(row.split()[1]), zitadel=f"http://localhost:{port}")


@pytest.mark.thorough
def test_200_open_pages_leave_the_api_all_its_threads_and_one_more_is_refused(tmp_path: Path) -> None:
    most = PageSlots(PAGE_THREADS).most_feeds
    with served_page(tmp_path) as page:
        with many_opened(page.port, page.proofs, most + 1) as feeds, ThreadPoolExecutor(4 * THREADS) as pool:
            assert [feed.status for feed in feeds] == [200] * most + [503]
            assert b'"error":"too_many_pages"' in feeds[-1].start
            assert b"retry-after: 5" in feeds[-1].start.lower()
            answers = list(pool.map(lambda _: page.call(), range(20 * THREADS)))
            assert {answer.status_code for answer in answers} == {200}
            assert page.state()["api"] == page.url
        opens_again(page.port, page.proofs)  # the slots of those that have left are free
        page.process.send_signal(signal.SIGTERM)
        page.process.communicate(timeout=STOP_SECONDS)


@pytest.mark.thorough
def test_an_administrators_pat_reaches_the_page_and_no_list_of_processes(tmp_path: Path) -> None:
    (tmp_path / "admin.pat").write_text(ADMIN.pat)
    program = ("/bin/sh", "-c", f'exec {sys.executable} -m zdemo "$@" < admin.pat', "sh")
    with emulate() as zitadel:
        shell = Shell(folder=tmp_path, env=settings(zitadel.url), program=program)
        for words, possible in ((["--admin-pat", "-"], True), ([], False)):
            with shell.serving("--workers", "2", *words) as (process, url):
                assert process.stderr
                row = next(line for line in process.stderr if line.startswith("page"))
                page = Page(process=process, url=url, proofs=proofs_of(row.split()[1]), zitadel=zitadel.url)
                changes = page.state()["changes"]
                assert changes["possible"] is possible
                for pid in (str(process.pid), *page.workers()):
                    for name in ("environ", "cmdline"):
                        assert ADMIN.pat.encode() not in Path("/proc", pid, name).read_bytes()
        start = f"zdemo serve --port {url.rpartition(':')[2]} --admin-pat"
        assert changes["fix"] == [f"{start}  (in place of the one that runs)"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of two workers. Open feeds, one of which is not read, do not delay its end."""
    with served_page(tmp_path_factory.mktemp("page"), "--workers", "2", env=OWN) as page:
        yield page
        with (
            many_opened(page.port, page.proofs, 8) as feeds,
            opened(page.port, page.proofs, small_buffer=True),
        ):
            call_often(page)
            page.process.send_signal(signal.SIGINT)
            page.process.communicate(timeout=STOP_SECONDS)
            assert page.process.returncode == 0
            assert all(feed.is_over() for feed in feeds)


def call_often(page: Page) -> bytes:
    """Call until a feed that is not read is full; return the last request's ID."""
    return [page.call(LONG_PATH).headers["X-Request-ID"] for _ in range(90)][-1].encode()


@pytest.mark.thorough
def test_a_page_that_stops_reading_holds_up_nobody(shared: Page) -> None:
    with opened(shared.port, shared.proofs, small_buffer=True), opened(shared.port, shared.proofs) as other:
        last = call_often(shared)
        assert last in other.read_until(b'"id":"%s"' % last)


@pytest.mark.thorough
def test_the_requests_of_all_workers_are_in_one_feed_which_outlives_a_killed_one(shared: Page) -> None:
    with opened(shared.port, shared.proofs) as feed:
        stream = [feed.start]

        def seen() -> set[str]:
            shared.call("/api/public")
            stream.append(feed.read_for(READ_SECONDS))
            return {event["worker"] for event in events_in(b"".join(stream)) if "id" in event}

        found = eventually("the feed has requests of both workers", seen, lambda found: len(found) == 2)
        assert found == shared.workers()
        (hello, *_) = events_in(feed.start)
        os.kill(int(hello["worker"]), signal.SIGKILL)
        assert feed.is_over()
    eventually("another takes its place", lambda: len(shared.workers() - {hello["worker"]}) == 2)
    opens_again(shared.port, shared.proofs)


@pytest.mark.thorough
def test_with_the_emulator_the_page_has_its_tokens_and_none_of_the_persons(shared: Page) -> None:
    """Two workers: each of them can restore what the other one has deleted."""
    assert [caller["about"] for caller in shared.state()["callers"][1:3]] == ["PAT zdem…-000", "PAT zdem…y-00"]
    for change, pat in [("delete_pat", "deleted"), ("create_pat", "present")] * 3:
        users = shared.post("/-/change", change=change, user_id=READER.id)["users"]
        assert [user["pat"] for user in users] == [pat, "present"]
    sent = shared.post("/-/send", **SCOPED)
    assert (sent["status"], sent["why"]["certainty"]) == (401, "certain")
    for change, status in [("grant", 200), ("revoke", 401)] * 2:
        order = {"change": change, "user_id": VISITOR.id, "role": "read:messages", "forget": True}
        assert shared.post("/-/change", **order)["until"] is None
        answers = [shared.post("/-/send", **SCOPED)["status"] for _ in range(6)]
        assert answers == [status] * 6, "each worker has forgotten"
    control = {"X-Zdemo-Control": "1"}
    records = requests.get(f"{shared.zitadel}/_zdemo/requests", headers=control, timeout=PATIENCE_SECONDS).json()
    asked = {(record["user"], record["token"]) for record in records["requests"] if record["token"]}
    assert {user for user, _ in asked} >= {"reader", "visitor"}
    assert not [token for _, token in asked if token.startswith("own-")]
