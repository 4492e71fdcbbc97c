"""The feed: a stream of server-sent events, one thread of the server for each open page."""

from collections.abc import Callable, Iterator

from zdemo.page.watching import Frame, Watching

MEDIA_TYPE = "text/event-stream"
BEAT_SECONDS = 2.0  # a client that has left is noticed at the next line
BEAT = b":\n\n"


class Feed:
    """The body of the answer. The server must call ``close``; it is called at the latest when the body is dropped."""

    def __init__(self, watching: Watching, worker: str, last_id: str, at_end: Callable[[], None]) -> None:
        self._watching, self._at_end = watching, at_end
        self._subscription = watching.open(last_id)
        self._first: bytes | None = Frame("hello", {"worker": worker}).data
        self._is_open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        frame = self._subscription.take(BEAT_SECONDS)
        return frame.data if frame else BEAT

    def close(self) -> None:
        """Give back the thread's slot."""
        if self._is_open:
            self._is_open = False
            self._watching.close(self._subscription)
            self._at_end()

    __del__ = close
