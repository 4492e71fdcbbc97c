"""The clock that tells how old an answer is."""

import time
from collections.abc import Callable
from functools import partial

CLOCKS = ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC")  # the first is Linux's; the second runs on while macOS sleeps


def _running_clock() -> Callable[[], float]:
    for name in CLOCKS:
        if hasattr(time, name):
            clock = partial(time.clock_gettime, getattr(time, name))
            try:
                clock()
            except OSError:  # a sandbox may lack it
                continue
            return clock
    return time.monotonic


running_clock = _running_clock()
"""Return the seconds since some moment. Nobody can set this clock, and it runs on while the machine is suspended.

``time.monotonic`` stands still meanwhile on Linux and macOS, though not on Windows.
"""
