"""The signals that stop a server: blocked in all threads, and taken by the one that waits for them.

A handler does not suffice. The kernel may give a signal to any thread that does not block it. Python then runs the
handler in the main thread, but does not wake it: a server whose main thread waits overlooks the signal.
"""

import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, a supervisor, a terminal that is closed
STOPPING = frozenset(signal.Signals[name] for name in _NAMES if hasattr(signal, name))
CAN_BLOCK = hasattr(signal, "pthread_sigmask")  # not on Windows
POLL_SECONDS = 0.5  # on Windows, where a wait without end does not notice Ctrl-C


def block_stop_signals() -> Collection[signal.Signals]:
    """Keep stop signals for ``wait_for``, for the rest of this process; return those to wait for.

    The threads and processes that this thread starts afterwards block them too. ``nohup`` excludes SIGHUP.
    """
    if CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    return [one for one in STOPPING if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


def has_arrived(signals: Collection[signal.Signals]) -> bool:
    """Return whether one of these blocked signals has arrived already."""
    return CAN_BLOCK and not signal.sigpending().isdisjoint(signals)


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
    for one in signals:
        signal.signal(one, lambda *_: arrived.set())
    while not arrived.wait(POLL_SECONDS):
        pass
