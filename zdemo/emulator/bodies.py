"""The bodies of requests: read to their end before anything else happens, within limits of size and memory.

The limits are the emulator's own. Go reads forms of up to 10 MB, gRPC messages of up to 4 MiB, and ZITADEL bounds
neither their number nor the memory that they take together.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from werkzeug.exceptions import ClientDisconnected

LARGEST_BODY_BYTES = 1024 * 1024
FREE_BYTES = 16 * 1024  # of each body, so that large ones leave room for ordinary requests
MOST_BYTES = 32 * 1024 * 1024  # of all bodies that are not answered yet, without the free ones
PIECE_BYTES = 16 * 1024
TOO_LARGE = "zdemo.emulator.body_too_large"  # key in a request's environment for a body that was not read


class TooManyBodies(Exception):
    """There is no room for one more large body."""


class Room:
    """The bytes that all bodies share. Thread-safe."""

    def __init__(self) -> None:
        self._free = MOST_BYTES
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes bytes until the end of the block, or raises TooManyBodies."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            with self._lock:
                if count > self._free:
                    raise TooManyBodies
                self._free -= count
                taken += count

        try:
            yield take
        finally:
            with self._lock:
                self._free += taken


def read_body(environ: Mapping[str, Any], take: Callable[[int], None]) -> bytes | None:
    """Return a request's body, or None if it is too large: at once if its length is announced.

    Raises TooManyBodies, and OSError or ValueError if it cannot be read to its end.
    """
    announced = int(environ.get("CONTENT_LENGTH") or 0)
    if announced > LARGEST_BODY_BYTES:
        return None
    kept = bytearray()
    try:
        while piece := environ["wsgi.input"].read(PIECE_BYTES):
            kept += piece
            if len(kept) > LARGEST_BODY_BYTES:
                return None
            if len(kept) > FREE_BYTES:
                take(len(piece))
    except ClientDisconnected:
        raise ValueError("the body ends before its end") from None
    return bytes(kept)
