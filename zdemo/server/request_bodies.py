"""Bodies of requests. No view of this API reads one, so almost none is read, and a few at a time.

A server does not bound how slowly a client sends a body, and whoever reads it holds a thread meanwhile: as many slow
clients as threads would stop the API for as long as they like.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from zdemo.introspection.bulkhead import Bulkhead
from zdemo.server.guard import FORM

LARGEST_BODY_BYTES = 64 * 1024
WAIT_SECONDS = 0.1
RETRY_AFTER_SECONDS = 1
EXTENSION = "zdemo.bodies"


class NoBodyNow(RequestEntityTooLarge):
    """As many bodies as may are being received: any is too large for the moment (RFC 9110 §15.5.14)."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Those of the base, and when to come again."""
        return [*super().get_headers(*args, **kwargs), ("Retry-After", str(RETRY_AFTER_SECONDS))]


def limit_bodies(app: Flask, *, threads: int) -> None:
    """Prepare an app for ``check_body``. One in sixteen of the server's threads may wait for bodies."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1  # of a chunked body, werkzeug silently drops what is over
    app.extensions[EXTENSION] = Bulkhead(max(1, threads // 16), wait_seconds=WAIT_SECONDS)


def check_body() -> None:
    """Refuse a body that is too large; read one whose length is not announced, or that the guard looks into."""
    environ = request.environ
    if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" not in environ:
        return  # no body, as almost always
    announced = request.content_length or 0
    if announced > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge
    if (announced and request.mimetype == FORM) or "Transfer-Encoding" in request.headers:
        _read()


def _read() -> None:
    places: Bulkhead = current_app.extensions[EXTENSION]
    place = places.acquire()
    if place is None:
        raise NoBodyNow
    try:
        if len(request.get_data(cache=True)) > LARGEST_BODY_BYTES:
            raise RequestEntityTooLarge
    finally:
        places.release(place)
