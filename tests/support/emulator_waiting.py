"""Waiting for an effect: a real ZITADEL answers a write some milliseconds before its reads show it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25
DEADLINE_SECONDS = 10.0
SHOWN_CHARACTERS = 400  # of the last answer, in the message of a wait in vain


def eventually(what: str, ask: Callable[[], T], is_so: Callable[[T], object] = bool) -> T:
    """Ask until the answer is so; returns that answer.

    Asks at once, then after 10, 20, 40 ms and so on up to every 250 ms. After 10 s the test fails with ``what``.
    """
    end = time.monotonic() + DEADLINE_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while True:
        answer = ask()
        if is_so(answer):
            return answer
        if time.monotonic() > end:
            pytest.fail(
                f"waited {DEADLINE_SECONDS:.0f} s in vain until {what}; last answer: {str(answer)[:SHOWN_CHARACTERS]}"
            )
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
