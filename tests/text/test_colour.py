"""Who gets colours: the rules of no-color.org and bixense.com/clicolors, and which of them wins."""

import io

import pytest

from tests.server.test_logs import Terminal
from zdemo.text.columns import shows_colour

ROWS: list[tuple[dict[str, str], bool, bool]] = [  # at a terminal, and elsewhere
    ({}, True, False),
    ({"NO_COLOR": "0"}, False, False),
    ({"NO_COLOR": ""}, True, False),
    ({"FORCE_COLOR": "1"}, True, True),
    ({"FORCE_COLOR": "0"}, True, False),
    ({"CLICOLOR_FORCE": "1"}, True, True),
    ({"CLICOLOR": "0"}, False, False),
    ({"TERM": "dumb"}, False, False),
    ({"NO_COLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
    ({"CLICOLOR": "0", "TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
]


@pytest.mark.parametrize(("variables", "terminal", "elsewhere"), ROWS)
def test_the_first_rule_that_applies_decides(variables: dict[str, str], terminal: bool, elsewhere: bool) -> None:
    assert (shows_colour(Terminal(), variables), shows_colour(io.StringIO(), variables)) == (terminal, elsewhere)
