"""What the page may cost, on the server of ``zdemo serve``: never a thread of the API, and never a slow end."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from tests.support.cli import LONGEST_SECONDS, Shell
from tests.support.feeds import events_in, many_opened, opened, opens_again, port_of, proofs_of
from tests.support.ports import free_port
from tests.support.processes import processes
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import READER
from zdemo.page.feed import PAGE_THREADS, PageSlots

THREADS = 8  # of the API
STOP_SECONDS = 5  # for an end that waits for no feed; running requests may take 9
READ_SECONDS = 0.2
LONG_PATH = "/" + "long-name/" * 19


@dataclass(frozen=True, kw_only=True)
class Page:
    """A running ``zdemo serve`` with a page."""

    process: subprocess.Popen[str]
    url: str
    proofs: dict[str, str]

    @property
    def port(self) -> int:
        return port_of(self.url)


@contextmanager
def served_page(shell: Shell, *arguments: str) -> Iterator[Page]:
    emulator = ("--emulator", "--emulator-port", str(free_port()), "--threads", str(THREADS))
    with shell.serving(*emulator, *arguments) as (process, url):
        assert process.stderr
        row = next(line for line in process.stderr if line.startswith("page"))
        yield Page(process=process, url=url, proofs=proofs_of(row.split()[1]))


@pytest.fixture
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(folder=tmp_path_factory.mktemp("page"), env={})


def call(page: Page, path: str = "/api/private") -> requests.Response:
    headers = {"Authorization": f"Bearer {READER.pat}"}
    return requests.get(f"{page.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)


def test_200_open_pages_leave_the_api_all_its_threads_and_one_more_is_refused(shell: Shell) -> None:
    most = PageSlots(PAGE_THREADS).most_feeds
    with served_page(shell) as page:
        with many_opened(page.port, page.proofs, most + 1) as feeds, ThreadPoolExecutor(4 * THREADS) as pool:
            assert [feed.status for feed in feeds] == [200] * most + [503]
            assert b'"error":"too_many_pages"' in feeds[-1].start
            assert b"retry-after: 5" in feeds[-1].start.lower()
            answers = list(pool.map(lambda _: call(page), range(20 * THREADS)))
            assert {answer.status_code for answer in answers} == {200}
            page_itself = requests.get(f"{page.url}/-/", headers=page.proofs, timeout=PATIENCE_SECONDS)
            assert page_itself.status_code == 200
        opens_again(page.port, page.proofs)  # the slots of those that have left are free
        page.process.send_signal(signal.SIGTERM)
        page.process.communicate(timeout=STOP_SECONDS)


def test_a_page_that_stops_reading_holds_up_nobody(shell: Shell) -> None:
    with served_page(shell) as page, opened(page.port, page.proofs, small_buffer=True) as stuck:
        with opened(page.port, page.proofs) as other:
            ids = [call(page, LONG_PATH).headers["X-Request-ID"] for _ in range(90)]
            stream = other.read_until(f'"id":"{ids[-1]}"'.encode())
        assert ids[-1].encode() in stream
        assert stuck.status == 200
        page.process.send_signal(signal.SIGTERM)
        page.process.communicate(timeout=STOP_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_pages_do_not_delay_the_end(number: signal.Signals, shell: Shell) -> None:
    with served_page(shell, "--workers", "2") as page, many_opened(page.port, page.proofs, 8) as feeds:
        began = time.monotonic()
        page.process.send_signal(number)
        page.process.communicate(timeout=LONGEST_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS
        assert page.process.returncode == 0
        assert all(feed.is_over() for feed in feeds)


def test_the_requests_of_all_workers_are_in_one_feed(shell: Shell) -> None:
    with served_page(shell, "--workers", "2") as page, opened(page.port, page.proofs) as feed:
        stream = [feed.start]

        def seen() -> set[str]:
            call(page, "/api/public")
            stream.append(feed.read_for(READ_SECONDS))
            return {event["worker"] for event in events_in(b"".join(stream)) if "id" in event}

        assert eventually("the feed has requests of both workers", seen, lambda found: len(found) == 2) == workers(page)


def test_a_killed_worker_ends_its_feeds_and_another_takes_its_place(shell: Shell) -> None:
    with served_page(shell, "--workers", "2") as page, opened(page.port, page.proofs) as feed:
        (hello, *_) = events_in(feed.read_until(b'"worker"'))
        os.kill(int(hello["worker"]), signal.SIGKILL)
        assert feed.is_over()
        eventually(
            "there are two workers again", lambda: len(workers(page)) == 2 and hello["worker"] not in workers(page)
        )
        opens_again(page.port, page.proofs)
        assert call(page).status_code == 200


def workers(page: Page) -> set[str]:
    below = [process for process in processes() if process.parent == page.process.pid]
    return {str(process.pid) for process in below if process.command.startswith("zdemo serve: worker ")}
