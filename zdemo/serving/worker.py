"""A worker process: its name, and its end.

Granian's own handler for SIGTERM does not suffice: a signal that another thread takes never reaches it (see
``signals``), a client that sends half a request holds the worker for 10 s, and a worker whose parent was killed would
serve on for ever. So threads of the worker wait for the signal and for the parent, and make sure of the end.
"""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from granian.server import MPServer
from setproctitle import setproctitle

from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus
from zdemo.serving.signals import CAN_BLOCK, block_stop_signals

STOP_SECONDS = 9.0  # how long running requests may take to finish; the parent kills after 10
ORPHAN_SECONDS = 3.0  # the same, after the parent was killed
QUIET_SECONDS = 0.5  # without a request: only clients that are silent or slow are left, or Granian hangs
CHECK_SECONDS = 0.02
FLUSH_SECONDS = 2.0  # how long the last log lines may take, with the GIL and a log that is not read


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What each worker process runs; it is sent there. ``place`` is where the server listens, for the title.

    With ``pin``, it stays on one processor. ``pipe`` leads to the hub of the bus; a worker that is alone has none.
    """

    place: str
    count: int
    pin: bool
    pipe: Connection | None = None

    def __call__(self, number: int, _title: object, build: Callable[[Bus], WSGIApp], *rest: Any) -> None:
        """Serve until SIGTERM, or until the parent ends. Granian gives the arguments."""
        setproctitle(f"zdemo serve: worker {number} of {self.count}, {self.place}")
        if self.pin:
            bind_to_one_processor(number)
        running: list[None] = []  # one item per request in progress
        _watch(running)
        MPServer._spawn_wsgi_worker(number, None, lambda: _counted(self._app(build), running), *rest)
        _exit_at_once()

    def _app(self, build: Callable[[Bus], WSGIApp]) -> WSGIApp:
        bus = Bus(self.pipe, others=self.count - 1)
        app = build(bus)
        bus.start()
        return app


def bind_to_one_processor(number: int) -> None:
    """Bind worker ``number`` to one of the processors that it may use (Linux); the threads that it starts stay there.

    Only one thread of a process runs Python at a time. Without this, Linux wakes the next one on an idle processor,
    whose caches hold nothing of the interpreter (docs/performance.md has the times).
    """
    if sys.platform == "linux":
        allowed = sorted(os.sched_getaffinity(0))
        with suppress(OSError):  # the processors are others now, as in a container that was changed
            os.sched_setaffinity(0, [allowed[(os.getppid() + number) % len(allowed)]])  # other servers begin elsewhere


def _counted(app: WSGIApp, running: list[None]) -> WSGIApp:
    """Return the app; for each call in progress, ``running`` has an item."""
    begin, end = running.append, running.pop

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        begin(None)
        try:
            return app(environ, start_response)
        finally:
            end()

    return call


def _watch(running: list[None]) -> None:
    """Make this process end on SIGTERM, and when its parent has ended. Until now SIGTERM has ended it at once."""
    block_stop_signals()
    threads = [threading.Thread(target=_follow_parent, name="parent", daemon=True)]
    if CAN_BLOCK:  # else SIGTERM ends a process at once
        threads.append(threading.Thread(target=_stop_on_sigterm, args=(running,), name="stop", daemon=True))
    for thread in threads:
        thread.start()


def _follow_parent() -> None:
    """Wait until the parent has ended, however it did, and stop this process as it would have."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _stop_on_sigterm(running: list[None]) -> None:
    """Wait for SIGTERM, let Granian finish the running requests, and end the process when none is left."""
    signal.sigwait([signal.SIGTERM])
    parent = multiprocessing.parent_process()
    seconds = STOP_SECONDS if parent and parent.is_alive() else ORPHAN_SECONDS
    signal.setitimer(signal.ITIMER_REAL, seconds + FLUSH_SECONDS)  # SIGALRM ends it then, even if all threads hang
    stop = signal.getsignal(signal.SIGTERM)
    if callable(stop):  # else Granian does not serve yet
        stop(signal.SIGTERM, None)
        _wait_until_quiet(running, time.monotonic() + seconds)
    _exit_at_once()


def _wait_until_quiet(running: list[None], end: float) -> None:
    """Wait until no request was in progress for some time; ``end`` is the latest moment."""
    busy = time.monotonic()
    while (now := time.monotonic()) < min(end, busy + QUIET_SECONDS):
        if running:
            busy = now
        time.sleep(CHECK_SECONDS)


def _exit_at_once() -> None:
    """Write the last log lines, and end without Python's own shutdown.

    A thread of Granian that calls Python during the shutdown would fail with a long traceback.
    """
    logging.shutdown()
    os._exit(0)
