"""Lines of text: where they are broken, what hangs below what, and how wide they are."""

from pathlib import Path

import pytest

from zdemo.cli.layout import GLUE, behind, wrapped
from zdemo.errors.steps import Command, Shell, Step, in_lines, in_words
from zdemo.text.columns import cells

COMMANDS: tuple[Step, ...] = (
    Command("role grant", ("reader", "read:messages")),
    Command("role revoke", ("Ada L", "read:messages")),
    Command("call scoped", env_file=Path("sub folder/my.env")),
    Shell("export REQUESTS_CA_BUNDLE=FILE"),
    Shell("unset ZITADEL_DOMAIN"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=in_words)
def test_a_command_is_never_cut(command: Step) -> None:
    words = in_words(command)
    for before in range(12):
        lines = wrapped(f"{'so ' * before}do {in_lines(command, GLUE)} and then look at it again", 49)
        assert any(words in line for line in lines)
        assert max(map(len, lines)) <= max(49, len(words))
    lines = behind("  fix         ", f"run {in_lines(command, GLUE)} now", 20)
    assert words in lines or cells(words) <= 20, "what is longer than the line stands alone, at the left"


def test_a_remark_stands_below_what_is_pasted() -> None:
    lines = behind("next  ", in_lines(Command("introspect", does="what ZITADEL says"), GLUE), 80)
    assert lines == ["next  zdemo introspect", "        what ZITADEL says"]
