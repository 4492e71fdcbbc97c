"""The grammar of ``.env`` files, compared with python-dotenv, and that no text takes it long."""

from __future__ import annotations

import io
import time

import pytest
from dotenv.parser import parse_stream
from hypothesis import example, given
from hypothesis import strategies as st

from zdemo.config.dotenv_parser import LINE_END, parse

ATOMS = [
    "A",
    "export",
    "export ",
    "=",
    "'",
    '"',
    "\\",
    "#",
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\x0b",
    "\u2028",
    "\x85",
    "\\n",
]
TEXTS = st.lists(st.sampled_from(ATOMS) | st.characters(codec="utf-8"), max_size=16).map("".join)


@given(TEXTS.filter(lambda text: not text.startswith("\ufeff")))
@example("A=1 # one\nexport B='two' # two\nC= # three\nD=#four\nE\n")
@example("A='1' 2\nB=\"\n\" x\nC='")
def test_a_text_means_what_it_means_to_python_dotenv(text: str) -> None:
    reference = list(parse_stream(io.StringIO(text, newline="")))
    statements = list(parse(text))
    assert "".join(statement.text for statement in statements) == text
    assert [(s.key, s.value) for s in statements if s.key] == [(b.key, b.value) for b in reference if b.key]
    assert sum(s.is_wrong for s in statements) == sum(b.error for b in reference)


@given(TEXTS)
def test_a_statement_knows_its_line(text: str) -> None:
    before = ""
    for statement in parse(text):
        assert statement.number == len(LINE_END.findall(before + statement.blank)) + 1
        before += statement.text


LONG: dict[str, tuple[str, str, str]] = {  # the beginning, what is repeated, and the end
    "spaces in a value": ("A=x", " ", "y"),
    "spaces before a comment": ("A=x", " ", "#"),
    "signs of comments": ("A=x", " #", ""),
    "wrong lines": ("", "x y\n", ""),
    "wrong lines with CR": ("", "x y\r", ""),
    "words": ("", "A\n", ""),
    "blank lines": ("A", "\n", "x y"),
    "an open quote": ("A='", "x", ""),
    "an open quote with backslashes": ('A="', "\\\\", "\\"),
    "open quotes": ("", "A='\n", ""),
    "names in quotes": ("", "'\n", ""),
    "one name": ("", "A", ""),
}


@pytest.mark.parametrize(("begin", "repeated", "end"), LONG.values(), ids=LONG)
def test_time_is_proportional_to_length(begin: str, repeated: str, end: str) -> None:
    """Eight times the text takes some eight times as long; a search that starts over at each character, 64 times."""

    def seconds(count: int) -> float:
        text = begin + repeated * count + end
        return min(_seconds(text) for _ in range(3))

    assert seconds(40_000) < 30 * seconds(5_000) + 0.02  # the clock is not exact


def _seconds(text: str) -> float:
    start = time.process_time()
    for _ in parse(text):
        pass
    return time.process_time() - start
