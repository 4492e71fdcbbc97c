"""Connections to a Redis or Valkey. Each operation has one deadline and a limit of bytes, whatever the server sends.

The timeouts of redis-py bound each receive, so a server that sends byte by byte could hold a request, and it reads a
value of any size into memory. So these connections open their sockets themselves, behind one that keeps the limits.
"""

import socket
import ssl
import threading
import time
from enum import StrEnum
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from zdemo.config.cache_address import CacheAddress, tls_context
from zdemo.errors import FailureKind
from zdemo.http.deadline import SHORTEST_TIMEOUT_SECONDS, connect_to_any, resolve
from zdemo.http.failures import tls_kind
from zdemo.processes.forks import renewed_after_fork

MOST_LATE = 8  # calls after the deadline


class StoreFault(StrEnum):
    """Why the store did not do what it was asked."""

    REFUSED = "refused"
    NAME = "name"
    TIMEOUT = "timeout"
    BUSY = "busy"
    CERTIFICATE_WRONG_NAME = "certificate for another name"
    CERTIFICATE_UNTRUSTED = "untrusted certificate"
    CERTIFICATE_EXPIRED = "expired certificate"
    CERTIFICATE_NOT_YET_VALID = "certificate not yet valid"
    NOT_TLS = "not tls"
    TLS = "tls"
    TLS_TIMEOUT = "tls timeout"
    CLOSED = "closed"
    CREDENTIALS = "credentials"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION = "permission"
    FULL = "full"
    READ_ONLY = "read-only"
    LOADING = "loading"
    ERROR = "error"
    GARBAGE = "garbage"
    NO_SCRIPT = "no script"


class _HandshakeTimeout(OSError):
    """TLS did not come about in time."""


class _TooMuch(OSError):
    """More bytes than allowed."""


CODES = {  # in the words of a script's error, where older servers leave the code
    "READONLY": StoreFault.READ_ONLY,
    "OOM ": StoreFault.FULL,
}
OF_TLS = {
    FailureKind.CERTIFICATE_WRONG_NAME: StoreFault.CERTIFICATE_WRONG_NAME,
    FailureKind.CERTIFICATE_UNTRUSTED: StoreFault.CERTIFICATE_UNTRUSTED,
    FailureKind.CERTIFICATE_EXPIRED: StoreFault.CERTIFICATE_EXPIRED,
    FailureKind.CERTIFICATE_NOT_YET_VALID: StoreFault.CERTIFICATE_NOT_YET_VALID,
    FailureKind.PLAIN_HTTP: StoreFault.NOT_TLS,  # or plain Redis: no TLS comes back
}
KINDS: dict[type[BaseException], StoreFault] = {  # the first that fits
    NoScriptError: StoreFault.NO_SCRIPT,
    ReadOnlyError: StoreFault.READ_ONLY,
    OutOfMemoryError: StoreFault.FULL,
    NoPermissionError: StoreFault.PERMISSION,
    BusyLoadingError: StoreFault.LOADING,
    AuthenticationError: StoreFault.CREDENTIALS,
    AuthorizationError: StoreFault.CREDENTIALS,
    TimeoutError: StoreFault.TIMEOUT,
    RedisTimeoutError: StoreFault.TIMEOUT,
    socket.gaierror: StoreFault.NAME,
    ConnectionRefusedError: StoreFault.REFUSED,
    FileNotFoundError: StoreFault.REFUSED,  # no such Unix socket
    PermissionError: StoreFault.REFUSED,
    _HandshakeTimeout: StoreFault.TLS_TIMEOUT,
    _TooMuch: StoreFault.GARBAGE,
}


