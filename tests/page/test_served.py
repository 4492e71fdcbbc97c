"""The page of a running ``zdemo serve``: never a thread of the API, never a slow end, and whose tokens it has."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError

from tests.support.cli import Shell, settings
from tests.support.page_site import Page, events
from tests.support.served import workers_of
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS, request
from zdemo.emulator import ADMIN, READER, VISITOR, emulate
from zdemo.page.feed import PageSlots
from zdemo.page.page_context import PAGE_THREADS

pytestmark = pytest.mark.thorough

SMALL_BUFFER = 4096  # bytes


def opened(page: ServedPage) -> requests.Response:
    """Open a feed, which stays open until it is closed or dropped."""
    return requests.get(f"{page.url}/-/feed", headers=page.proofs, stream=True, timeout=PATIENCE_SECONDS)


@contextmanager
def unread(page: ServedPage) -> Iterator[None]:
    """Open a feed that nobody reads during the block."""
    fields = [f"{name}: {value}" for name, value in page.proofs.items()]
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect((LOOPBACK, page.port))
        sock.sendall(request("/-/feed", *fields, host=f"{LOOPBACK}:{page.port}", close=False))
        assert sock.recv(12) == b"HTTP/1.1 200"
        yield


def read_to_its_end(feed: requests.Response) -> None:
    with suppress(ChunkedEncodingError):  # else a time-out fails the test
        for _ in feed.iter_content(1 << 16):
            pass


def opens_again(page: ServedPage) -> None:
    def status() -> int:
        with opened(page) as feed:
            return feed.status_code

    eventually("a feed can be opened", status, lambda code: code == 200)


THREADS = 8  # of the API
STOP_SECONDS = 5  # for an end that waits for no feed; running requests may take 9
LONG_PATH = "/" + "long-name/" * 19
OWN = {
    "PAT": "own-pat-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZDEMO_VISITOR_PAT": "own-visitor-of-the-person-0123456789abcdefghijABCDEFGHIJ",
    "ZITADEL_ADMIN_PAT": "own-admin-of-the-person-0123456789abcdefghijABCDEFGHIJ",
}
SCOPED = {"method": "GET", "path": "/api/private-scoped", "caller": "visitor"}


@dataclass(frozen=True, kw_only=True)
class ServedPage(Page):
    process: subprocess.Popen[str]
    zitadel: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> set[str]:
        return {str(worker.pid) for worker in workers_of(self.process.pid)}

    def state(self) -> Any:
        return self.get("/-/state").json()

    def do(self, where: str, /, **document: Any) -> Any:
        answer = self.post(where, document)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def served_page(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[ServedPage]:
    port = free_port()
    arguments = ("--emulator", "--emulator-port", str(port), *arguments)
    with Shell(folder=folder, env=dict(env or {})).serving("--threads", str(THREADS), *arguments) as (process, url):
        yield page_of(process, url, zitadel=f"http://localhost:{port}")


def page_of(process: subprocess.Popen[str], url: str, zitadel: str) -> ServedPage:
    assert process.stderr
    row = next(line for line in process.stderr if line.startswith("page"))
    page = ServedPage(process=process, url=url, zitadel=zitadel)
    page.enter(row.split()[1])
    return page


def test_200_open_pages_leave_the_api_all_its_threads_and_one_more_is_refused(tmp_path: Path) -> None:
    most = PageSlots(PAGE_THREADS).most_feeds
    with served_page(tmp_path) as page:
        with ExitStack() as stack, ThreadPoolExecutor(4 * THREADS) as pool:
            feeds = [stack.enter_context(opened(page)) for _ in range(most + 1)]
            assert [feed.status_code for feed in feeds] == [200] * most + [503]
            assert (feeds[-1].json()["error"], feeds[-1].headers["Retry-After"]) == ("too_many_pages", "5")
            answers = list(pool.map(lambda _: page.call("/api/private"), range(20 * THREADS)))
            assert {answer.status_code for answer in answers} == {200}
            assert page.state()["api"] == page.url
        opens_again(page)  # the slots of those that have left are free
        page.process.send_signal(signal.SIGTERM)
        page.process.communicate(timeout=STOP_SECONDS)


def test_an_administrators_pat_reaches_the_page_and_no_list_of_processes(tmp_path: Path) -> None:
    (tmp_path / "admin.pat").write_text(ADMIN.pat)
    program = ("/bin/sh", "-c", f'exec {sys.executable} -m zdemo "$@" < admin.pat', "sh")
    with emulate() as zitadel:
        shell = Shell(folder=tmp_path, env=settings(zitadel.url), program=program)
        for words, possible in ((["--admin-pat", "-"], True), ([], False)):
            with shell.serving("--workers", "2", *words) as (process, url):
                page = page_of(process, url, zitadel.url)
                changes = page.state()["changes"]
                assert changes["possible"] is possible
                for pid in (str(process.pid), *page.workers()):
                    for name in ("environ", "cmdline"):
                        assert ADMIN.pat.encode() not in Path("/proc", pid, name).read_bytes()
        start = f"zdemo serve --port {url.rpartition(':')[2]} --admin-pat"
        assert changes["fix"] == [{"line": start, "remark": "instead of the running zdemo serve", "is_command": True}]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    """A page of two workers. Open feeds, one of which is not read, do not delay its end."""
    with served_page(tmp_path_factory.mktemp("page"), "--workers", "2", env=OWN) as page:
        yield page
        with unread(page), ExitStack() as stack:
            feeds = [stack.enter_context(opened(page)) for _ in range(8)]
            call_often(page)
            page.process.send_signal(signal.SIGINT)
            page.process.communicate(timeout=STOP_SECONDS)
            assert page.process.returncode == 0
            for feed in feeds:
                read_to_its_end(feed)


def call_often(page: ServedPage) -> str:
    """Call until a feed that is not read is full; return the last request's ID."""
    return [page.call(LONG_PATH).headers["X-Request-ID"] for _ in range(90)][-1]


