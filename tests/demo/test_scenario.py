"""The tour: its plan, how it goes, and that a step which goes otherwise is noticed."""

from __future__ import annotations

import io
import json
import socket

import pytest

from zdemo.cli.demo_screen import show_step, show_tour_end, tour_as_json
from zdemo.cli.screen import Screen
from zdemo.client import Route
from zdemo.demo.emulated import emulated_tour
from zdemo.demo.scenario import EMULATED_LEGS, LIVE_LEGS, First, Leg, Step

LEAST_REQUESTS = 9
STORY = [First.REVOKE, First.GRANT, First.DELETE, First.LOSE, First.REGAIN]


@pytest.mark.parametrize("legs", [EMULATED_LEGS, LIVE_LEGS], ids=["emulated", "live"])
def test_the_plan_tells_the_whole_story_in_order(legs: tuple[Leg, ...]) -> None:
    assert len(legs) >= LEAST_REQUESTS
    assert [leg.first for leg in legs if leg.first is not First.NOTHING] == STORY
    assert {leg.expected for leg in legs} == {200, 401, 503}
    assert {leg.route for leg in legs} == set(Route)
    assert len({leg.name for leg in legs}) == len(legs)


@pytest.mark.parametrize("leg", dict.fromkeys(EMULATED_LEGS + LIVE_LEGS), ids=lambda leg: leg.name)
def test_each_step_fits_the_screen(leg: Leg) -> None:
    told = _told(Step(leg=leg, actual=500, seconds=10))
    assert [line for line in told.splitlines() if len(line) > 80] == []
    assert leg.why in told


def test_the_tour_leaves_nothing_listening() -> None:
    with emulated_tour() as stage:
        first = next(stage.steps())
        assert first.passed
        port = int(stage.api_url.rsplit(":", 1)[1])
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=2):
        pass


def test_two_tours_at_once_do_not_meet() -> None:
    with emulated_tour() as one, emulated_tour() as other:
        steps = zip(one.steps(), other.steps(), strict=True)
        assert all(a.passed and b.passed for a, b in (next(steps) for _ in range(5)))


def _told(*steps: Step) -> str:
    stdout = io.StringIO()
    screen = Screen(stdout=stdout)
    for number, step in enumerate(steps, 1):
        show_step(screen, number, step)
    show_tour_end(screen, steps, 1.0, live=False)
    return stdout.getvalue()


def test_a_step_that_goes_otherwise_is_shown_and_counted() -> None:
    leg = EMULATED_LEGS[0]
    good, bad = (Step(leg=leg, actual=status, seconds=None) for status in (200, 500))
    assert (good.passed, bad.passed) == (True, False)
    told = _told(good, bad)
    assert "500" in told
    assert "EXPECTED 200" in told
    assert "1 of 2 as expected" in told
    document = json.loads(tour_as_json([good, bad]))
    assert (document["passed"], [step["passed"] for step in document["steps"]]) == (False, [True, False])
    row = document["steps"][1]
    assert (row["name"], row["expected"], row["actual"], row["why"]) == (leg.name, 200, 500, leg.why)
    assert json.loads(tour_as_json([good]))["passed"] is True


@pytest.mark.parametrize(("seconds", "shown"), [(None, False), (0.01, False), (0.2, True), (4.24, True)])
def test_the_time_is_shown_where_it_took_some(seconds: float | None, shown: bool) -> None:
    told = _told(Step(leg=EMULATED_LEGS[5], actual=401, seconds=seconds))
    assert ("after" in told.splitlines()[0]) == shown
