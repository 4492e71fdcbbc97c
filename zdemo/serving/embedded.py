"""Serve a WSGI application inside a process, during a ``with`` block, on werkzeug's server.

Each connection has its own thread and carries one request, and no client is limited. ``production`` serves in the
foreground on Granian, which is faster, limits slow clients and runs several workers, but does not run inside another
program.
"""

import atexit
import io
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wsgi import get_input_stream

from zdemo.serving import WSGIApp
from zdemo.serving.listening import listen
from zdemo.serving.signals import STOPPING, inherited_mask

LOOPBACK = "127.0.0.1"
SOCKET = "werkzeug.socket"  # key in a request's environment for its connection
RECEIVED = "zdemo.received"  # the same for its first line and header fields as they came; WSGI drops and joins some
STOP_CHECK_SECONDS = 0.02  # how often the server checks whether to stop
STOP_SECONDS = 2  # how long a stop waits for running requests


class _Handler(WSGIRequestHandler):
    """Answers without a ``Server`` field, as ZITADEL does, and logs nothing: applications log for themselves."""

    default_request_version = "HTTP/1.0"  # also a broken request gets a status line

    def make_environ(self) -> dict[str, Any]:
        """Keep what WSGI has no place for."""
        return super().make_environ() | {RECEIVED: (self.requestline, self.headers.items())}

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a broken request; the sender of an HTTP/2 preface would not understand a response."""
        if code == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED and isinstance(self.server, _Server):
            self.server.on_http2(self.connection, self.raw_requestline + self.rfile.peek())  # type: ignore[attr-defined]  # a BufferedReader
        else:
            super().send_error(code, message, explain)

    def log(self, *_: Any) -> None:
        """Drop what the base class logs."""


class _Server(ThreadedWSGIServer):
    def __init__(self, listener: socket.socket, app: WSGIApp, on_http2: Callable[..., None]) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(host, port, app, _Handler, fd=listener.fileno())
        self.on_http2 = on_http2
        self._connections: dict[threading.Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a new thread, as the base class does, but remember it until it has ended."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        running = {thread: sock for thread, sock in self._connections.items() if thread.is_alive()}
        self._connections = {**running, thread: request}
        thread.start()

    def end(self) -> None:
        self.shutdown()
        for sock in self._connections.values():
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + STOP_SECONDS
        for thread in self._connections:
            thread.join(max(0, end - time.monotonic()))

    def handle_error(self, *_: Any) -> None:
        """Ignore a broken connection, which is the client's affair."""

    def log(self, *_: Any) -> None:
        """Drop what the base class logs."""


def _with_ends(app: WSGIApp) -> WSGIApp:
    """Wrap an application so that the body of a request ends, and an error of a connection ends it."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        # Buffered, since Python lets a raw stream that ends inside a chunk give out memory that was never received
        environ["wsgi.input"] = io.BufferedReader(get_input_stream(environ))
        environ["wsgi.input_terminated"] = True
        answer: Iterable[bytes] = ()
        try:
            answer = app(environ, start_response)
            for piece in answer:  # noqa: UP028  # ``yield from`` may close it, too
                yield piece
        except (ConnectionError, TimeoutError):
            with suppress(OSError):  # ended already
                environ[SOCKET].shutdown(socket.SHUT_RD)  # else werkzeug would wait for the next request
            raise
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return call


@contextmanager
def serving(
    app: WSGIApp, host: str = LOOPBACK, port: int = 0, *, on_http2: Callable[..., None] = lambda *_: None
) -> Iterator[int]:
    """Serve ``app`` in background threads during the block; yield the port (``0`` picks a free one).

    ``on_http2`` gets the connection of a client that starts with HTTP/2, and what was read from it; then it is closed.
    Leaving the block closes the listening socket and every connection. Raises OSError if it cannot listen there.
    """
    with listen(host, port) as listener:
        server = _Server(listener, _with_ends(app), on_http2)
    with inherited_mask("SIG_BLOCK", STOPPING):
        thread = threading.Thread(target=server.serve_forever, args=(STOP_CHECK_SECONDS,), daemon=True)
        thread.start()

    def stop() -> None:
        server.end()
        thread.join()

    atexit.register(stop)  # a block that is never left: later, Python holds daemons, and joining them takes forever
    try:
        yield server.port
    finally:
        atexit.unregister(stop)
        stop()
