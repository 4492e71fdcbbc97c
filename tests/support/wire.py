"""HTTP at the level of bytes: requests that no HTTP library would send, and replies with every field as received."""

import json
import re
import socket
from contextlib import suppress
from typing import Any, NamedTuple

from tests.support.upstream import LOOPBACK

PATIENCE_SECONDS = 20  # only a test that fails waits this long


class Reply(NamedTuple):
    """One response, with field names in lower case. ``status`` 0: the connection was closed without one."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def one(self, name: str) -> str | None:
        """Return the value of a field that comes once at most."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body as JSON; its media type must say so."""
        assert self.one("content-type") == "application/json"
        return json.loads(self.body)


def request(
    target: str | bytes = "/api/private",
    *fields: str | bytes,
    method: str | bytes = "GET",
    body: bytes = b"",
    version: str = "HTTP/1.1",
    host: str | bytes = LOOPBACK,
    close: bool = True,
) -> bytes:
    """Return the bytes of a request; only ``Host``, ``Connection`` and the length are added."""
    lines: list[str | bytes] = [b" ".join((_bytes(method), _bytes(target), _bytes(version))), b"Host: " + _bytes(host)]
    lines += [*fields, *(["Connection: close"] if close else [])]
    if body and not any(_bytes(field).lower().startswith(b"transfer-encoding") for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return b"\r\n".join(_bytes(line) for line in lines) + b"\r\n\r\n" + body


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


def chunked(*parts: bytes) -> bytes:
    """Return a body in chunks (RFC 9112 §7.1)."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def exchange(port: int, data: bytes, *, leaves: bool = False) -> Reply:
    """Send these bytes and read one reply, or none."""
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE_SECONDS) as sock:
        return converse(sock, data, leaves=leaves)


def converse(sock: socket.socket, data: bytes, *, leaves: bool = False) -> Reply:
    """Send these bytes on a connection and read until it is closed.

    A client that ``leaves`` does so when it has a whole reply: the embedded server waits for the body until then.
    """
    received = b""
    with suppress(ConnectionError):  # refused before everything was sent; the reply can still be read
        sock.sendall(data)
    with suppress(ConnectionResetError):  # closed with our bytes unread
        while more := sock.recv(1 << 16):
            received += more
            if leaves and _is_whole(received):
                break
    return parse(received)


def parse(received: bytes) -> Reply:
    """Return the final reply in these bytes."""
    head, _, body = received.partition(b"\r\n\r\n")
    if not head:
        return Reply(status=0)
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    if status < 200:
        return parse(body)
    pairs = (line.partition(":") for line in lines)
    fields = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return Reply(
        status=status, fields=fields, body=_whole(body) if ("transfer-encoding", "chunked") in fields else body
    )


def _is_whole(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return len(body) >= int(length[1]) if length else body.endswith(b"\r\n0\r\n\r\n")


def _whole(chunks: bytes) -> bytes:
    """Return a body from its chunks; one that was cut off is an error."""
    size, _, rest = chunks.partition(b"\r\n")
    length = int(size, 16)
    return rest[:length] + _whole(rest[length + 2 :]) if length else b""


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
