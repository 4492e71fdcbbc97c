"""The bus between the workers of one server, over real processes."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.serving.test_workers import AWAY
from tests.support.served import served
from tests.support.waiting import DEADLINE_SECONDS, eventually
from zdemo.serving.bus import LARGEST_FRAME_BYTES, MOST_WAITING, Bus, Hub

TOPICS = ("forget", "watch", "request")
SPAWN = multiprocessing.get_context("spawn")


def work(pipe: Connection, control: Connection) -> None:
    """Publish what the test says, and report to it what comes from the other workers."""
    bus = Bus(pipe)
    for topic in TOPICS:
        bus.subscribe(topic, partial(_report, control, topic))
    bus.start()
    with suppress(EOFError):
        while True:
            bus.publish(*control.recv())


def _report(control: Connection, topic: str, message: dict[str, Any]) -> None:
    control.send((topic, message))


class Worker:
    """A process that is on the bus."""

    def __init__(self, hub: Hub) -> None:
        pipe = hub.open()
        self._control, control = multiprocessing.Pipe()
        self.process = SPAWN.Process(target=work, args=(pipe, control))
        self.process.start()
        pipe.close()
        control.close()

    def says(self, topic: str, message: dict[str, Any]) -> None:
        self._control.send((topic, message))

    def hears(self) -> tuple[str, dict[str, Any]]:
        assert self._control.poll(DEADLINE_SECONDS)
        heard: tuple[str, dict[str, Any]] = self._control.recv()
        return heard

    def hears_more(self) -> bool:
        return self._control.poll()

    def stop(self) -> None:
        self._control.close()
        self.process.join(DEADLINE_SECONDS)
        self.process.kill()
        self.process.join()


@contextmanager
def workers(count: int, hub: Hub | None = None) -> Iterator[list[Worker]]:
    hub = hub or Hub()
    with ExitStack() as stack:
        started = [Worker(hub) for _ in range(count)]
        for worker in started:
            stack.callback(worker.stop)
        yield started


def bus_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "bus"}


@pytest.mark.parametrize("count", [2, 4])
def test_a_message_reaches_all_other_workers_and_not_its_sender(count: int) -> None:
    with workers(count) as (first, *others):
        first.says("watch", {"text": "ü\ud800\n", "number": [1, None]})
        for other in others:
            assert other.hears() == ("watch", {"text": "ü\ud800\n", "number": [1, None]})
            other.says("request", {"from": other.process.pid})
            assert first.hears() == ("request", {"from": other.process.pid})
        assert not first.hears_more()


def test_a_worker_that_replaces_a_killed_one_gets_the_messages() -> None:
    hub = Hub()
    with workers(2, hub) as (first, second):
        second.process.kill()
        second.process.join()
        first.says("watch", {"to": "nobody"})
        with workers(1, hub) as (third,):
            first.says("watch", {"to": "third"})
            heard = third.hears()
            assert (third.hears() if heard[1] == {"to": "nobody"} else heard) == ("watch", {"to": "third"})


def test_no_thread_is_left_of_a_worker_that_ended() -> None:
    before = bus_threads()
    with workers(2) as started:
        assert len(bus_threads() - before) == 4
        started[0].process.kill()
        eventually("its two threads have ended", lambda: len(bus_threads() - before) == 2)
    eventually("all have ended", lambda: bus_threads() <= before)


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be stopped there")
def test_a_worker_that_stands_still_holds_up_nobody_and_no_order_to_forget_is_lost() -> None:
    padding = "x" * 10_000
    with workers(3) as (first, still, third):
        first.says("request", {"number": -1})
        still.hears()
        os.kill(still.process.pid or 0, signal.SIGSTOP)
        try:
            for number in range(3 * MOST_WAITING):
                first.says("request", {"number": number, "padding": padding})
                first.says("forget", {"user_id": str(number)})
            first.says("watch", {"last": True})
            heard = [third.hears()]
            while heard[-1][0] != "watch":
                heard.append(third.hears())
        finally:
            os.kill(still.process.pid or 0, signal.SIGCONT)
        heard = [still.hears()]
        while ("forget", {"everything": True}) not in heard or ("watch", {"last": True}) not in heard:
            heard.append(still.hears())
        requests = [message["number"] for topic, message in heard if topic == "request"]
        assert len(requests) < 3 * MOST_WAITING
        assert requests == sorted(requests)


def test_a_message_that_is_too_large_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    with workers(1, hub) as (other,):
        bus = Bus(hub.open())
        bus.start()
        with caplog.at_level(logging.ERROR, "zdemo.server"):
            bus.publish("request", {"text": "x" * LARGEST_FRAME_BYTES})
        assert [record.getMessage() for record in caplog.records] == [
            f"a message of {LARGEST_FRAME_BYTES + 19} bytes about request is too large for the other workers"
        ]
        bus.publish("request", {"text": "x" * (LARGEST_FRAME_BYTES - 100)})
        assert len(other.hears()[1]["text"]) == LARGEST_FRAME_BYTES - 100


def test_a_worker_goes_on_when_its_hub_is_gone() -> None:
    parent, pipe = multiprocessing.Pipe()
    bus = Bus(pipe, others=1)
    before = bus_threads()
    bus.start()
    parent.close()
    eventually("its threads have ended", lambda: bus_threads() <= before)
    for _ in range(2 * MOST_WAITING):
        bus.publish("forget", {"everything": True})


def test_a_worker_that_is_alone_publishes_to_nobody() -> None:
    bus = Bus()
    bus.subscribe("forget", lambda _: pytest.fail("it heard itself"))
    bus.start()
    bus.publish("forget", {"everything": True})
    assert bus.others == 0


@pytest.mark.parametrize("frame", [b"", b"watch", b"watch\n{", b"watch\n[]", b"watch\n1", b"\xff\n{}", b"unknown\n{}"])
def test_a_frame_that_nobody_understands_ends_nothing(frame: bytes) -> None:
    parent, pipe = multiprocessing.Pipe()
    heard: list[str] = []
    bus = Bus(pipe)
    bus.subscribe("watch", lambda message: heard.append(message["text"]))
    bus.start()
    parent.send_bytes(frame)
    parent.send_bytes(b'watch\n{"text": "still here"}')
    eventually("the next one is delivered", lambda: heard == ["still here"])
    parent.close()


def test_what_comes_before_the_start_is_delivered_after_it() -> None:
    parent, pipe = multiprocessing.Pipe()
    bus = Bus(pipe)
    parent.send_bytes(b'watch\n{"text": "early"}')
    heard: list[dict[str, Any]] = []
    bus.subscribe("watch", heard.append)
    bus.start()
    eventually("it is delivered", lambda: heard == [{"text": "early"}])
    parent.close()


def test_the_workers_of_a_server_leave_no_file(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with served(tmp_path, {**AWAY, "TMPDIR": str(temporary)}, "--workers", "2") as running:
        eventually("both workers run", lambda: len(running.workers) == 2)
        assert [*temporary.iterdir()] == []
