"""A log handler that writes lines together, some times a second.

A module of its own because it is about threads and not about what a line says. A write to a file or a terminal lets
another thread of Python go first; done once for each request, under load that takes longer than the request itself.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TextIO

INTERVAL_SECONDS = 0.02  # nobody who reads along notices it
MOST_WAITING = 100_000  # lines, while whoever should take them does not; the oldest go first
END_SECONDS = 1.0  # how long the last lines may take when the process ends


class LineWriter(logging.Handler):
    """Writes to ``stream`` within ``INTERVAL_SECONDS``, and at once from a warning on.

    The order is kept, and nothing is lost when the process ends in order: ``logging`` flushes then.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque(maxlen=MOST_WAITING)
        self._some = threading.Event()
        self._urgent = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._write_for_ever, name="log", daemon=True).start()

    def createLock(self) -> None:
        """None: a deque needs no lock."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. It is not written here: whoever reads may be away, and a request must not wait for that."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # as all of logging's handlers: a line that cannot be made is no reason to refuse a request
            self.handleError(record)
        if record.levelno >= logging.WARNING:
            self._urgent.set()
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Write what is left."""
        self._write(wait_seconds=END_SECONDS)

    def _write_for_ever(self) -> None:
        while self._some.wait():
            self._urgent.wait(INTERVAL_SECONDS)  # more lines come meanwhile
            self._urgent.clear()
            self._some.clear()
            self._write(wait_seconds=-1)

    def _write(self, *, wait_seconds: float) -> None:
        """All lines there are, unless another thread is at it for longer than ``wait_seconds``; -1: however long."""
        if not self._writing.acquire(timeout=wait_seconds):
            return
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if lines:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
        except (OSError, ValueError, IndexError):
            pass  # nobody reads any more, or there is no room: an API goes on without its log
        finally:
            self._writing.release()
