"""Ctrl-C and its kin as an exception that comes when it may, so that what must be cleaned up can be.

A module of its own because Python alone does not give that: SIGTERM and SIGHUP end it without a word, a Ctrl-C in the
middle of a request leaves open whether ZITADEL has carried it out, and a second one breaks into the cleaning up.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(KeyboardInterrupt):
    """A signal that asks us to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Interruption:
    """While the block runs, signals that ask us to end raise ``Interrupted`` in the main thread: once, and not while
    they are held back. Leaving the block raises what is still held back.

    Only the main thread may enter it (Python: it alone may handle signals).
    """

    def __init__(self) -> None:
        self._held = False
        self._raised = False
        self._pending: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup: whoever said so wants us to go on
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if error is None:
            self._release()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._pending = number
        if not self._held:
            self._release()

    def _release(self) -> None:
        if self._pending is not None and not self._raised:
            self._raised = True
            raise Interrupted(self._pending)

    def hold(self) -> None:
        """From here to the end of the block nothing is raised."""
        self._held = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is raised while the block runs; what came meanwhile is raised after it."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
        if not before:
            self._release()
