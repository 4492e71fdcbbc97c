"""The statements of ``.env`` files and their pieces, and that no text takes long."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zdemo.config.dotenv_statements import LINE_END, MOST_LINES, MOST_SPACES, UnusualTextError, parse

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


@given(TEXTS)
@example("A=1 # one\nexport B='two' # two\nC= # three\nD=#four\nE\n")
@example("A='1' 2\nB=\"\n\" x\nC='")
@example("\ufeff")
def test_nothing_of_a_text_is_lost_and_each_assignment_is_read_alone_as_in_the_file(text: str) -> None:
    statements = list(parse(text))
    assert "".join(statement.text for statement in statements) == text
    for statement in statements:
        alone = [(s.key, s.value, s.assignment) for s in parse(statement.assignment)]
        assert statement.key is None or alone == [(statement.key, statement.value, statement.assignment)]
        assert statement.is_wrong or not statement.remark.strip() or statement.remark.lstrip().startswith("#")


@given(TEXTS)
def test_a_statement_knows_its_line(text: str) -> None:
    before = ""
    for statement in parse(text):
        assert statement.number == len(LINE_END.findall(before + statement.blank)) + 1
        before += statement.text


SPACES = f"x{' ' * MOST_SPACES}y "
LONG: dict[str, tuple[str, str, str]] = {  # the beginning, what is repeated, and the end
    "spaces in a value": ("A=x", SPACES, "y"),
    "spaces before comments": ("A=x", SPACES, "#"),
    "wide spaces": ("A=x", SPACES.replace(" ", "\u2003"), ""),
    "spaces in quotes": ("A='", SPACES, "'"),
    "signs of comments": ("A=x", " #", ""),
    "an open quote": ("A='", "x", ""),
    "an open quote with backslashes": ('A="', "\\\\", "\\"),
    "escapes in quotes": ("A='", "\\'", "'"),
    "an open quoted name": ("'", "x", ""),
    "words in a wrong line": ("A='x' ", "y ", "#"),
    "one name": ("", "A", ""),
}


@pytest.mark.parametrize(("begin", "repeated", "end"), LONG.values(), ids=LONG)
def test_time_is_proportional_to_length(begin: str, repeated: str, end: str) -> None:
    """Eight times the text takes some eight times as long; a search that starts over at each character, 64 times."""

    def seconds(length: int) -> float:
        text = begin + repeated * (length // len(repeated)) + end
        return min(_seconds(text) for _ in range(3))

    assert seconds(256 << 10) < 30 * seconds(32 << 10) + 0.02  # the clock is not exact


def _seconds(text: str) -> float:
    start = time.process_time()
    for _ in parse(text):
        pass
    return time.process_time() - start


@pytest.mark.parametrize("line", ["A=x{}y", "A=x{}#", "{}A=x", "A{}=x", "A={}x", "A='x'{}", "#{}", "A='{}'", "x y{}"])
@pytest.mark.parametrize("space", [" ", "\t", "\u2003", "\x0b"])
def test_many_spaces_in_a_row_are_refused_and_their_line_is_named(line: str, space: str) -> None:
    assert list(parse("\r\n# one\n\n" + line.format(space * MOST_SPACES)))
    for more in (1, 256 << 10):
        with pytest.raises(UnusualTextError) as refused:
            list(parse("\r\n# one\n\n" + line.format(space * (MOST_SPACES + more)) + "\nB=1"))
        assert str(refused.value) == f"line 4 has more than {MOST_SPACES} spaces in a row"


@pytest.mark.parametrize("line", ["A\n", "A\r", "A\r\n", "\n", "x y\n", "x y\r\n", "A='\n", "'\n", "#\n"])
def test_many_lines_are_refused(line: str) -> None:
    assert "".join(statement.text for statement in parse(line * MOST_LINES)) == line * MOST_LINES
    with pytest.raises(UnusualTextError, match=f"has more than {MOST_LINES} lines"):
        list(parse(line * (MOST_LINES + 1)))


def test_a_key_in_many_lines_is_one_value() -> None:
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *["x" * 64] * 50, "-----END PRIVATE KEY-----\n"])
    statement, after = parse(f'KEY="{key}" # mine\nA=1')
    assert (statement.key, statement.value, statement.remark) == ("KEY", key, " # mine")
    assert (after.key, after.number) == ("A", 54)
