"""Serve a WSGI application inside a process, during a ``with`` block, on cheroot.

``production`` serves in the foreground on Granian, which is faster, limits slow clients and runs several workers, but
does not run inside another program.
"""

import atexit
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from cheroot.workers.threadpool import WorkerThread
from cheroot.wsgi import Server

from zdemo.serving import WSGIApp
from zdemo.serving.connections import LARGEST_HEADER_BYTES, ClientConnection, Clients
from zdemo.serving.listening import BACKLOG, listen
from zdemo.serving.signals import stop_signals_blocked

LOOPBACK = "127.0.0.1"
THREADS = 16
PATIENT_THREADS = 1024  # at most, for clients that are slow: one per unfinished request
SPARE_THREADS = 2  # kept idle then; a thread counts as idle until it has registered its request
PATIENT_SECONDS = 86_400  # in effect no timeout; cheroot needs a number
SILENT_SECONDS = 10  # how long a client may be silent between requests otherwise
TRANSFER_SECONDS = 30.0  # how long a request may take to arrive, as a whole, and a response to be accepted
MOST_CONNECTIONS = 1000  # fewer than patient threads, so that each connection can have one
STOP_CHECK_SECONDS = 0.02  # how often the server checks whether to stop
STOP_SECONDS = 2  # how long a stop waits for running requests


def _most_connections() -> int:
    """Return how many connections to hold, at most half of the files that this process may open."""
    try:
        import resource  # not on Windows, which has no such limit

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft // 2))
    except (ImportError, ValueError, OSError):
        return MOST_CONNECTIONS


class _Server(Server):
    ConnectionClass = ClientConnection
    keep_alive_conn_limit = MOST_CONNECTIONS  # with cheroot's 10, more clients would reconnect for each request
    max_request_header_size = LARGEST_HEADER_BYTES
    expiration_interval = STOP_CHECK_SECONDS
    clients: Clients
    transfer_seconds: float
    on_http2: Callable[[], None]
    listener: socket.socket

    def bind(self, *_: Any) -> socket.socket:
        """Take the socket that listens already; cheroot's own would not say why it cannot listen."""
        self.socket = self.listener
        return self.listener

    def process_conn(self, conn: Any) -> None:
        """Keep a new connection among the idle ones until its first byte, so that silent clients take no thread.

        After that it gets a thread, a new one if necessary (cheroot never grows the pool itself).
        """
        self.clients.move_to_end(conn)
        if conn.last_used is None:
            self.put_conn(conn)
            return
        # While the server stops, its worker threads still call this; a thread that they start would never end.
        if not isinstance(threading.current_thread(), WorkerThread):
            pool = self.requests
            if (lacking := pool.qsize + SPARE_THREADS - pool.idle) > 0:
                pool.grow(lacking)
        super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Log nothing: applications log for themselves, and a broken connection is the client's affair."""

    def run(self, prepared: Future[None]) -> None:
        """Serve until the stop, in a daemon thread, so that the threads that this one starts are daemons too."""
        try:
            self.prepare()
        except Exception as error:
            prepared.set_exception(error)
            return
        prepared.set_result(None)
        self.serve()


@contextmanager
def serving(  # noqa: PLR0913  # where to listen, and limits, each given by name
    app: WSGIApp,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    threads: int = THREADS,
    patient: bool = False,
    transfer_seconds: float = TRANSFER_SECONDS,
    most_connections: int | None = None,
    on_http2: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Serve ``app`` in background threads during the block; yield the port (``0`` picks a free one).

    A ``patient`` server keeps silent connections, and has more threads than ``threads`` while requests arrive slowly.
    A request must arrive within ``transfer_seconds``, and its response must be accepted within as many.
    ``on_http2`` is called for every client that starts with HTTP/2; its connection is closed.
    Leaving the block closes the listening socket and every connection. Raises OSError if it cannot listen there.
    """
    listener = listen(host, port)
    server = _Server(
        listener.getsockname()[:2],
        app,
        numthreads=threads,
        max=PATIENT_THREADS if patient else threads,
        request_queue_size=BACKLOG,
        timeout=PATIENT_SECONDS if patient else SILENT_SECONDS,
        shutdown_timeout=STOP_SECONDS,
    )
    server.clients = Clients(most_connections or _most_connections())
    server.transfer_seconds = transfer_seconds
    server.on_http2, server.listener = on_http2, listener
    with stop_signals_blocked():
        prepared: Future[None] = Future()
        thread = threading.Thread(
            target=server.run, args=(prepared,), name=f"serving:{server.bind_addr[1]}", daemon=True
        )
        thread.start()
        prepared.result()

    def stop() -> None:
        server.stop()
        thread.join()

    atexit.register(stop)  # a block that is never left: later, Python holds daemons, and joining them takes for ever
    try:
        yield int(server.bind_addr[1])
    finally:
        atexit.unregister(stop)
        stop()
