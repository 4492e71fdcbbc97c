"""The bus between the workers of one server."""

import logging
import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.support.waiting import eventually
from zdemo.serving.bus import LARGEST_FRAME_BYTES, MOST_WAITING, Bus, Hub

TOPICS = ("forget", "watch", "request")
Heard = list[tuple[str, Any]]


class Worker:
    def __init__(self, pipe: Connection) -> None:
        self.pipe, self.bus = pipe, Bus(pipe)
        self.heard: Heard = []
        for topic in TOPICS:
            self.bus.subscribe(topic, partial(self._hear, topic))
        self.bus.start()

    def _hear(self, topic: str, message: dict[str, Any]) -> None:
        self.heard.append((topic, message.get("message")))

    def hears(self, *expected: tuple[str, Any]) -> None:
        eventually("it hears", lambda: self.heard, lambda heard: heard == [*expected])


def end(*pipes: Connection) -> None:
    """Do what the system does with the pipes of a process that has ended."""
    for connection in pipes:
        with socket.socket(fileno=os.dup(connection.fileno())) as sock:
            sock.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def pipe() -> Iterator[tuple[Connection, Connection]]:
    end, other = multiprocessing.Pipe()
    with end, other:
        yield end, other


def bus_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "bus"}


def test_a_message_reaches_all_other_workers_and_a_new_one_not_its_sender() -> None:
    before, hub = bus_threads(), Hub()
    first, *others = (Worker(hub.open()) for _ in range(3))
    first.bus.publish("watch", {"message": "ü\ud800\n"})
    for other in others:
        other.hears(("watch", "ü\ud800\n"))
    others[0].bus.publish("request", {"message": [1, None]})
    first.hears(("request", [1, None]))
    end(others[1].pipe)
    new = Worker(hub.open())
    first.bus.publish("forget", {"message": "to the new one"})
    new.hears(("forget", "to the new one"))
    end(first.pipe, others[0].pipe, new.pipe)
    eventually("no thread is left", lambda: bus_threads() <= before)


def test_a_worker_that_stands_still_holds_up_nobody_and_no_order_to_forget_is_lost() -> None:
    hub = Hub()
    still, first, other = hub.open(), Worker(hub.open()), Worker(hub.open())
    count = 3 * MOST_WAITING
    for number in range(count):
        first.bus.publish("request", {"message": number, "padding": "x" * 10_000})
        first.bus.publish("forget", {"message": number})
    first.bus.publish("watch", {"message": "last"})
    eventually("the other one hears it", lambda: ("watch", "last") in other.heard)
    heard: list[bytes] = []
    while not (heard and heard[-1].startswith(b"watch")):
        heard.append(still.recv_bytes())
    assert b'forget\n{"everything":true}' in heard
    assert sum(frame.startswith(b"request") for frame in heard) < count
    end(first.pipe, other.pipe, still)


def test_a_message_that_is_too_large_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    with hub.open() as end, hub.open() as other:
        bus = Bus(end)
        bus.start()
        with caplog.at_level(logging.ERROR, "zdemo.server"):
            bus.publish("request", {"text": "x" * LARGEST_FRAME_BYTES})
        assert [record.getMessage() for record in caplog.records] == [
            f"a message of {LARGEST_FRAME_BYTES + 19} bytes about request is too large for the other workers"
        ]
        bus.publish("request", {"text": "x" * (LARGEST_FRAME_BYTES - 100)})
        assert len(other.recv_bytes()) > LARGEST_FRAME_BYTES - 100


def test_a_worker_continues_when_its_hub_is_gone_or_it_is_alone() -> None:
    before = bus_threads()
    with pipe() as (parent, worker_end):
        bus = Bus(worker_end, others=1)
        bus.start()
        end(parent)
        eventually("its threads have ended", lambda: bus_threads() <= before)
        for sender in (bus, Bus()):
            for _ in range(2 * MOST_WAITING):
                sender.publish("forget", {"everything": True})


@pytest.mark.parametrize("frame", [b"", b"watch", b"watch\n{", b"watch\n[]", b"watch\n1", b"\xff\n{}", b"unknown\n{}"])
def test_a_frame_that_nobody_understands_ends_nothing(frame: bytes) -> None:
    before = bus_threads()
    with pipe() as (parent, worker_end):
        parent.send_bytes(frame)
        parent.send_bytes(b'watch\n{"message": "still here"}')
        Worker(worker_end).hears(("watch", "still here"))
        end(parent)
        eventually("its threads have ended", lambda: bus_threads() <= before)  # else they read the next test's pipe