def test_a_page_that_stops_reading_holds_up_nobody(shared: ServedPage) -> None:
    with unread(shared), opened(shared) as other:
        last = call_often(shared)
        assert any(document.get("id") == last for _, document in events(other))


def test_the_requests_of_all_workers_are_in_one_feed_which_outlives_a_killed_one(shared: ServedPage) -> None:
    with opened(shared) as feed:
        stream, workers = events(feed), set[str]()
        _, hello = next(stream)

        def seen() -> set[str]:
            shared.call("/api/public")
            workers.add(next(document["worker"] for name, document in stream if name == "request"))
            return workers

        eventually("the feed has requests of both workers", seen, lambda workers: len(workers) == 2)
        assert workers == shared.workers()
        os.kill(int(hello["worker"]), signal.SIGKILL)
        read_to_its_end(feed)
    eventually("another takes its place", lambda: len(shared.workers() - {hello["worker"]}) == 2)
    opens_again(shared)


def test_with_the_emulator_the_page_has_its_tokens_and_none_of_the_persons(shared: ServedPage) -> None:
    """Two workers: each of them can restore what the other one has deleted."""
    assert [caller["about"] for caller in shared.state()["callers"][1:3]] == ["PAT zdem…-000", "PAT zdem…y-00"]
    for change, pat in [("delete_pat", "deleted"), ("create_pat", "present")] * 3:
        users = shared.do("/-/change", change=change, user_id=READER.id)["users"]
        assert [user["pat"] for user in users] == [pat, "present"]
    sent = shared.do("/-/send", **SCOPED)
    assert (sent["status"], sent["why"]["certainty"]) == (401, "certain")
    for change, status in [("grant", 200), ("revoke", 401)] * 2:
        order = {"change": change, "user_id": VISITOR.id, "role": "read:messages", "forget": True}
        assert shared.do("/-/change", **order)["until"] is None
        answers = [shared.do("/-/send", **SCOPED)["status"] for _ in range(6)]
        assert answers == [status] * 6, "each worker has forgotten"
    control = {"X-Zdemo-Control": "1"}
    records = requests.get(f"{shared.zitadel}/_zdemo/requests", headers=control, timeout=PATIENCE_SECONDS).json()
    asked = {(record["user"], record["token"]) for record in records["requests"] if record["token"]}
    assert "visitor" in {user for user, _ in asked}
    assert not [token for _, token in asked if token.startswith("own-")]
