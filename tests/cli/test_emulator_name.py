"""Commands name the emulator that they talk to, so that two on one machine are not confused."""

import re
from collections.abc import Mapping

import pytest

from tests.support.cli import Shell, Stack
from zdemo.emulator.entities import new_name
from zdemo.http.response import EMULATOR_NAME, Response


def test_commands_name_the_emulator(own_shell: Shell, own_stack: Stack) -> None:
    name = own_stack.emulator.world.name
    for command in (
        ("role", "list"),
        ("role", "revoke", "reader", "read:messages"),
        ("role", "revoke", "reader", "read:messages"),
        ("role", "grant", "reader", "read:messages"),
        ("doctor",),
        ("doctor", "-v"),
        ("setup", "--dry-run"),
    ):
        ran = own_shell(*command)
        assert re.search(rf"emulator\s+{name}\b", ran.out), f"{command}\n{ran.all}"


def test_names_have_the_form_that_is_shown() -> None:
    assert all(EMULATOR_NAME.fullmatch(new_name()) for _ in range(100))


@pytest.mark.parametrize("headers", [{}, {"x-zdemo-emulator": "\x1b[31mred"}, {"x-zdemo-emulator": "a-b-1 of mine"}])
def test_a_server_without_a_name_or_with_a_strange_one_has_none(headers: Mapping[str, str]) -> None:
    assert Response(status=200, headers=headers, body=b"", seconds=0, url="").emulator == ""
