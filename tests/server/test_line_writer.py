"""The log handler that writes lines together: in order, soon, all of them, and never in the way of a request."""

from __future__ import annotations

import io
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.waiting import eventually
from zdemo.server.logs import MOST_WAITING, BatchingHandler

PATIENCE_SECONDS = 20


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("zdemo", level, __file__, 1, text, None, None)


class Full(io.StringIO):
    """A disk without room."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


class Stuck(io.StringIO):
    """A pipe that nobody reads, until ``go`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.go.wait(PATIENCE_SECONDS)
        return super().write(text)


def test_lines_are_written_soon() -> None:
    stream = io.StringIO()
    BatchingHandler(stream).handle(record("one"))
    eventually("it is written", lambda: stream.getvalue() == "one\n")


def test_a_warning_is_written_behind_what_came_before() -> None:
    stream = io.StringIO()
    writer = BatchingHandler(stream)
    for text in ("one", "two"):
        writer.handle(record(text))
    writer.handle(record("three", logging.WARNING))
    eventually("it is written", lambda: stream.getvalue() == "one\ntwo\nthree\n")


def test_a_line_that_cannot_be_made_is_no_reason_to_refuse_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    writer = BatchingHandler(stream)
    broken = record("%d and %d")
    broken.args = ("one",)
    writer.handle(broken)
    writer.handle(record("two"))
    writer.flush()
    assert stream.getvalue() == "two\n"
    assert "Logging error" in capsys.readouterr().err


def test_the_last_lines_are_written_when_the_process_ends() -> None:
    stream = io.StringIO()
    writer = BatchingHandler(stream)
    writer.handle(record("one"))
    writer.flush()  # as logging does then
    assert stream.getvalue() == "one\n"


def test_many_threads_lose_no_line() -> None:
    stream = io.StringIO()
    writer = BatchingHandler(stream)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: writer.handle(record(str(n), logging.INFO + 10 * (n % 97 == 0))), range(5000)))
    writer.flush()
    assert sorted(map(int, stream.getvalue().split())) == list(range(5000))


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_a_stream_that_fails_disturbs_nobody(level: int) -> None:
    writer = BatchingHandler(Full())
    writer.handle(record("one", level))
    writer.flush()


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_a_stream_that_nobody_reads_keeps_no_request_waiting(level: int) -> None:
    stream = Stuck()
    writer = BatchingHandler(stream)
    writer.handle(record("one", level))
    assert stream.reached.wait(PATIENCE_SECONDS)
    for number in range(MOST_WAITING + 10):
        writer.handle(record(str(number), level))
    stream.go.set()
    eventually("all is written", lambda: stream.getvalue().endswith(f"\n{MOST_WAITING + 9}\n"))
    assert stream.getvalue().splitlines()[:2] == ["one", "10"]
