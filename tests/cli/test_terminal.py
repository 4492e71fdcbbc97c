"""What a person at a terminal sees: colours where they are welcome, a spinner that leaves nothing behind."""

import re
from dataclasses import replace

import pytest

from tests.support.cli import Shell
from tests.support.connection_faults import PAT_CLAIMS
from tests.support.terminal import at_terminal, at_terminal_of, shown_at
from tests.support.upstream import after, answer, json_body, upstream
from zdemo.cli.layout import COMMAND
from zdemo.config.columns import cells
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
        ("introspect", {"CLICOLOR": "0"}),
        ("introspect", {"NO_COLOR": "1", "FORCE_COLOR": "1"}),
        ("call scoped --json", {}),
    ],
)
def test_no_escape_codes_where_none_are_wanted(shell: Shell, line: str, env: dict[str, str]) -> None:
    _, screen = at_terminal(shell, *line.split(), PAT=VISITOR.pat, **env)
    assert screen.strip()
    assert not COLOUR.search(screen)


def test_colours_can_be_had_without_a_terminal_but_not_in_a_document(shell: Shell) -> None:
    for line, variable in (("introspect", "FORCE_COLOR"), ("call nonsense", "CLICOLOR_FORCE")):
        assert COLOUR.search(shell(*line.split(), **{variable: "1"}).all)
        assert not COLOUR.search(shell(*line.split(), "--json", **{variable: "1"}).out)


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


VARYING = r"\b\d+(\.\d+)? m?s\b|\d\d:\d\d:\d\d|\b[0-9a-f]{16}\b"  # durations, times, request IDs
WIDTHS = (40, 60, 80, 120)
SCREENS = (
    "call scoped",
    "call scoped -v",
    "call nonsense",
    "introspect",
    "introspect --pat AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "introspect --env-file missing.env",
    "role list",
    "role grant nobody read:messages",
    "doctor",
    "doctor --list",
    "doctor --explain token.active",
    "setup --dry-run",
    "setup --teardown --dry-run",
    "init --emulator --env-file taken.env",
)


@pytest.mark.parametrize("line", SCREENS)
def test_text_follows_the_terminal_and_breaks_between_words(own_shell: Shell, line: str) -> None:
    """The words are the same at each width, so none is broken or lost. What is too long for a line stands alone."""
    (own_shell.folder / "taken.env").touch()
    words = {}
    for width in WIDTHS:
        screen = shown_at(width, own_shell, *line.split(), PAT=VISITOR.pat, TERM="dumb")
        words[width] = sorted(re.sub(VARYING, "", screen).split())
        assert [row for row in screen.splitlines() if cells(row) > width and not stands_alone(row)] == []
    assert words[40] == words[60] == words[80] == words[120] != []


def stands_alone(row: str) -> bool:
    """Return whether a row is one word or one command."""
    return " " not in row.strip() or bool(re.fullmatch(f" *(?:{COMMAND}).?", row))


def test_the_demo_fits_the_narrowest_and_the_widest_terminal(bare: Shell) -> None:
    for width in (WIDTHS[0], WIDTHS[-1]):
        screen = at_terminal_of(width, bare, "demo", FORCE_COLOR="1", TERM="dumb")[1]
        assert ("\x1b[32mas expected" in screen, "\\x1b" in screen) == (True, False)
        rows = screen.splitlines()
        assert [row for row in rows if cells(row) > width and not stands_alone(row)] == []


@pytest.mark.parametrize(("columns", "widest"), [(0, 80), (20, 40), (50, 50), (200, 120)])
def test_an_error_is_broken_at_words_where_the_terminal_ends(bare: Shell, columns: int, widest: int) -> None:
    code, screen = at_terminal_of(columns, bare, "introspect", "--pat", "abc", NO_COLOR="1")
    lines = screen.rstrip().splitlines()
    assert (code, lines[0][:7]) == (3, "error: ")
    assert widest - 20 < max(map(len, lines)) <= widest
    assert all(line[:7] in ("error: ", "hint:  ", " " * 7) or " " not in line.strip() for line in lines)
    for whole in ("https://my-instance-abc123.zitadel.cloud", "zdemo init"):
        assert any(whole in line for line in lines)


@pytest.mark.parametrize(
    ("variable", "widest"), [("", 80), ("60", 60), ("7", 40), ("1000", 120), ("0", 80), ("x", 80), ("9" * 5000, 120)]
)
def test_without_a_terminal_text_has_eighty_columns_or_those_that_are_set(
    bare: Shell, variable: str, widest: int
) -> None:
    bare = replace(bare, env={"COLUMNS": variable})
    done = bare.script('"$1" -m zdemo introspect --pat abc')
    lines = done.stderr.splitlines()
    assert widest - 20 < max(map(len, lines)) <= widest
    assert shown_at(70, bare, "introspect", "--pat", "abc", NO_COLOR="1").splitlines()[0] == lines[0] or not variable


def test_ctrl_c_at_a_question_ends_its_line_and_says_so(shell: Shell) -> None:
    code, screen = at_terminal(shell, "introspect", "--pat", when="token: ", typed="\x03")
    assert (code, screen) == (130, "token: \ninterrupted\n")
