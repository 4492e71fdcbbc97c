"""The signals that stop a server: blocked in all threads, and taken by the one that waits for them.

A handler does not suffice. The kernel may give a signal to any thread that does not block it. Python then runs the
handler in the main thread, but does not wake it: a server whose main thread waits overlooks the signal.
"""

import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

STOPPING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})  # Ctrl-C, a supervisor, a closed terminal
SIGNALLED = 128  # and the number of the signal: the exit code of a program that a signal ended


def block_stop_signals() -> Collection[signal.Signals]:
    """Keep stop signals for ``signal.sigwait``, for the rest of this process; return those to wait for.

    The threads and processes that this thread starts afterwards block them too. ``nohup`` excludes SIGHUP.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    return STOPPING - ({signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set())


@contextmanager
def inherited_mask(how: int, signals: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals (``SIG_BLOCK``) or not (``SIG_UNBLOCK``) in what this thread starts within the context."""
    before = signal.pthread_sigmask(how, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handled(signals: Collection[signal.Signals], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle signals during the block; those that this process was told to ignore, as by ``nohup``, stay ignored."""
    numbers = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
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

    with handled((signal.SIGTERM, signal.SIGHUP), leave):
        yield
