"""Run a WSGI application on a loopback port for the length of a ``with`` block.

A module of its own because the API, the emulator, the demo and the tests all need a server inside
their process, and nothing else of zdemo may be shared between the API and the emulator.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server

WSGIApp = Callable[..., Any]

LOOPBACK = "127.0.0.1"
THREADS = 16
STOP_CHECK_SECONDS = 0.02  # how often the server looks whether it shall stop
STOP_SECONDS = 2  # how long a stop waits for requests that are being answered


class _HeadersWithoutServer(list[tuple[bytes, bytes]]):
    """Answer headers; the server's own name never gets in (ZITADEL sends no ``Server``)."""

    def append(self, header: tuple[bytes, bytes]) -> None:
        if header[0] != b"Server":
            super().append(header)


class _Request(HTTPRequest):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outheaders = _HeadersWithoutServer()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class _Server(Server):
    ConnectionClass = _Connection
    expiration_interval = STOP_CHECK_SECONDS
    shutdown_timeout = STOP_SECONDS

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Say nothing: the applications log what concerns them, and a broken connection is the client's story."""


@contextmanager
def serving(app: WSGIApp, host: str = LOOPBACK, port: int = 0, threads: int = THREADS) -> Iterator[int]:
    """Serve ``app`` in background threads while the block runs; yields the port (``0`` picks a free one).

    Leaving the block closes the listening socket and every connection.

    Raises:
        OSError: the port is taken, or the host is not one of this machine.
    """
    server = _Server((host, port), app, numthreads=threads, request_queue_size=512)
    server.prepare()
    thread = threading.Thread(target=server.serve, name=f"serving:{server.bind_addr[1]}", daemon=True)
    thread.start()
    try:
        yield int(server.bind_addr[1])
    finally:
        server.stop()
        thread.join()


def port_is_free(host: str, port: int) -> bool:
    """Whether ``host:port`` can be listened on now. Granian would share a taken port in silence, so ask first."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True
