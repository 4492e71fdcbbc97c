"""HTTP at the level of bytes: requests that no HTTP library would send, and replies with every field as received."""

import json
import socket
from contextlib import suppress
from http.client import HTTPResponse, IncompleteRead
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


def exchange(port: int, data: bytes) -> Reply:
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE_SECONDS) as sock:
        return converse(sock, data)


def converse(sock: socket.socket, data: bytes) -> Reply:
    """Send these bytes on a connection and read one reply; a body in chunks that is cut off is an error."""
    with suppress(ConnectionError):  # refused before everything was sent; the reply can still be read
        sock.sendall(data)
    response = HTTPResponse(sock)
    try:
        response.begin()
        body = response.read()
    except ConnectionError:
        return Reply(status=0)
    except IncompleteRead as end:  # the reply to HEAD
        assert not response.chunked
        body = end.partial
    fields = tuple((name.lower(), value) for name, value in response.getheaders())
    return Reply(status=response.status, fields=fields, body=body)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
