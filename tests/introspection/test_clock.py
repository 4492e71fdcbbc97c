"""The clock for the age of answers."""

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest

from zdemo.introspection.build import protected
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.clock import CLOCKS, running_clock
from zdemo.server.health import Readiness


def test_it_is_the_systems_clock_that_runs_on_during_suspend() -> None:
    name = next((name for name in CLOCKS if hasattr(time, name)), None)
    read = time.monotonic if name is None else lambda: time.clock_gettime(getattr(time, name))
    before = read()
    assert before <= running_clock() <= read()


@pytest.mark.parametrize("user", [protected, CachingIntrospector, Readiness])
def test_the_age_of_answers_is_read_from_it(user: Callable[..., Any]) -> None:
    assert inspect.signature(user).parameters["clock"].default is running_clock
