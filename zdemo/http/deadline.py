"""Connections of urllib3 that keep one deadline, from resolving the name to the last byte of the answer.

In requests, a timeout bounds each receive, so a server that sends byte by byte can hold a request forever.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future
from http.client import RemoteDisconnected
from queue import Empty, Full
from typing import Any, cast

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from zdemo.serving.forks import renewed_after_fork

IDLE_SECONDS = 20  # shorter than the idle timeout of the usual proxies (nginx 75 s, cloud balancers 30 to 60 s)
SHORTEST_TIMEOUT_SECONDS = 0.001  # a socket timeout of 0 would mean non-blocking
LEAST_REQUEST_SECONDS = 0.05  # with less time left no request is started: no answer would come in time


class StaleConnection(ConnectionError):
    """A pooled connection that the other side closed before a byte of this answer came."""


class _DeadlineSocket:
    """A socket whose timeout bounds all that follows, not each receive."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.received = False
        self.settimeout(sock.gettimeout() or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def gettimeout(self) -> float:
        """Return the time that is left, with which a TLS handshake on this socket continues."""
        return max(self._deadline - time.monotonic(), SHORTEST_TIMEOUT_SECONDS)

    def arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._sock.settimeout(max(left, SHORTEST_TIMEOUT_SECONDS))

    def sendall(self, data: Any) -> None:
        self.arm()
        self._sock.sendall(data)

    def recv(self, size: int) -> bytes:  # for TLS inside TLS
        self.arm()
        return self._sock.recv(size)

    def recv_into(self, buffer: Any, *rest: int) -> int:
        self.arm()
        count = self._sock.recv_into(buffer, *rest)
        self.received = self.received or bool(count)
        return count

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        raw: Any = self._sock.makefile("rb", buffering=0)
        raw._sock = self  # so that each read keeps the deadline
        return io.BufferedReader(raw)


def resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Look up a name as ``getaddrinfo`` does, with a time limit, which the system's resolver does not have."""
    answer = Future[list[Any]]()

    def look_up() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error if isinstance(error, OSError) else socket.gaierror(str(error)))

    threading.Thread(target=look_up, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise socket.gaierror("DNS gave no answer in time") from None


def connected(addresses: list[Any], end: float) -> socket.socket:
    """Return a socket that is connected to one of these addresses of ``resolve``; all share the time until ``end``."""
    last: OSError = socket.gaierror("no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(end - time.monotonic(), SHORTEST_TIMEOUT_SECONDS))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            last = error
    raise last


class _DeadlineMixin:
    """A connection of urllib3 with one deadline for resolving, connecting, sending and receiving."""

    idle_seconds: float = IDLE_SECONDS
    sock: Any
    timeout: Any
    _used_at: float | None = None

    def _new_conn(self) -> socket.socket:
        """Return a connected socket; urllib3 would give each address of a name all of the time."""
        this: Any = self  # its timeout is a number, since each request has one
        end = time.monotonic() + this.timeout
        try:
            sock = _DeadlineSocket(connected(resolve(this.host.strip("[]"), int(this.port or 0), this.timeout), end))
            sock.settimeout(max(end - time.monotonic(), SHORTEST_TIMEOUT_SECONDS))
            return cast(socket.socket, sock)  # proxies answer CONNECT on it, ssl takes it over
        except socket.gaierror as error:
            raise NameResolutionError(this.host, this, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(this, "connecting took too long") from error
        except OSError as error:
            raise NewConnectionError(this, str(error)) from error

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> _DeadlineSocket:
        return _DeadlineSocket(super()._connect_tls_proxy(hostname, sock))  # type: ignore[misc]  # as below

    def connect(self) -> None:
        self._used_at = None  # urllib3 connects the same object again after it was dropped
        super().connect()  # type: ignore[misc]  # the other base class is an urllib3 connection
        if not isinstance(self.sock, _DeadlineSocket):  # it is wrapped in TLS by now
            self.sock = _DeadlineSocket(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self.sock.received = False
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]  # as above
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._classified(error, self.sock) from error

    def getresponse(self) -> Any:
        sock = self.sock  # http.client forgets it when the connection breaks
        try:
            response = super().getresponse()  # type: ignore[misc]  # as above
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            raise self._classified(error, sock) from error
        self._used_at = time.monotonic()
        return response

    def _classified(self, error: Exception, sock: Any) -> Exception:
        """Return StaleConnection if the connection has worked before and nothing of this answer came, or the error."""
        stale = self._used_at is not None and not getattr(sock, "received", False)
        return StaleConnection(str(error)) if stale else error

    @property
    def is_connected(self) -> bool:
        """Whether it can be used again; not after an idle time in which a proxy may have dropped it."""
        fresh = self._used_at is None or time.monotonic() - self._used_at < self.idle_seconds
        return fresh and bool(super().is_connected)  # type: ignore[misc]  # as above


class _IdleConnections(deque[Any]):
    """The queue of a pool, without the lock of urllib3's, which a thread that a forked process lacks may hold."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, **_: Any) -> Any:
        try:
            return self.pop()
        except IndexError:
            raise Empty from None

    def put(self, connection: Any, **_: Any) -> None:
        if len(self) >= self._size:
            raise Full
        self.append(connection)

    qsize = deque.__len__


class DeadlineAdapter(HTTPAdapter):
    """An adapter of requests whose ``send`` keeps ``timeout=urllib3.Timeout(total=seconds)`` as one deadline.

    A connection that was idle for ``idle_seconds`` is not used again.
    """

    @renewed_after_fork
    def __init__(self, /, *, idle_seconds: float = IDLE_SECONDS, **kwargs: Any) -> None:
        plain = type("_Connection", (_DeadlineMixin, HTTPConnection), {"idle_seconds": idle_seconds})
        secure = type("_SecureConnection", (_DeadlineMixin, HTTPSConnection), {"idle_seconds": idle_seconds})
        idle = {"QueueCls": _IdleConnections}
        self._pool_classes = {
            "http": type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": plain, **idle}),
            "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure, **idle}),
        }
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Do as the base class, with connections that keep the deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Do as the base class, with connections that keep the deadline."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager
