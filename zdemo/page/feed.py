"""The feed: a stream of server-sent events for each open page, and how much of it there may be.

While nobody watches, a request leaves little, and nothing secret: the next feed begins with the last ones. A thread of
its own makes events of the traces, once for all feeds. Every queue is bounded, and drops the oldest: a feed that is
slow, or a flood of requests, costs no more than what is written here.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from weakref import WeakSet

from zdemo.guard.forget import Forget
from zdemo.guard.guard import new_request_id
from zdemo.page.page_context import PageRefusal
from zdemo.server.observe import MOST_PAST, Trace, Watcher
from zdemo.serving.bus import Bus
from zdemo.serving.forks import renewed_after_fork
from zdemo.text.masking import without_tokens
from zdemo.text.redaction import in_texts

KEPT = 200  # events, for those who open the page later
MOST_PER_SECOND = 100  # requests of this worker that leave a trace
REST = 2.0  # times as long as it took to make an event: one of a token of 16 KiB takes 70 ms of the interpreter
RENEW_SECONDS = 2.0  # how often a worker with a feed tells the others that somebody watches
WATCH_SECONDS = 6.0  # how long the others believe it
LINGER_SECONDS = 10.0  # how long a worker continues after its last feed, which may be connecting again
WATCH, REQUEST = "watch", "request"  # topics of the bus
CHANGED, EXPLAINED = "changed", "explained"  # topics too: what the page did, and what it found out
SHORT_REQUESTS = 16  # threads that no feed takes
LATER = {"Retry-After": "5"}  # seconds

Event = Mapping[str, Any]
log = logging.getLogger("zdemo.page")


class Frame:
    """An event of the stream, ready to be sent; ``id`` is that of a request, or empty."""

    def __init__(self, name: str, document: Mapping[str, Any], identity: str = "") -> None:
        self.id = identity
        text = json.dumps(document, separators=(",", ":"))  # ASCII, so it has no line end
        self.data = (f"id: {identity}\n" if identity else "").encode() + f"event: {name}\ndata: {text}\n\n".encode()


class Feed:
    """The frames for one open page, as the body of its answer. Of more than are kept, the oldest is dropped.

    The server must call ``close``; it is called at the latest when the body is dropped.
    """

    def __init__(self, frames: Iterable[Frame], at_end: Callable[["Feed"], None]) -> None:
        self._frames = deque(frames, maxlen=KEPT + 1)
        self._changed = threading.Condition()
        self._at_end: Callable[[Feed], None] | None = at_end

    def put(self, frame: Frame) -> None:
        """Add a frame."""
        with self._changed:
            self._frames.append(frame)
            self._changed.notify()

    def take(self, wait_seconds: float) -> Frame | None:
        """Return the next frame, or ``None`` if none comes in time."""
        with self._changed:
            if not self._frames:
                self._changed.wait(wait_seconds)
            return self._frames.popleft() if self._frames else None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        frame = self.take(2.0)  # a client that has left is noticed at the next line
        return frame.data if frame else b":\n\n"

    def close(self) -> None:
        """End the feed."""
        at_end, self._at_end = self._at_end, None
        if at_end:
            at_end(self)

    __del__ = close


class Watching:
    """The feeds of one worker, and the thread that makes their events. ``describe`` makes an event of a trace."""

    @renewed_after_fork
    def __init__(
        self,
        watcher: Watcher,
        describe: Callable[[Trace], Event],
        bus: Bus,
        *,
        worker: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watcher, self._describe, self._bus, self._clock = watcher, describe, bus, clock
        self._worker = worker
        self._changed = threading.Condition()
        self._traces: deque[Trace] = deque(maxlen=KEPT)
        self._kept: deque[Frame] = deque(maxlen=KEPT)
        self._feeds = WeakSet[Feed]()
        self._until = self._renew_at = 0.0
        self._second, self._admitted, self._skipped = 0, 0, 0
        self._thread: threading.Thread | None = None
        watcher.admits, watcher.ended = self._admits, self._ended
        watcher.forgot = self._forgot
        watcher.past = deque(maxlen=MOST_PAST)
        bus.subscribe(WATCH, lambda _message: self._watch_for(WATCH_SECONDS))
        for name in (REQUEST, CHANGED, EXPLAINED):
            bus.subscribe(name, partial(self._receive, name))

    def open(self, last_id: str = "", at_end: Callable[[], None] = lambda: None) -> Feed:
        """Return a new feed, with the events that are kept; those after ``last_id`` if that is one of them."""

        def end(feed: Feed) -> None:
            with self._changed:
                self._feeds.discard(feed)
            self._watch_for(LINGER_SECONDS)
            at_end()

        with self._changed:
            kept = list(self._kept)
            after = next((at for at, frame in enumerate(kept, 1) if frame.id == last_id), 0)
            feed = Feed([Frame("hello", {"worker": self._worker}), *kept[after:]], end)
            self._feeds.add(feed)
        self._watch_for(LINGER_SECONDS)
        self._bus.publish(WATCH, {})
        return feed

    def _receive(self, name: str, event: Event) -> None:
        self._deliver(Frame(name, event, str(event["id"])))

    def _forgot(self, order: Forget, count: int) -> None:
        user = in_texts(without_tokens, {"user_id": order.user_id})  # not a token's hash, which no page needs
        self._deliver(Frame("forgotten", {"count": count, "everything": order.everything, **user}))

    def tell(self, name: str, document: Mapping[str, Any]) -> None:
        """Send an event of the page's own to the feeds of all workers, and keep it with the requests."""
        event = {"id": new_request_id(), **document}
        self._deliver(Frame(name, event, event["id"]))
        self._bus.publish(name, event)

    def _watch_for(self, seconds: float) -> None:
        with self._changed:
            self._until = max(self._until, self._clock() + seconds)
            if not self._watcher.watching:
                self._traces.extend(self._watcher.past_traces())
            self._watcher.watching = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="page", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _admits(self) -> bool:
        """Return whether one more request may leave a trace in this second. Two threads may count as one."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._admitted = second, 0
        self._admitted += 1
        self._skipped += self._admitted > MOST_PER_SECOND
        return self._admitted <= MOST_PER_SECOND

    def _ended(self, trace: Trace) -> None:
        with self._changed:
            self._skipped += len(self._traces) == KEPT  # the oldest leaves
            self._traces.append(trace)
            self._changed.notify()

    def _run(self) -> None:
        """Make events, and rest after each: a flood of large tokens must not slow the API down."""
        while True:
            with self._changed:
                if not self._traces:
                    self._changed.wait(RENEW_SECONDS if self._watcher.watching else None)
                trace = self._traces.popleft() if self._traces else None
            if trace:
                began = time.perf_counter()
                try:
                    event = self._describe(trace)
                    self._deliver(Frame(REQUEST, event, trace.id))
                    self._bus.publish(REQUEST, event)
                except Exception:  # the next request may be all right
                    log.exception("request %s cannot be shown", trace.id)
                del trace  # it holds a token
                time.sleep(REST * (time.perf_counter() - began))
            self._renew()

    def _deliver(self, frame: Frame) -> None:
        with self._changed:
            if frame.id:
                self._kept.append(frame)
            feeds = list(self._feeds)
        for feed in feeds:
            feed.put(frame)

    def _renew(self) -> None:
        """Tell the other workers that somebody watches, or stop watching."""
        now, skipped = self._clock(), 0
        with self._changed:
            is_open = bool(self._feeds)
            if is_open:
                self._until = max(self._until, now + LINGER_SECONDS)
            elif now >= self._until:
                self._watcher.watching = False
                self._kept.clear()
            due = is_open and now >= self._renew_at
            if due:
                self._renew_at = now + RENEW_SECONDS
                skipped, self._skipped = self._skipped, 0
        if due:
            self._bus.publish(WATCH, {})
        if skipped:
            self._deliver(Frame("skipped", {"count": skipped}))


class PageSlots:
    """Counts the requests to the page that are being served, and refuses those that are too many. Thread-safe."""

    @renewed_after_fork
    def __init__(self, threads: int) -> None:
        self.most_feeds = max(threads - SHORT_REQUESTS, threads // 2)
        self._all, self._feeds = threading.Semaphore(threads), threading.Semaphore(self.most_feeds)

    def take(self) -> None:
        """Take a slot. Raises PageRefusal if none is free."""
        if not self._all.acquire(blocking=False):
            raise PageRefusal(503, "too_many_pages", "too many requests to the page at a time", headers=LATER)

    def take_feed(self) -> None:
        """Let a request that has a slot keep it as a feed. Raises PageRefusal if there are too many feeds."""
        if not self._feeds.acquire(blocking=False):
            what = f"{self.most_feeds} pages are open, the limit of this API; close one"
            raise PageRefusal(503, "too_many_pages", what, headers=LATER)

    def give_back(self, *, feed: bool = False) -> None:
        """Give back a slot."""
        self._all.release()
        if feed:
            self._feeds.release()
