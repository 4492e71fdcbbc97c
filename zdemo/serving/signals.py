"""The signals that stop a server: blocked in all threads, and taken by the one that waits for them.

A handler does not suffice. The kernel may give a signal to any thread that does not block it. Python then runs the
handler in the main thread, but does not wake it: a server whose main thread waits overlooks the signal.
"""

import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, a supervisor, a terminal that is closed
STOPPING = frozenset(signal.Signals[name] for name in _NAMES if hasattr(signal, name))
CAN_BLOCK = hasattr(signal, "pthread_sigmask")  # not on Windows
POLL_SECONDS = 0.5  # on Windows, where a wait without end does not notice Ctrl-C
SIGNALLED = 128  # and the number of the signal: the exit code of a program that a signal ended


def block_stop_signals() -> Collection[signal.Signals]:
    """Keep stop signals for ``wait_for``, for the rest of this process; return those to wait for.

    The threads and processes that this thread starts afterwards block them too. ``nohup`` excludes SIGHUP.
    """
    if CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    return [number for number in STOPPING if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def inherited_mask(how: str, signals: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals (``SIG_BLOCK``) or not (``SIG_UNBLOCK``) in what this thread starts within the context."""
    if not CAN_BLOCK:
        yield
        return
    before = signal.pthread_sigmask(getattr(signal, how), signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait_for(signals: Collection[signal.Signals]) -> None:
    """Return when one of these blocked signals has arrived."""
    if CAN_BLOCK:
        signal.sigwait(signals)
        return
    arrived = threading.Event()
    for number in signals:
        signal.signal(number, lambda *_: arrived.set())
    while not arrived.wait(POLL_SECONDS):
        pass


@contextmanager
def handled(names: Sequence[str], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle signals during the block; those that this process was told to ignore, as by ``nohup``, stay ignored."""
    numbers = [number for number in signal.Signals if number.name in names]  # Windows does not have all of them
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def left_by_signals() -> Iterator[None]:
    """Leave the block by SystemExit at SIGTERM and SIGHUP, as by KeyboardInterrupt at SIGINT."""

    def leave(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one does not disturb what happens at the end
        raise SystemExit(SIGNALLED + number)

    with handled(("SIGTERM", "SIGHUP"), leave):
        yield
