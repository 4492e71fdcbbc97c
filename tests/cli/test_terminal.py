"""What a person at a terminal sees: colours where they are welcome, whole words and commands, a spinner."""

import io
import json
import re
from pathlib import Path

import pytest

from tests.server.test_logs import Terminal
from tests.support.cli import COMMAND, Shell, at_terminal
from tests.support.connection_faults import PAT_CLAIMS
from tests.support.upstream import after, answer, json_body, upstream
from zdemo.cli.layout import GLUE, behind, wrapped
from zdemo.emulator import VISITOR
from zdemo.errors.steps import Command, Step, in_lines, in_words
from zdemo.errors.steps import Shell as ShellLine
from zdemo.text.columns import cells, shows_colour


def test_colours_underline_what_the_words_say_and_no_document_has_any(shell: Shell) -> None:
    for line, pat, code, styled_text in (
        ("call scoped", VISITOR.pat, 1, "\x1b[31m401\x1b[0m"),
        ("introspect", VISITOR.pat, 0, "\x1b[32m"),
        ("introspect", "garbage-garbage-garbage", 1, "active        \x1b[31mno\x1b[0m"),
        ("call nonsense", "", 2, "\x1b["),
    ):
        ended, screen = at_terminal(shell, *line.split(), PAT=pat)
        assert (ended, styled_text in screen, "\\x1b" in screen) == (code, True, False)
    assert "\x1b[" not in at_terminal(shell, "call", "scoped", "--json")[1]


def test_a_spinner_shows_while_zitadel_thinks_and_leaves_nothing_behind(shell: Shell) -> None:
    with upstream(after(0.5, answer(json_body(PAT_CLAIMS)))) as zitadel:
        code, screen = at_terminal(shell, "introspect", ZITADEL_DOMAIN=zitadel.url)
    waiting, answered = screen.split("active", 1)
    assert (code, "asking" in waiting, "asking" in answered) == (0, True, False)
    assert waiting.endswith(("\x1b[2K", "\x1b[?25h", "\r"))  # the line is erased, the cursor is there again
    assert waiting.rfind("\x1b[?25h") > waiting.rfind("\x1b[?25l")


@pytest.mark.thorough
def test_the_demo_shows_that_it_starts_before_it_loads_the_servers(shell: Shell) -> None:
    code, screen = at_terminal(shell, "demo")
    assert (code, "starting" in screen.split("ZITADEL (emulator)")[0]) == (0, True)


ONE_WORD_OR_COMMAND = re.compile(rf" *(?:\S*|(?:{COMMAND}).?) *")
VARYING = r"\b\d+(\.\d+)? m?s\b|\d\d:\d\d:\d\d|\b[0-9a-f]{16}\b|\d+ seconds"  # durations, times, request IDs
SCREENS = (
    *("call scoped -v", "call nonsense", f"introspect --pat {'A' * 71}", "introspect --env-file missing.env", "doctor"),
    *("role list", "doctor --explain token.active", "setup --dry-run", "init --emulator --env-file taken.env"),
)


@pytest.mark.thorough
@pytest.mark.parametrize("line", SCREENS)
def test_text_follows_the_terminal_and_breaks_between_words(shell: Shell, line: str) -> None:
    """The words are the same at each width, so none is broken or lost. What is too long for a line stands alone."""
    (shell.folder / "taken.env").touch()
    words = []
    for width, widest in ((20, 40), (60, 60), (0, 80), (200, 120)):  # 0 is a terminal that does not know its width
        screen = at_terminal(shell, *line.split(), PAT=VISITOR.pat, TERM="dumb", columns=str(width))[1]
        words.append(sorted(re.sub(VARYING, "", screen).split()))
        assert [
            row for row in screen.splitlines() if cells(row) > widest and not ONE_WORD_OR_COMMAND.fullmatch(row)
        ] == []
    assert words[0] == words[1] == words[2] == words[3] != []


@pytest.mark.parametrize("line", ["call private", "role list", "doctor --list"])
def test_a_document_is_indented_at_a_terminal_alone(shell: Shell, line: str) -> None:
    screen = at_terminal(shell, *line.split(), "--json", TERM="dumb", columns="80")[1]
    assert screen.startswith('{\n  "')
    ran = shell(*line.split(), "--json", FORCE_COLOR="1")
    assert json.loads(screen).keys() == ran.document.keys()
    assert ran.out.count("\n") == 1


def test_words_stand_for_signs_where_the_encoding_has_none(shell: Shell) -> None:
    assert shell.in_new_process("doctor", "--only", "settings", PYTHONIOENCODING="ascii").out[:3] == "ok "


COMMANDS: tuple[Step, ...] = (
    Command("role revoke", ("Ada L", "read:messages")),
    Command("call scoped", env_file=Path("sub folder/my.env")),
    ShellLine("export REQUESTS_CA_BUNDLE=FILE"),
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
