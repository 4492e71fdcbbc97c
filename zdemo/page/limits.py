"""How many requests to the page are served at a time, so that it never takes a thread of the API."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zdemo.page.answers import PageRefusal
from zdemo.processes.forks import renewed_after_fork

PAGE_THREADS = 216  # per worker, beside the API's; Granian starts them when they are needed
SHORT_REQUESTS = 16  # threads that no feed takes
RETRY_AFTER_SECONDS = 5


class PageSlots:
    """Counts the requests to the page that are being served, and refuses those that are too many. Thread-safe."""

    @renewed_after_fork
    def __init__(self, threads: int) -> None:
        self.most = threads
        self.most_feeds = max(threads - SHORT_REQUESTS, threads // 2)
        self._lock = threading.Lock()
        self._all = self._feeds = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold a slot for a request that ends soon. Raises PageRefusal."""
        with self._lock:
            if self._all >= self.most:
                raise _too_many("too many requests to the page at a time")
            self._all += 1
        try:
            yield
        finally:
            with self._lock:
                self._all -= 1

    def open_feed(self) -> None:
        """Take a slot for a feed; ``close_feed`` gives it back. Raises PageRefusal."""
        with self._lock:
            if self._feeds >= self.most_feeds or self._all >= self.most:
                raise _too_many(f"{self.most_feeds} pages are open, the limit of this API; close one")
            self._feeds += 1
            self._all += 1

    def close_feed(self) -> None:
        """Give back the slot of a feed."""
        with self._lock:
            self._feeds -= 1
            self._all -= 1


def _too_many(description: str) -> PageRefusal:
    return PageRefusal(503, "too_many_pages", description, headers=[("Retry-After", str(RETRY_AFTER_SECONDS))])
