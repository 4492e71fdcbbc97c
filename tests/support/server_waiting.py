"""Waiting for what comes soon, and failing when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
DEADLINE_SECONDS = 20.0  # only ever used up by a test that fails
PAUSE_SECONDS = 0.02


def eventually(what: str, ask: Callable[[], T], is_so: Callable[[T], object] = bool) -> T:
    """Ask until the answer is so; returns that answer. Fails with ``what`` when it takes too long."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not is_so(answer := ask()):
        if time.monotonic() > end:
            pytest.fail(f"waited {DEADLINE_SECONDS:.0f} s in vain until {what}; last answer: {answer!r}")
        time.sleep(PAUSE_SECONDS)
    return answer
