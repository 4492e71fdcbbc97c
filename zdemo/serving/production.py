"""Serve in the foreground on Granian, with one or more worker processes."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # it is imported there
from granian.server import MPServer
from granian.server.mp import WorkerProcess

from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus, Hub
from zdemo.serving.listening import BACKLOG, address, one_per_worker
from zdemo.serving.signals import CAN_BLOCK, block_stop_signals, has_arrived, sigterm_unblocked, wait_for
from zdemo.serving.worker import Worker

HEADER_MILLISECONDS = 10_000  # how long a client may take to send its header fields
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
        self._shd = _holder(self._sso)
        pipe = self.hub.open() if self.workers > 1 else None
        worker = super()._spawn_worker(**arguments | {"target": replace(arguments["target"], pipe=pipe)})
        with sigterm_unblocked():
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


def _holder(listener: socket.socket) -> Any:
    """Return what Granian keeps a socket in; its workers have the same descriptor."""
    if sys.platform == "win32":  # there the workers make it themselves
        return None
    backlog = [BACKLOG] if sys.platform.startswith(("linux", "freebsd")) else []
    return SocketHolder(listener.fileno(), False, *backlog)  # type: ignore[call-arg]  # its stub has no arguments


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
    server = _server(listener, workers=workers, threads=threads)
    for one in (signal.SIGINT, signal.SIGTERM):  # Granian does that later
        signal.signal(one, server.signal_handler_interrupt)
    resource_tracker.ensure_running()  # a helper process; starting it unblocks these two
    signals = block_stop_signals()
    if server.interrupt_signal or has_arrived(signals):
        return
    if CAN_BLOCK:  # else the handlers do
        threading.Thread(target=_pass_on, args=(signals, server.signal_handler_interrupt), daemon=True).start()
    server.listeners, server.hub = one_per_worker(listener, workers), Hub()
    worker = Worker(place=address(listener), count=workers, pin=pin)
    server.serve(spawn_target=worker, target_loader=build, wrap_loader=False)


def _server(listener: socket.socket, *, workers: int, threads: int) -> _Server:
    # A forked worker would inherit locks that threads of this process hold, such as an emulator's.
    multiprocessing.set_start_method("spawn", force=True)
    # New processes start with python -c, which would import modules of the working directory, from a clone perhaps.
    os.environ["PYTHONSAFEPATH"] = "1"
    return _Server(
        "zdemo",
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backpressure=most_connections(),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
        process_name=f"zdemo serve: {address(listener)}",
    )


def _pass_on(signals: Collection[signal.Signals], stop: Callable[[], object]) -> None:
    """Stop the server at the first signal, and take those that follow."""
    while True:
        wait_for(signals)
        stop()
