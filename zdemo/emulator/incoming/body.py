"""Bodies: read to their end before anything else happens, within limits of size and memory.

The limits are the emulator's own. Go reads forms of up to 10 MB, gRPC messages of up to 4 MiB, and ZITADEL bounds
neither their number nor the memory that they take together.
"""

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.exceptions import ClientDisconnected

LARGEST_BODY_BYTES = 1024 * 1024
FREE_BYTES = 16 * 1024  # a body up to this size is always read
MOST_LARGE_BODIES = 32  # that are larger, and not answered yet
TOO_LARGE = "zdemo.emulator.body_too_large"  # key in a request's environment for a body that was not read


def read_body(environ: Mapping[str, Any], when_large: Callable[[], None] = lambda: None) -> bytes | None:
    """Return a body, or None if it is too large. Raises OSError, also that of ``when_large``, and ValueError."""
    if int(environ.get("CONTENT_LENGTH") or 0) > LARGEST_BODY_BYTES:
        return None
    kept = bytearray()
    try:
        while piece := environ["wsgi.input"].read(16 * 1024):
            if len(kept) <= FREE_BYTES < len(kept) + len(piece):
                when_large()
            kept += piece
            if len(kept) > LARGEST_BODY_BYTES:
                return None
    except ClientDisconnected:
        raise ValueError("the body ends before its end") from None
    return bytes(kept)
