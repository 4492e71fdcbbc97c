"""The connections of the embedded server, the requests on them, and what a client may make both cost.

A request must arrive in time, and its header fields are limited in size and number. A body that the application does
not read is never waited for. A connection too many costs the client whose last request is longest ago its own.
"""

import errno
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

from cheroot.errors import MaxSizeExceeded
from cheroot.server import HTTPConnection, HTTPRequest, KnownLengthRFile

from zdemo.serving.receiving import ChunkedBody, timed_file

LINGER_SECONDS = 2.0  # how long a client may go on sending after a response that did not wait for it
LARGEST_HEADER_BYTES = 128 * 1024
MOST_HEADER_FIELDS = 100
CONNECTION = "zdemo.connection"  # key in a request's environment for its ``ClientConnection``
EVENT_STREAM = b"text/event-stream"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all


class _HeadersWithoutServer(list[tuple[bytes, bytes]]):
    """Response headers without the server's name (ZITADEL sends no ``Server``)."""

    def append(self, header: tuple[bytes, bytes]) -> None:
        if header[0] != b"Server":
            super().append(header)


class _HeadersJoined(dict[bytes, bytes]):
    """Request headers, not too many.

    A second ``Authorization`` is joined to the first, as other servers do, not put in its place. A second length or
    host, which cheroot would also put in the place of the first, raises ValueError.
    """

    _fields = 0

    def __setitem__(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > MOST_HEADER_FIELDS:
            raise MaxSizeExceeded
        if name == b"Authorization" and name in self:
            value = self[name] + b", " + value
        if name == b"Content-Length" and self.get(name, value) != value:
            raise ValueError("two lengths")
        if name == b"Host" and name in self:
            raise ValueError("two hosts")  # also equal ones (RFC 9112 §3.2)
        super().__setitem__(name, value)


class _Request(HTTPRequest):
    is_event_stream = False

    def __init__(self, server: Any, connection: Any) -> None:
        super().__init__(server, connection, proxy_mode=True)  # servers must accept absolute URIs (RFC 9112 §3.2.2)
        self.inheaders = _HeadersJoined()
        self.outheaders = _HeadersWithoutServer()

    def parse_request(self) -> None:
        """Start the clock, and read the request up to its body."""
        self.conn.start_clock()
        super().parse_request()

    def read_request_line(self) -> bool:
        """Read it; cheroot would take a path that begins with ``//`` for an authority (RFC 9112 §3.2.1)."""
        complete: bool = super().read_request_line()  # type: ignore[no-untyped-call]
        if complete and self.uri.startswith(b"//"):
            self.path = b"//" + self.authority + (self.path if b"/" in self.uri.partition(b"?")[0][2:] else b"")
            self.authority = b""
        return complete

    def read_request_headers(self) -> bool:
        """Read them; cheroot would take a negative length for "until the connection ends"."""
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        if self.authority:  # the host of an absolute URI replaces the header's (RFC 9112 §3.2.2)
            self.inheaders |= {b"Host": self.authority}
        if self.inheaders.get(b"Content-Length", b"0").isdigit():
            return True
        self.simple_response("400 Bad Request", "Malformed Content-Length Header.")
        return False

    def respond(self) -> None:
        """Answer as cheroot does, but with a reader of chunks that is limited."""
        if self.chunked_read:
            self.rfile = ChunkedBody(self.conn.rfile)
        else:
            self.rfile = KnownLengthRFile(self.conn.rfile, int(self.inheaders.get(b"Content-Length", 0)))
        gateway = self.server.gateway(self)
        gateway.env[CONNECTION] = self.conn
        gateway.respond()
        if self.ready:
            self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def send_headers(self) -> None:
        """Send them; if the body has not been read, this is the last response of the connection."""
        if self.conn.silent:
            self.conn.end_silently(reset=self.conn.reset_at_end)
        self.conn.start_clock()
        self.conn.unread = bool(self.rfile.remaining)
        if self.conn.unread:
            self.close_connection = True  # cheroot would wait for the rest, and hold it in memory
        types = [value for name, value in self.outheaders if name.lower() == b"content-type"]
        self.is_event_stream = any(value.startswith(EVENT_STREAM) for value in types)
        super().send_headers()

    def write(self, chunk: bytes) -> None:
        """Send a part of the response; each event of a stream has the whole time, until the server stops."""
        if self.is_event_stream:
            if not self.server.ready:
                self.conn.end_silently()  # cheroot would wait for the end of the stream
            self.conn.start_clock()
        super().write(chunk)

    def simple_response(self, status: str, msg: str = "") -> None:
        """Refuse a request; an HTTP/2 preface gets no response, since its sender would not understand one."""
        if status.startswith("505"):
            self.server.on_http2()
            return
        if status.startswith("413"):  # what cheroot answers to header fields that are too large
            status = "431 Request Header Fields Too Large"
            msg = f"more than {MOST_HEADER_FIELDS} header fields, or more than {LARGEST_HEADER_BYTES >> 10} KiB of them"
        self.conn.start_clock()
        super().simple_response(status, msg)


class ClientConnection(HTTPConnection):
    """A connection, with a clock for what is received and sent on it."""

    RequestHandlerClass = _Request
    unread = False  # whether the client may still be sending what will not be read
    ended = False  # whether it was one too many
    silent = False  # whether no headers may be sent any more
    reset_at_end = False  # whether to end it with RST instead of FIN

    def __init__(self, server: Any, sock: socket.socket, _makefile: Any) -> None:
        super().__init__(server, sock, timed_file)

    def start_clock(self) -> None:
        """Limit the time for what is received or sent from now on."""
        self.rfile.raw.deadline = self.wfile.raw.deadline = time.monotonic() + self.server.transfer_seconds

    def communicate(self) -> bool:
        """Answer one request, and tell whether the connection stays open."""
        self.unread = True
        stays: bool = super().communicate()  # type: ignore[no-untyped-call]  # cheroot's stub lacks it, as below
        self.unread = self.unread and not stays
        return stays

    def close(self) -> None:
        """Close the connection, if need be after the client has had time to read the response."""
        if self.reset_at_end:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.linger = True  # so that cheroot leaves the socket, which it would shut down, to this method
        elif self.unread:
            self._linger()
        super().close()
        self.socket.close()
        self.server.clients.remove(self)

    def has_left(self) -> bool:
        """Return whether the client has closed its side; it may still have sent something before."""
        self.socket.settimeout(0)  # until something is received or sent, which sets its own
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def end_silently(self, *, reset: bool = False) -> NoReturn:
        """Give up the request: send no more, not even headers, and end the connection, with RST if asked to."""
        self.silent, self.reset_at_end = True, reset
        raise ConnectionResetError(errno.ECONNRESET, "given up")  # an error for which cheroot sends no response

    def _linger(self) -> None:
        """Discard what still comes; closing at once would destroy the response on its way (RFC 9112 §9.6)."""
        end = time.monotonic() + LINGER_SECONDS
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while (left := end - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(1 << 16):
                    return


class Clients:
    """The open connections, beginning with the one whose last request is longest ago. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: dict[ClientConnection, None] = {}

    def move_to_end(self, connection: ClientConnection) -> None:
        """Note a connection that is new or has a request; if there are too many now, end the first."""
        first = None
        with self._lock:
            if connection.ended:
                return  # what it has is its end
            self._open.pop(connection, None)
            self._open[connection] = None
            if len(self._open) > self._most:
                first = next(iter(self._open))
                del self._open[first]
                first.ended = True
        if first is not None:
            with suppress(OSError):  # closed already
                first.socket.shutdown(socket.SHUT_RDWR)  # the thread that waits for it reads its end, and closes it

    def remove(self, connection: ClientConnection) -> None:
        """Forget a connection that is closed."""
        with self._lock:
            self._open.pop(connection, None)
