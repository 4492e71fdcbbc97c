"""The scenario: it fits a terminal, and an unexpected status is noticed."""

import io

from zdemo.cli.commands.demo import results_as_json, show_end, show_result
from zdemo.cli.screen import Screen
from zdemo.demo.scenario import STEPS, StepResult


def screen_of(*results: StepResult) -> str:
    stdout = io.StringIO()
    screen = Screen(stdout=stdout)
    for number, result in enumerate(results, 1):
        show_result(screen, number, result)
    show_end(screen, results, 1.0, live=False)
    return stdout.getvalue()


def test_the_whole_demo_fits_a_terminal_of_80_by_24_with_the_prompt_below() -> None:
    screen = screen_of(*(StepResult(step=step, actual=step.expected, seconds=1.0) for step in STEPS))
    lines = ["the addresses", "", *screen.splitlines()]
    assert (len(lines) < 24, max(map(len, lines)) <= 80) == (True, True), screen
    for words in ("visitor's PAT  401  active, but the role", "reader's PAT   200  ZITADEL's answer has the role"):
        assert words in screen


def test_an_unexpected_status_is_shown_and_counted() -> None:
    step = STEPS[0]
    good, bad = (StepResult(step=step, actual=status, seconds=None) for status in (200, 500))
    screen = screen_of(good, bad)
    assert "EXPECTED 200" in screen
    assert "1 of 2 as expected" in screen
    document = results_as_json([good, bad])
    assert (document["passed"], [row["passed"] for row in document["steps"]]) == (False, [True, False])
    assert (document["steps"][1]["expected"], document["steps"][1]["actual"]) == (200, 500)
    for seconds, is_timed in ((None, False), (0.01, False), (0.2, True)):
        first = screen_of(StepResult(step=STEPS[5], actual=401, seconds=seconds)).splitlines()[0]
        assert ("; the API follows after" in first) == is_timed
