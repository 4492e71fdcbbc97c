"""Messages between the workers of one server, through their parent: orders to forget, and what the page shows.

Each worker has a pipe to its parent, which it inherits: no other program can connect, and no file is left.
A frame is a topic, a line break, and a JSON object. What comes out of a pipe is JSON, never pickle.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger("zdemo.server")

FORGET = b"forget"
LARGEST_FRAME_BYTES = 256 * 1024
MOST_WAITING = 256  # frames per worker, orders to forget apart; of one more, the oldest is dropped
EVERYTHING = FORGET + b'\n{"everything":true}'  # in place of too many: an order to forget must not be lost

Handler = Callable[[dict[str, Any]], None]


class Bus:
    """One worker's connection to the others. Without a ``pipe``, there are no others."""

    def __init__(self, pipe: Connection | None = None, *, others: int = 0) -> None:
        self.others = others  # how many other workers there are, if all run
        self._handlers: dict[str, list[Handler]] = {}
        self._link = _Link(pipe, self._receive) if pipe else None

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Send a message to all other workers. Never blocks and never raises.

        A message that is too large is logged and dropped, and so is the oldest one for a worker that is too slow.
        """
        frame = topic.encode() + b"\n" + json.dumps(message, separators=(",", ":")).encode()
        if len(frame) > LARGEST_FRAME_BYTES:
            log.error("a message of %d bytes about %s is too large for the other workers", len(frame), topic)
        elif self._link:
            self._link.send(frame)

    def subscribe(self, topic: str, handler: Handler) -> None:
        """Call ``handler`` with each message about a topic, in the bus's thread: it must not wait for anything."""
        self._handlers.setdefault(topic, []).append(handler)

    def start(self) -> None:
        """Deliver the messages that have come and that come, to the handlers that have subscribed by then."""
        if self._link:
            self._link.start()

    def _receive(self, frame: bytes) -> None:
        name, _, text = frame.partition(b"\n")
        topic = name.decode(errors="replace")
        for handler in self._handlers.get(topic, ()):
            try:
                handler(json.loads(text))
            except Exception:  # the next message may be all right
                log.exception("a message about %s from another worker failed", topic)


class Hub:
    """Passes the messages of each worker to all others. It runs in the parent."""

    def __init__(self) -> None:
        self._links: set[_Link] = set()  # each use is one step, so it needs no lock

    def open(self) -> Connection:
        """Return a worker's end of a new pipe. The worker is served until all copies of that end are closed."""
        from multiprocessing import Pipe  # here, since apps on other servers need none

        pipe, end = Pipe()
        link = _Link(pipe, lambda frame: self._hand_on(link, frame), lambda: self._links.discard(link))
        self._links.add(link)
        link.start()
        return end

    def _hand_on(self, sender: _Link, frame: bytes) -> None:
        for link in self._links - {sender}:
            link.send(frame)


class _Link:
    """One end of a pipe: a thread reads, and another one writes what waits, orders to forget first."""

    def __init__(
        self, pipe: Connection, receive: Callable[[bytes], None], at_end: Callable[[], None] = lambda: None
    ) -> None:
        self._pipe, self._receive, self._at_end = pipe, receive, at_end
        self._orders: deque[bytes] = deque()
        self._others: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._is_open = True

    def start(self) -> None:
        for work in (self._read, self._write):
            threading.Thread(target=self._until_the_end, args=(work,), name="bus", daemon=True).start()

    def send(self, frame: bytes) -> None:
        is_order = frame.partition(b"\n")[0] == FORGET
        with self._changed:
            if is_order and len(self._orders) == MOST_WAITING:
                self._orders.clear()
                frame = EVERYTHING
            (self._orders if is_order else self._others).append(frame)
            self._changed.notify()

    def _until_the_end(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (EOFError, OSError, TypeError):  # the other end has closed, or sends too much, or this end has closed
            with self._changed:
                self._is_open = False
                self._changed.notify()
            self._at_end()

    def _read(self) -> None:
        while True:
            self._receive(self._pipe.recv_bytes(LARGEST_FRAME_BYTES))

    def _write(self) -> None:
        while frame := self._next():
            self._pipe.send_bytes(frame)

    def _next(self) -> bytes | None:
        """Wait for the next frame to write; return ``None`` when the pipe has ended."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_open or self._orders or self._others)
            return (self._orders or self._others).popleft() if self._is_open else None
