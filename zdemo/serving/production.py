"""Serve in the foreground on Granian, with one or more worker processes.

Granian's own handler for SIGTERM does not suffice in a worker: a signal that another thread takes never reaches it (see
``signals``), a client that sends half a request holds the worker for 10 s, and a worker whose parent was killed would
serve forever. So threads of the worker wait for the signal and for the parent, and make sure of the end.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # it is imported there
from granian.server import MPServer
from granian.server.mp import WorkerProcess
from setproctitle import setproctitle

from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus, Hub
from zdemo.serving.listening import BACKLOG, address, one_per_worker
from zdemo.serving.signals import CAN_BLOCK, block_stop_signals, inherited_mask, wait_for

KILL_SECONDS = 10  # how long a worker may take to stop
MOST_CONNECTIONS = 16_384  # per worker; silent ones count, so this is far more than one client opens
FILE_LIMITS = (2 * MOST_CONNECTIONS, 10_240)  # to try; macOS allows no more than the second


class _Server(MPServer):
    """Granian on sockets that listen already, one per worker.

    By itself it lets each worker bind one with SO_REUSEPORT, which another ``zdemo serve`` could do as well.
    """

    listeners: list[socket.socket]
    hub: Hub

    def _init_shared_socket(self) -> None:
        """Bind no socket of its own."""

    def _spawn_worker(self, **arguments: Any) -> WorkerProcess:  # type: ignore[override]  # Granian names them all
        self._sso = self.listeners[arguments["idx"]]
        holder: Any = None  # what Granian keeps a socket in; on Windows the workers make it themselves
        if sys.platform != "win32":
            backlog = [BACKLOG] if sys.platform.startswith(("linux", "freebsd")) else []
            holder = SocketHolder(self._sso.fileno(), False, *backlog)  # type: ignore[call-arg]  # says its stub
        self._shd = holder
        pipe = self.hub.open() if self.workers > 1 else None
        worker = super()._spawn_worker(**arguments | {"target": replace(arguments["target"], pipe=pipe)})
        with inherited_mask("SIG_UNBLOCK", [signal.SIGTERM]):  # until the worker blocks it
            worker.inner.start()
        if pipe:
            pipe.close()  # the worker has its own now, and the hub sees its end when the worker ends
        worker.start = worker._watch  # type: ignore[method-assign]  # what is left to do, with the signal blocked again
        return worker

    def _drop_shared_socket(self) -> None:
        for listener in self.listeners:
            listener.close()

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop; a worker that ended first, because the signal went to the whole process group, has not failed."""
        try:
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]  # Granian's has no types
        except SystemExit:
            if exit_code or not self.interrupt_signal:
                raise ChildProcessError("a worker ended again within seconds of its start") from None


def most_connections() -> int:
    """Raise the limit of open files, and return how many clients a worker may hold: at most half of that limit."""
    try:
        import resource  # not on Windows, which has no such limit
    except ImportError:
        return MOST_CONNECTIONS
    for wanted in FILE_LIMITS:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(ValueError, OSError):
                limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)


def serve_forever(
    build: Callable[[Bus], WSGIApp], listener: socket.socket, *, workers: int, threads: int, pin: bool = False
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; running requests are finished first. Close ``listener`` then.

    ``build`` returns the application. It runs once in each worker process, so it must be picklable, and gets the
    worker's way to the others. ``threads`` are per worker. With ``pin``, each worker stays on one processor (Linux).

    Ctrl-C on a terminal goes to the whole process group. A Granian worker that gets SIGINT, and SIGTERM from its parent
    a moment later, does not stop until it is killed: so workers block SIGINT, and get SIGTERM from this process alone.

    A worker that ends is replaced. Raises ChildProcessError if the new one ends within seconds.
    """
    # A forked worker would inherit locks that threads of this process hold, such as an emulator's.
    multiprocessing.set_start_method("spawn", force=True)
    # New processes start with python -c, which would import modules of the working directory, from a clone perhaps.
    os.environ["PYTHONSAFEPATH"] = "1"
    server = _Server(
        "zdemo",
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backpressure=most_connections(),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),  # milliseconds for the header fields
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
        process_name=f"zdemo serve: {address(listener)}",
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # Granian does that later
        signal.signal(number, server.signal_handler_interrupt)
    resource_tracker.ensure_running()  # a helper process; starting it unblocks these two
    signals = block_stop_signals()
    has_arrived = CAN_BLOCK and not signal.sigpending().isdisjoint(signals)
    if server.interrupt_signal or has_arrived:
        return
    if CAN_BLOCK:  # else the handlers stop the server
        threading.Thread(target=_pass_on, args=(signals, server.signal_handler_interrupt), daemon=True).start()
    server.listeners, server.hub = one_per_worker(listener, workers), Hub()
    worker = Worker(place=address(listener), count=workers, pin=pin)
    server.serve(spawn_target=worker, target_loader=build, wrap_loader=False)


def _pass_on(signals: Collection[signal.Signals], stop: Callable[[], object]) -> None:
    """Stop the server at the first signal, and take those that follow."""
    while True:
        wait_for(signals)
        stop()


# --- a worker process

STOP_SECONDS = 9.0  # how long running requests may take to finish; the parent kills after 10
ORPHAN_SECONDS = 3.0  # the same, after the parent was killed
QUIET_SECONDS = 0.5  # without a request: only clients that are silent or slow are left, or Granian hangs
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
        if self.pin:
            bind_to_one_processor(number)
        setproctitle(f"zdemo serve: worker {number} of {self.count}, {self.place}")
        running: list[None] = []  # one item per request in progress
        block_stop_signals()  # until now SIGTERM has ended this process at once
        threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
        if CAN_BLOCK:  # else SIGTERM still does
            threading.Thread(target=_stop_on_sigterm, args=(running,), name="stop", daemon=True).start()
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
        busy = time.monotonic()  # when a request was last in progress
        end = busy + seconds
        while (now := time.monotonic()) < min(end, busy + QUIET_SECONDS):
            if running:
                busy = now
            time.sleep(0.02)
    _exit_at_once()


def _exit_at_once() -> None:
    """Write the last log lines, and end without Python's shutdown, in which Granian's threads fail with tracebacks."""
    logging.shutdown()
    os._exit(0)
