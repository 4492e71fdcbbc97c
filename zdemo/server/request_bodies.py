"""Request bodies. The views of this API read none, so almost none is read, only a few at a time, and none for long.

WSGI servers do not limit how slowly a client sends a body, and a thread that reads one cannot be interrupted: as many
slow clients as threads would stop the API for as long as they like. So another thread reads, and the request waits for
it for ``READ_SECONDS`` at most. Then it is refused, and its connection is cut, which ends the other thread too.
"""

import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from io import BytesIO
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout
from werkzeug.wsgi import get_content_length, get_input_stream

from zdemo.guard.flask_guard import BODY_READER
from zdemo.guard.waiting import Bulkhead

LARGEST_BODY_BYTES = 64 * 1024
TOO_LARGE = "the request body is larger than 64 KiB"
TOO_SLOW = "the request body did not arrive in time"
READ_SECONDS = 3.0
WAIT_SECONDS = 0.1
RETRY_AFTER_SECONDS = 1
FLUSH_SECONDS = 0.2  # for the server to send a refusal, before its connection is cut


class TooManyBodiesAtOnce(RequestEntityTooLarge):
    """Too many bodies are being received: any body is too large for the moment (RFC 9110 §15.5.14)."""

    description = "too many request bodies are being received; try again"

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the headers, with a time to try again."""
        return [*super().get_headers(*args, **kwargs), ("Retry-After", str(RETRY_AFTER_SECONDS))]


class BodyReader:
    """Reads the bodies of requests; as many threads as ``slots`` may wait for one, and as many for a slot."""

    def __init__(self, *, slots: int, read_seconds: float = READ_SECONDS) -> None:
        self._bulkhead = Bulkhead(size=slots, waiters=slots, wait_seconds=WAIT_SECONDS)
        self._read_seconds = read_seconds

    def __call__(self, environ: dict[str, Any]) -> None:
        """Read a body into memory, and put it in the place of the stream.

        Raises RequestEntityTooLarge, TooManyBodiesAtOnce, RequestTimeout, or ClientDisconnected.
        """
        if not has_body(environ) or isinstance(environ["wsgi.input"], BytesIO) or environ["REQUEST_METHOD"] == "HEAD":
            return  # the body of a HEAD means nothing, and its connection could not be cut
        try:
            body = self._start(environ).result(self._read_seconds)
        except TimeoutError:
            raise RequestTimeout(TOO_SLOW) from None
        if len(body) > LARGEST_BODY_BYTES:
            raise RequestEntityTooLarge(TOO_LARGE)
        environ["wsgi.input"] = BytesIO(body)

    def _start(self, environ: dict[str, Any]) -> Future[bytes]:
        """Read a body in another thread, which holds a slot as long as it lives. Raises TooManyBodiesAtOnce."""
        slot = self._bulkhead.acquire()
        if slot is None:
            raise TooManyBodiesAtOnce
        reading: Future[bytes] = Future()

        def read() -> None:
            try:  # one byte more, since werkzeug silently cuts a chunked body
                reading.set_result(get_input_stream(environ, max_content_length=LARGEST_BODY_BYTES + 1).read())
            except BaseException as error:  # the waiting thread raises it
                reading.set_exception(error)
            finally:
                self._bulkhead.release(slot)

        try:
            threading.Thread(target=read, name="body", daemon=True).start()
        except BaseException:
            self._bulkhead.release(slot)
            raise
        return reading


def has_body(environ: Mapping[str, Any]) -> bool:
    """Tell whether a request announces a body."""
    return bool(environ.get("CONTENT_LENGTH")) or "HTTP_TRANSFER_ENCODING" in environ


def limit_bodies(app: Flask, *, threads: int) -> None:
    """Refuse bodies that are too large or too slow, in a layer around the app, and read forms for its guard."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1
    app.extensions[BODY_READER] = BodyReader(slots=max(1, threads // 16))
    inner = app.wsgi_app

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not has_body(environ):
            return inner(environ, start_response)
        try:
            if (get_content_length(environ) or 0) > LARGEST_BODY_BYTES:
                raise RequestEntityTooLarge(TOO_LARGE)
            if "HTTP_TRANSFER_ENCODING" in environ:  # a chunked body does not say how large it is
                app.extensions[BODY_READER](environ)
        except HTTPException as error:
            with app.request_context(environ):
                return app.make_response(app.handle_http_exception(error))(environ, start_response)
        return inner(environ, start_response)

    app.wsgi_app = call  # type: ignore[method-assign]  # as Flask's documentation says


def cut_connection_after(response: Response) -> Response:
    """Close the connection of a response, although the client has not sent its request to the end.

    An error after the header fields makes a server hang up (PEP 3333), but only while the response is not complete: so
    the line end of its JSON is not sent. Servers log no traceback for a client that is gone.
    """
    body = response.get_data()[:-1]

    def pieces() -> Iterator[bytes]:
        yield body
        time.sleep(FLUSH_SECONDS)
        raise ConnectionResetError(errno.ECONNRESET, TOO_SLOW)

    response.headers["Connection"] = "close"
    response.response = pieces()
    return response
