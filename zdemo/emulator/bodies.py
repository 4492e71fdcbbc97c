"""The body of a request: read whole, but kept only as far as anything here reads it.

A module of its own because both sides of the emulator have a limit, and what is above it must be read and thrown away
before either is asked: nothing of a request is read while the world is locked.
"""

from typing import Protocol

LARGEST_FORM_BYTES = 10 * 1024 * 1024  # Go's limit
LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024  # gRPC's usual limit, for messages as they are sent and as they are unpacked
PIECE_BYTES = 1024 * 1024


class Readable(Protocol):
    """The input of a WSGI request."""

    def read(self, size: int, /) -> bytes:
        """As many bytes or fewer; none at the end."""


def body_of(source: Readable) -> bytes:
    """The body, cut off one byte above the larger limit, so that it is seen to be too large; the rest is discarded.

    Raises:
        OSError, ValueError: it cannot be read to its end.
    """
    kept = bytearray()
    while piece := source.read(PIECE_BYTES):
        kept += piece[: LARGEST_FORM_BYTES + 1 - len(kept)]
    return bytes(kept)
