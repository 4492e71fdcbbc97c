"""Lines of text: where they are broken, what hangs below what, and how wide they are."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdemo.cli.layout import ASIDE, behind, continued, filled, headline, pad, table, wrapped
from zdemo.config.columns import cells

COMMANDS = (
    "zdemo role grant reader read:messages",
    "zdemo call scoped --watch --expect 401",
    "zdemo doctor --only role.granted",
    "export REQUESTS_CA_BUNDLE=/path/to/ca.pem",
    "zdemo call scoped --env-file emulator.env",
    "zdemo serve --port 5001",
    "zdemo introspect --pat -",
    "zdemo init --env-file my-api.env",
    "zdemo --help",
    "git rm --cached .env",
    "chmod 600 'my key.json'",
    "zdemo call scoped --env-file 'sub folder/my.env'",
    "zdemo role revoke 'Ada L' read:messages",
    "10 minutes",
    "4.8 s",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_never_cut(command: str) -> None:
    for before in range(12):
        lines = wrapped(f"{'so ' * before}do {command}, and then look at it again", 49)
        assert any(command in line for line in lines)
        assert max(map(len, lines)) <= 49
    lines = behind("  fix         ", f"run {command} now", 20)
    assert command in lines or cells(command) <= 20, "what is longer than the line stands alone, at the left"


@pytest.mark.parametrize("width", [40, 80, 100, 101, 120])
def test_a_command_in_several_lines_is_the_same_to_a_shell(width: int) -> None:
    command = "zdemo init --emulator --emulator-port 8490 --api-url http://[::1]:5010 --env-file 'a --port/b  c.env'"
    lines = continued(command, width).split("\n")
    assert max(map(len, lines)) <= width
    assert (len(lines) == 1) is (width >= len(command))
    script = "printf '%s\\n' " + "\n".join(lines)
    words = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout  # noqa: S603  # the test's own script
    assert words.splitlines() == shlex.split(command)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("reader", 6),
        ("\x1b[31mred\x1b[0m", 3),
        ("\u8aad\u8005", 4),
        ("e\u0301te\u0301", 3),
        ("\U0001f600!", 3),
        ("\u2764\ufe0f", 2),
        ("\uff32", 2),
    ],
)
def test_characters_count_by_the_cells_that_they_take(text: str, width: int) -> None:
    assert (cells(text), cells(pad(text, 9))) == (width, 9)


def test_wide_characters_align_and_wrap_by_their_cells() -> None:
    rows = table([("\u8aad\u8005", "read:messages"), ("reader", "admin")], 80)
    assert rows == ["\u8aad\u8005    read:messages", "reader  admin"]
    assert filled("\u8aad\u8005 \u8aad\u8005 \u8aad\u8005", 9) == ["\u8aad\u8005 \u8aad\u8005", "\u8aad\u8005"]


def test_a_label_keeps_its_place_while_there_is_room() -> None:
    text = "the token is valid, but reader has no role"
    assert behind("  why         ", text, 80) == [f"  why         {text}"]
    assert behind("  why         ", text, 40) == [
        "  why         the token is valid, but",
        "              reader has no role",
    ]
    assert behind(" " * 28 + "fix: ", text, 40) == ["    fix: the token is valid, but reader", "         has no role"]
    assert behind("FAIL  credentials.accepted    ", text, 40) == [
        "FAIL  credentials.accepted",
        "  the token is valid, but reader has no",
        "  role",
    ]


def test_a_remark_stands_two_blanks_behind_the_command_or_below_it() -> None:
    step = f"zdemo introspect{ASIDE}what ZITADEL says)"
    assert [behind("next  ", step, width) for width in (60, 45, 30)] == [
        ["next  zdemo introspect  (what ZITADEL says)"],
        ["next  zdemo introspect  (what ZITADEL says)"],
        ["next  zdemo introspect", "        (what ZITADEL says)"],
    ]


def test_a_headline_that_does_not_fit_becomes_two() -> None:
    assert headline("GET http://a/b", "200", 20) == ["GET http://a/b   200"]
    assert headline("GET http://a/b/c/d", "200", 20) == ["GET http://a/b/c/d", "  200"]


def test_a_table_breaks_its_widest_column_or_is_stacked() -> None:
    row = ("  reader", "read:messages, write:messages, admin, auditor", "granted by ZITADEL")
    assert table([row], 80) == ["  reader  read:messages, write:messages, admin, auditor  granted by ZITADEL"]
    assert table([row], 60) == [
        "  reader  read:messages, write:messages,  granted by ZITADEL",
        "          admin, auditor",
    ]
    assert table([row], 40) == [
        "  reader",
        "    read:messages, write:messages,",
        "    admin, auditor",
        "    granted by ZITADEL",
    ]
    assert table([], 40) == []


WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), min_size=1)


@given(WORDS, st.integers(1, 120))
def test_no_word_is_broken_or_lost_and_only_single_words_are_too_long(words: list[str], width: int) -> None:
    for lines in (filled(" ".join(words), width), behind("label  ", " ".join(words), width)):
        assert " ".join(lines).split() in (words, ["label", *words])
        assert all(cells(line) <= width or " " not in line.strip() for line in lines)
