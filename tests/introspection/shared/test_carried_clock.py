"""Another machine's clock cannot be set back."""

import math

import pytest

from zdemo.introspection.shared.carried_clock import DRIFT, CarriedClock


def test_a_clock_that_was_never_seen_shows_nothing() -> None:
    assert CarriedClock().least(5.0) == -math.inf


def test_it_goes_on_with_the_running_clock_but_for_a_thousandth() -> None:
    clock = CarriedClock()
    clock.follow(1000.0, 5.0)
    assert clock.least(5.0) == 1000
    assert clock.least(105.0) == pytest.approx(1100 - 100 * DRIFT)


@pytest.mark.parametrize(("shown", "least"), [(900.0, 1010 * 1.0), (1010.5, 1010.5), (5000.0, 5000.0)])
def test_a_clock_that_is_set_back_counts_as_if_it_had_gone_on_and_one_set_ahead_is_followed(
    shown: float, least: float
) -> None:
    clock = CarriedClock()
    clock.follow(1000.0, 5.0)
    clock.follow(shown, 15.0)
    assert clock.least(15.0) == pytest.approx(least, abs=10 * DRIFT)


def test_small_steps_back_add_up_to_no_more_than_the_drift() -> None:
    clock = CarriedClock()
    clock.follow(1000.0, 0.0)
    for second in range(1, 1001):
        clock.follow(1000.0 + second * 0.5, float(second))  # it goes at half the speed
    assert clock.least(1000.0) >= 2000 - 1000 * DRIFT - 1e-6


def test_what_is_set_is_believed_though_it_is_less() -> None:
    clock = CarriedClock()
    clock.follow(1000.0, 5.0)
    clock.set(10.0, 6.0)
    assert clock.least(6.0) == 10
