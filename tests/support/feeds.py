"""Feeds of the page at the level of sockets: many at once, and such as are not read."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.support.page_site import SECRET_HEADER, enter
from tests.support.upstream import LOOPBACK
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS, request

SMALL_BUFFER = 4096  # bytes


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One connection on which a feed was requested: the status, and the start of what came."""

    sock: socket.socket
    status: int
    start: bytes

    def read_until(self, mark: bytes) -> bytes:
        """Return what comes until a mark has come and its event is whole, or the connection ends."""
        received, end = self.start, time.monotonic() + PATIENCE_SECONDS
        while not (mark in received and received.partition(mark)[2].count(b"\n\n")) and (
            more := self.sock.recv(1 << 16)
        ):
            received += more
            assert time.monotonic() < end, f"{mark!r} does not come"  # lines to notice who has left come for ever
        return received

    def read_for(self, seconds: float) -> bytes:
        """Return what comes within a time."""
        received, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                received += self.sock.recv(1 << 16)
            except TimeoutError:
                break
        return received

    def is_over(self) -> bool:
        """Return whether the server has ended the connection."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def proofs_of(page_url: str) -> dict[str, str]:
    """Open the page by its address with the key; return the header fields that prove the key."""
    with requests.Session() as browser:
        enter(browser, page_url)
        ((name, value),) = browser.cookies.items()
        return {"Cookie": f"{name}={value}", SECRET_HEADER: str(browser.headers[SECRET_HEADER])}


@contextmanager
def opened(port: int, proofs: Mapping[str, str], *, small_buffer: bool = False) -> Iterator[Opened]:
    """Request a feed, and read what comes up to its first event."""
    fields = [f"{name}: {value}" for name, value in proofs.items()]
    with socket.socket() as sock:
        if small_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        sock.settimeout(PATIENCE_SECONDS)
        sock.connect((LOOPBACK, port))
        sock.sendall(request("/-/feed", *fields, host=f"{LOOPBACK}:{port}", close=False))
        received = b""
        while b"hello" not in received and b"too_many_pages" not in received:
            more = sock.recv(1 << 16)
            assert more, received
            received += more
        yield Opened(sock=sock, status=int(received.split()[1]), start=received)


@contextmanager
def many_opened(port: int, proofs: Mapping[str, str], most: int) -> Iterator[list[Opened]]:
    """Open feeds until one is refused, which is the last of the list; at most so many."""
    with ExitStack() as stack:
        found: list[Opened] = []
        while len(found) < most and (not found or found[-1].status == 200):
            found.append(stack.enter_context(opened(port, proofs)))
        yield found


def port_of(url: str) -> int:
    """Return the port of an address."""
    port = urlsplit(url).port
    assert port
    return port


def events_in(stream: bytes) -> list[dict[str, Any]]:
    """Return the documents of a stream that are whole."""
    lines = [line for line in stream.split(b"\n") if line.startswith(b"data: {") and line.endswith(b"}")]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def opens_again(port: int, proofs: Mapping[str, str]) -> None:
    """Wait until a feed can be opened."""

    def try_it() -> bool:
        with opened(port, proofs) as found:
            return found.status == 200

    eventually("a feed can be opened", try_it)
