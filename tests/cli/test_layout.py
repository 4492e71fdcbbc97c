"""Lines of text: where they are broken, what hangs below what, and how wide they are."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_text import VISIBLE, texts
from zdemo.cli.layout import behind, filled, headline, in_lines, wrapped
from zdemo.cli.screen import Screen
from zdemo.errors.steps import Command, Shell, Step, UnsetVariable, in_words, sentence
from zdemo.text.columns import cells

COMMANDS: tuple[Step, ...] = (
    Command("role grant", ("reader", "read:messages")),
    Command("role revoke", ("Ada L", "read:messages")),
    Command("call scoped", env_file=Path("sub folder/my.env")),
    Shell("export REQUESTS_CA_BUNDLE=/path/to/ca.pem"),
    UnsetVariable("ZITADEL_DOMAIN"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=in_words)
def test_a_command_is_never_cut(command: Step) -> None:
    words = in_words(command)
    for before in range(12):
        lines = wrapped(in_lines(sentence("so " * before + "do", command, "and then look at it again")), 49)
        assert any(words in line for line in lines)
        assert max(map(len, lines)) <= max(49, len(words))
    lines = behind("  fix         ", in_lines(sentence("run", command, "now")), 20)
    assert words in lines or cells(words) <= 20, "what is longer than the line stands alone, at the left"


def test_a_remark_stands_below_what_is_pasted() -> None:
    lines = behind("next  ", in_lines(Command("introspect", does="what ZITADEL says")), 80)
    assert lines == ["next  zdemo introspect", "        what ZITADEL says"]


TEXT = "the token is valid, but reader has no role"


@pytest.mark.parametrize(
    ("lead", "text", "width", "lines"),
    [
        ("  why         ", TEXT, 80, [f"  why         {TEXT}"]),
        ("  why         ", TEXT, 40, ["  why         the token is valid, but", "              reader has no role"]),
        (" " * 28 + "fix: ", TEXT, 40, ["    fix:", "      the token is valid, but reader has", "      no role"]),
        ("FAIL  client.accepted    ", TEXT, 40, ["FAIL  client.accepted", f"  {TEXT[:-5]}", "  role"]),
    ],
)
def test_a_label_keeps_its_place_while_there_is_room(lead: str, text: str, width: int, lines: list[str]) -> None:
    assert behind(lead, text, width) == lines


def test_a_headline_or_a_row_that_does_not_fit_becomes_more_lines() -> None:
    assert headline("GET http://a/b", "200", 20) == ["GET http://a/b   200"]
    assert headline("GET http://a/b/c/d", "200", 20) == ["GET http://a/b/c/d", "  200"]


MANY = "read:messages, write:messages, admin, auditor"


@pytest.mark.parametrize(
    ("width", "name", "lines"),
    [
        (60, "  reader", ["  reader  read:messages, write:messages,  granted by ZITADEL", "          admin, auditor"]),
        (40, "  reader", ["  reader  read:messages, write:messages,", "          admin, auditor"]),
        (40, "  a-long-name-of-a-reader", ["  a-long-name-of-a-reader", "    read:messages, write:messages,"]),
    ],
)
def test_a_table_breaks_between_words_and_becomes_lines_where_they_do_not_fit(
    width: int, name: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    Screen(out).table([(name, MANY, "granted by ZITADEL")])
    assert out.getvalue().splitlines()[:2] == lines
    monkeypatch.setenv("FORCE_COLOR", "1")
    Screen(out).table([(name, MANY, "\x1b[31mremove\x1b[0m")])
    assert out.getvalue().count("\x1b[31m") == 1


WORDS = st.lists(texts(VISIBLE, least=1), min_size=1)


@pytest.mark.thorough
@given(WORDS, st.integers(1, 120))
def test_no_word_is_broken_or_lost_and_only_single_words_are_too_long(words: list[str], width: int) -> None:
    for lines in (filled(" ".join(words), width), behind("label  ", " ".join(words), width)):
        assert " ".join(lines).split() in (words, ["label", *words])
        assert all(cells(line) <= width or " " not in line.strip() for line in lines)
