"""What a person at a terminal sees: colours where they are welcome, a spinner that leaves nothing behind."""

from __future__ import annotations

import re

import pytest

from tests.support.cli import Shell
from tests.support.connection_faults import PAT_CLAIMS
from tests.support.terminal import at_terminal, at_terminal_of
from tests.support.upstream import after, answer, json_body, upstream
from zdemo.cli.screen import wrapped
from zdemo.emulator import VISITOR

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_colours_underline_what_the_words_say(shell: Shell) -> None:
    code, screen = at_terminal(shell, "call", "scoped", PAT=VISITOR.pat)
    assert (code, "\x1b[31m401\x1b[0m" in screen) == (1, True)
    code, screen = at_terminal(shell, "introspect")
    assert (code, "\x1b[32m" in screen) == (0, True)
    code, screen = at_terminal(shell, "introspect", PAT="garbage-garbage-garbage")
    assert (code, "active        \x1b[31mno\x1b[0m" in screen, "\\x1b" in screen) == (1, True, False)
    code, screen = at_terminal(shell, "call", "nonsense")
    assert (code, COLOUR.sub("", screen).splitlines()[0][:7]) == (2, "error: ")
    assert COLOUR.search(screen)


@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("introspect", {"NO_COLOR": "1"}),
        ("call nonsense", {"NO_COLOR": "1"}),
        ("introspect", {"TERM": "dumb"}),
        ("call scoped --json", {}),
    ],
)
def test_no_escape_codes_where_none_are_wanted(shell: Shell, line: str, env: dict[str, str]) -> None:
    _, screen = at_terminal(shell, *line.split(), PAT=VISITOR.pat, **env)
    assert screen.strip()
    assert not COLOUR.search(screen)


def test_a_spinner_shows_while_zitadel_thinks_and_leaves_nothing_behind(shell: Shell) -> None:
    slow = after(0.5, answer(json_body(PAT_CLAIMS)))
    with upstream(slow) as zitadel:
        code, screen = at_terminal(shell, "introspect", ZITADEL_DOMAIN=zitadel.url)
        assert code == 0
        waiting, answered = screen.split("active", 1)
        assert "asking" in waiting
        assert waiting.endswith(("\x1b[2K", "\x1b[?25h", "\r"))  # the line is erased, the cursor is there again
        assert waiting.rfind("\x1b[?25h") > waiting.rfind("\x1b[?25l")
        assert "asking" not in answered
        plain = shell("introspect", ZITADEL_DOMAIN=zitadel.url)
    assert "asking" not in plain.all


def test_without_a_terminal_the_screens_are_plain_and_fit_eighty_columns(shell: Shell) -> None:
    for arguments in (("call", "scoped"), ("introspect",), ("introspect", "--pat", "A" * 71), ("role", "list")):
        ran = shell(*arguments, PAT=VISITOR.pat)
        assert [line for line in ran.out.splitlines() if len(line) > 80 or "\x1b" in line] == []


@pytest.mark.parametrize(("columns", "widest"), [(0, 80), (50, 50), (200, 200)])
def test_an_error_is_broken_at_words_where_the_terminal_ends(bare: Shell, columns: int, widest: int) -> None:
    code, screen = at_terminal_of(columns, bare, "introspect", "--pat", "abc", NO_COLOR="1")
    lines = screen.rstrip().splitlines()
    assert (code, lines[0][:7], max(map(len, lines)) <= widest) == (3, "error: ", True)
    assert all(line[:7] in ("error: ", "hint:  ", " " * 7) for line in lines)
    for whole in ("https://my-instance-abc123.zitadel.cloud", "zdemo init"):
        assert any(whole in line for line in lines)
    assert len(bare("introspect", "--pat", "abc").lines) == 4, "what goes to another program is not broken"


def test_a_command_is_never_cut() -> None:
    for command in (
        "zdemo role grant reader read:messages",
        "zdemo call scoped --watch --expect 401",
        "zdemo doctor --only role.granted",
        "export REQUESTS_CA_BUNDLE=/path/to/ca.pem",
        "zdemo call scoped --env-file emulator.env",
    ):
        for before in range(12):
            lines = wrapped(f"{'so ' * before}do {command}, and then look at it again", 45)
            assert any(command in line for line in lines)
            assert max(map(len, lines)) <= 45


def test_ctrl_c_at_a_question_ends_its_line_and_says_so(bare: Shell) -> None:
    code, screen = at_terminal(bare, "introspect", "--pat", when="token: ", typed="\x03")
    assert (code, screen) == (130, "token: \ninterrupted\n")
