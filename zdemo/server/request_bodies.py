"""Request bodies. The views of this API read none, so almost none is read, and only a few at a time.

WSGI servers do not limit how slowly a client sends a body, and reading one occupies a thread: as many slow clients as
threads would stop the API for as long as they like.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from zdemo.introspection.bulkhead import Bulkhead
from zdemo.server.guard import FORM

LARGEST_BODY_BYTES = 64 * 1024
TOO_LARGE = "the request body is larger than 64 KiB"
WAIT_SECONDS = 0.1
RETRY_AFTER_SECONDS = 1
EXTENSION = "zdemo.bodies"


class TooManyBodies(RequestEntityTooLarge):
    """Too many bodies are being received: any body is too large for the moment (RFC 9110 §15.5.14)."""

    description = "too many request bodies are being received; try again"

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers, with a time to try again."""
        return [*super().get_headers(*args, **kwargs), ("Retry-After", str(RETRY_AFTER_SECONDS))]


def limit_bodies(app: Flask, *, threads: int) -> None:
    """Prepare an app for ``check_body``. One in sixteen of the server's threads may wait for bodies."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1  # werkzeug silently cuts a chunked body here
    app.extensions[EXTENSION] = Bulkhead(max(1, threads // 16), wait_seconds=WAIT_SECONDS)


def check_body() -> None:
    """Refuse a body that is too large; read one that is chunked, or that may hold a token."""
    environ = request.environ
    if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" not in environ:
        return  # no body, as almost always
    announced = request.content_length or 0
    if announced > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge(TOO_LARGE)
    if (announced and request.mimetype == FORM) or "Transfer-Encoding" in request.headers:
        _read()


def _read() -> None:
    bulkhead: Bulkhead = current_app.extensions[EXTENSION]
    slot = bulkhead.acquire()
    if slot is None:
        raise TooManyBodies
    try:
        if len(request.get_data(cache=True)) > LARGEST_BODY_BYTES:
            raise RequestEntityTooLarge(TOO_LARGE)
    finally:
        bulkhead.release(slot)