class StoreFailed(Exception):
    """The store failed. The message holds nothing that it sent."""

    def __init__(self, fault: StoreFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class _LimitedSocket:
    """A socket with a deadline and a number of bytes for all that follows ``allow``.

    A few times after the deadline it still gives what has arrived: its thread may have waited for the interpreter, and
    not for the store.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = 0.0
        self._bytes = self._late = 0

    def allow(self, deadline: float, most_bytes: int) -> None:
        self._deadline, self._bytes, self._late = deadline, most_bytes, 0

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the deadline counts."""

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        self._late += left <= 0
        if self._late > MOST_LATE:
            raise TimeoutError
        self._sock.settimeout(max(left, SHORTEST_TIMEOUT_SECONDS))

    def _counted(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise _TooMuch("the answer is too large")

    def recv(self, size: int) -> bytes:
        self._arm()
        data = self._sock.recv(size)
        self._counted(len(data))
        return data

    def recv_into(self, buffer: Any) -> int:
        self._arm()
        count = self._sock.recv_into(buffer)
        self._counted(count)
        return count

    def sendall(self, data: Any) -> None:
        self._arm()
        self._sock.sendall(data)

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()


class _Link(AbstractConnection):
    """One connection of redis-py, on a socket of our own."""

    host = "the store"  # what redis-py puts into its messages, which are not shown
    port = 0

    def __init__(self, address: CacheAddress, context: ssl.SSLContext | None) -> None:
        self._address = address
        self._context = context
        self._limits = time.monotonic(), 0
        super().__init__(
            db=address.database, username=address.username, password=address.password, driver_info=None, protocol=2
        )

    def run(self, deadline: float, most_bytes: int, *command: Any) -> Any:
        """Send a command, and return the answer."""
        self._limits = deadline, most_bytes
        sock: Any = self._sock
        if sock is not None:
            sock.allow(deadline, most_bytes)
        self.send_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it partly untyped
        return self.read_response()

    @property
    def is_connected(self) -> bool:
        return self._sock is not None

    def drop(self) -> None:
        self.disconnect()  # type: ignore[no-untyped-call]  # as above

    def repr_pieces(self) -> list[tuple[str, str]]:
        return []

    def _host_error(self) -> str:
        return self.host

    def _connect(self) -> _LimitedSocket:
        deadline, _ = self._limits
        sock = self._opened(deadline)
        if self._context is not None:
            try:
                sock.settimeout(max(deadline - time.monotonic(), SHORTEST_TIMEOUT_SECONDS))
                sock = self._context.wrap_socket(sock, server_hostname=self._address.host)
            except TimeoutError:
                sock.close()
                raise _HandshakeTimeout from None
            except BaseException:
                sock.close()
                raise
        limited = _LimitedSocket(sock)
        limited.allow(*self._limits)
        return limited

    def _opened(self, deadline: float) -> socket.socket:
        address = self._address
        places = [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", address.path)]
        if not address.path:
            seconds = max(deadline - time.monotonic(), SHORTEST_TIMEOUT_SECONDS)
            places = resolve(address.host, address.port, seconds)
        return connect_to_any(places, deadline)


class Links:
    """At most ``most`` connections to a store, which are opened when they are needed. Thread-safe."""

    def __init__(self, address: CacheAddress, *, most: int) -> None:
        self._address = address
        self._context = tls_context(address) if address.tls else None
        self._begin(most)

    @renewed_after_fork
    def _begin(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._idle: list[_Link] = []  # the last one used is the next

    def run(self, *command: Any, seconds: float, most_bytes: int) -> Any:
        """Run a command. Raises StoreFailed.

        A connection that the server has closed meanwhile, such as at a restart, is replaced, and the command is sent
        once more. So it must be one that may run twice.
        """
        deadline = time.monotonic() + seconds
        if not self._free.acquire(timeout=max(0, seconds)):
            raise StoreFailed(StoreFault.BUSY)
        try:
            return self._run(command, deadline, most_bytes)
        finally:
            self._free.release()

    def _run(self, command: tuple[Any, ...], deadline: float, most_bytes: int) -> Any:
        for is_last in (False, True):
            link = self._idle_link() or _Link(self._address, self._context)
            try:
                answer = link.run(deadline, most_bytes, *command)
            except Exception as error:  # a server that is not a Redis may make the parser fail in any way
                fault = _fault_of(error)
                if fault is StoreFault.CREDENTIALS and not self._address.password:
                    fault = StoreFault.UNAUTHENTICATED
                if isinstance(error, ResponseError) and link.is_connected:
                    self._idle.append(link)
                else:
                    link.drop()
                if is_last or fault is not StoreFault.CLOSED:
                    raise StoreFailed(fault) from None
                self.close()  # the others are from the same time
                continue
            except BaseException:
                link.drop()
                raise
            self._idle.append(link)
            return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _idle_link(self) -> _Link | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def close(self) -> None:
        """Close the connections that are not in use."""
        while link := self._idle_link():
            link.drop()


def _fault_of(error: BaseException) -> StoreFault:
    """Return what an error of redis-py, or of a socket, means."""
    if isinstance(error, ssl.SSLError):
        return OF_TLS.get(tls_kind([error]) or FailureKind.TLS, StoreFault.TLS)
    by_kind = next((fault for kind, fault in KINDS.items() if isinstance(error, kind)), None)
    if by_kind is not None:
        return by_kind
    if isinstance(error, ResponseError):
        return next((fault for code, fault in CODES.items() if code in str(error)), StoreFault.ERROR)
    if isinstance(error, RedisConnectionError):
        cause = error.__context__
        return _fault_of(cause) if isinstance(cause, OSError) else StoreFault.CLOSED
    return StoreFault.CLOSED if isinstance(error, OSError) else StoreFault.GARBAGE
