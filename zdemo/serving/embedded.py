"""Serve a WSGI application inside a process, during a ``with`` block, on cheroot.

``production`` serves in the foreground on Granian, which is faster, limits slow clients and runs several workers, but
does not run inside another program.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.workers.threadpool import WorkerThread
from cheroot.wsgi import Server

WSGIApp = Callable[..., Any]

LOOPBACK = "127.0.0.1"
THREADS = 16
PATIENT_THREADS = 512  # at most, for clients that may be as slow as they like: one per unfinished request
SPARE_THREADS = 2  # kept idle then; a thread counts as idle until it has registered its request
PATIENT_SECONDS = 86_400  # in effect no timeout; cheroot needs a number
SILENT_SECONDS = 10  # how long a client may be silent otherwise
IDLE_CONNECTIONS = 1024  # kept open; with cheroot's default of 10, more clients would reconnect for each request
STOP_CHECK_SECONDS = 0.02  # how often the server checks whether to stop
STOP_SECONDS = 2  # how long a stop waits for running requests


class _HeadersWithoutServer(list[tuple[bytes, bytes]]):
    """Response headers without the server's name (ZITADEL sends no ``Server``)."""

    def append(self, header: tuple[bytes, bytes]) -> None:
        if header[0] != b"Server":
            super().append(header)


class _HeadersJoined(dict[bytes, bytes]):
    """Request headers; a second ``Authorization`` is joined to the first, as other servers do, not put in its place."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if name == b"Authorization" and name in self:
            value = self[name] + b", " + value
        super().__setitem__(name, value)


class _Request(HTTPRequest):
    def __init__(self, server: Any, connection: Any) -> None:
        super().__init__(server, connection, proxy_mode=True)  # servers must accept absolute URIs (RFC 9112 §3.2.2)
        self.inheaders = _HeadersJoined()
        self.outheaders = _HeadersWithoutServer()

    def read_request_line(self) -> bool:
        """Read it; cheroot would take a path that begins with ``//`` for an authority (RFC 9112 §3.2.1)."""
        complete: bool = super().read_request_line()  # type: ignore[no-untyped-call]  # cheroot's stub lacks it
        if complete and self.uri.startswith(b"//"):
            self.path = b"//" + self.authority + (self.path if b"/" in self.uri.partition(b"?")[0][2:] else b"")
            self.authority = b""
        return complete

    def simple_response(self, status: str, msg: str = "") -> None:
        """Refuse a request; an HTTP/2 preface gets no response, since its sender would not understand one."""
        if status.startswith("505"):
            self.server.on_http2()
        else:
            super().simple_response(status, msg)


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class _Server(Server):
    ConnectionClass = _Connection
    keep_alive_conn_limit = IDLE_CONNECTIONS
    expiration_interval = STOP_CHECK_SECONDS
    on_http2: Callable[[], None]

    @classmethod
    def prepare_socket(cls, *args: Any, **kwargs: Any) -> socket.socket:
        """Return a socket whose port can be used again at once, even if the system chose it.

        Connections that linger inherit the option, and would otherwise keep the port taken for a minute.
        """
        sock: socket.socket = super().prepare_socket(*args, **kwargs)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: Any) -> socket.socket:
        """Bind the socket; close it if that fails, which cheroot does not do."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def process_conn(self, conn: Any) -> None:
        """Keep a new connection among the idle ones until its first byte, so that silent clients take no thread.

        After that it gets a thread, a new one if necessary (cheroot never grows the pool itself).
        """
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


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Keep SIGINT from the threads and processes that this thread starts during the block."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def serving(
    app: WSGIApp,
    host: str = LOOPBACK,
    port: int = 0,
    *,
    threads: int = THREADS,
    patient: bool = False,
    on_http2: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Serve ``app`` in background threads during the block; yield the port (``0`` picks a free one).

    A ``patient`` server has no timeouts, and more threads than ``threads`` while requests arrive slowly.
    ``on_http2`` is called for every client that starts with HTTP/2; its connection is closed.
    Leaving the block closes the listening socket and every connection. Raises OSError if it cannot listen there.
    """
    server = _Server(
        (host, port),
        app,
        numthreads=threads,
        max=PATIENT_THREADS if patient else threads,
        request_queue_size=512,
        timeout=PATIENT_SECONDS if patient else SILENT_SECONDS,
        shutdown_timeout=STOP_SECONDS,
    )
    server.on_http2 = on_http2
    with interrupts_blocked():
        server.prepare()
        thread = threading.Thread(target=server.serve, name=f"serving:{server.bind_addr[1]}", daemon=True)
        thread.start()
    try:
        yield int(server.bind_addr[1])
    finally:
        server.stop()
        thread.join()
