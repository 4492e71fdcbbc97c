"""The bytes of one connection under a deadline, and a chunked body of which no more is held than was asked for."""

import io
import re
import socket
import time
from typing import Any

from cheroot.makefile import StreamReader, StreamWriter

CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
LONGEST_LINE_BYTES = 4096  # of a chunk's size with its extensions, or of a trailer field
MOST_TRAILERS = 100


class TimedSocket(socket.SocketIO):
    """One direction of a socket, which works until ``deadline`` by the monotonic clock; then it raises TimeoutError."""

    deadline = 0.0

    def __init__(self, sock: socket.socket, mode: Any) -> None:
        super().__init__(sock, mode)
        self._timed = sock

    def readinto(self, buffer: Any) -> int | None:
        """Receive some bytes."""
        self._limit_wait()
        return super().readinto(buffer)

    def write(self, data: Any) -> int | None:
        """Send as many bytes as the other side takes."""
        self._limit_wait()
        return super().write(data)

    def _limit_wait(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")  # the words by which cheroot knows it
        self._timed.settimeout(left)


class _TimedReader(StreamReader):
    def __init__(self, sock: socket.socket, mode: str, size: int) -> None:
        super(StreamReader, self).__init__(TimedSocket(sock, mode), size)  # cheroot's own would take a plain socket
        self.bytes_read = 0


class _TimedWriter(StreamWriter):
    def __init__(self, sock: socket.socket, mode: str, size: int) -> None:
        super(StreamWriter, self).__init__(TimedSocket(sock, mode), size)
        self.bytes_written = 0


def timed_file(sock: socket.socket, mode: str = "r", size: int = io.DEFAULT_BUFFER_SIZE) -> Any:
    """Return a file of one direction of a socket, as cheroot's ``MakeFile`` does; ``raw`` is a ``TimedSocket``."""
    return (_TimedReader if "r" in mode else _TimedWriter)(sock, mode, size)


class ChunkedBody(io.RawIOBase):
    """A body in chunks (RFC 9112 §7.1). Reading raises ValueError if it is malformed, or ends before its end.

    cheroot's own reader holds a whole chunk in memory, of any size that a client announces.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._left = 0  # bytes of the current chunk
        self.remaining = True  # cheroot's name: whether there is something left to read

    def readable(self) -> bool:
        """Return true, as a stream for reading must."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes, at most to the end of a chunk."""
        if not self._left and self.remaining:
            self._begin_chunk()
        if not self.remaining or not len(buffer):
            return 0
        piece: bytes = self._source.read(min(len(buffer), self._left))
        if not piece:
            raise ValueError("the body ends inside a chunk")
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        if not self._left and self._line():
            raise ValueError("a chunk is longer than its size")
        return len(piece)

    def _begin_chunk(self) -> None:
        size = self._line().partition(b";")[0].strip()
        if not CHUNK_SIZE.fullmatch(size):
            raise ValueError("a chunk without a size")
        self._left = int(size, 16)
        if self._left:
            return
        for _ in range(MOST_TRAILERS):
            if not self._line():
                self.remaining = False
                return
        raise ValueError("too many trailer fields")

    def _line(self) -> bytes:
        line: bytes = self._source.readline(LONGEST_LINE_BYTES)
        if not line.endswith(b"\r\n"):
            raise ValueError("a line without an end")
        return line[:-2]
