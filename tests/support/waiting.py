"""Waiting for an effect: a real ZITADEL answers a write some milliseconds before its reads show it."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25
DEADLINE_SECONDS = 20.0  # only a test that fails waits this long
SHOWN_CHARACTERS = 400  # of the last answer, in the message about a wait in vain


def eventually(what: str, ask: Callable[[], T], accept: Callable[[T], object] = bool) -> T:
    """Ask until an answer is accepted, and return it; after 20 s the test fails with ``what``.

    The pauses are 10, 20, 40 ms and so on up to 250 ms.
    """
    end = time.monotonic() + DEADLINE_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while not accept(answer := ask()):
        if time.monotonic() > end:
            last = f"{answer!r} {getattr(answer, 'text', '')}"[:SHOWN_CHARACTERS]
            pytest.fail(f"waited {DEADLINE_SECONDS:.0f} s in vain until {what}; last answer: {last}")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    return answer
