"""The statements of a ``.env`` file: what python-dotenv reads in it, and the pieces of text that they consist of."""

import io
import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from dotenv.parser import Binding, parse_stream

MOST_SPACES = 200  # in a row: python-dotenv's time grows with the square of their number
MOST_LINES = 10_000  # python-dotenv takes long for each, however short it is
BYTE_ORDER_MARK = "\ufeff"
LINE_END = re.compile(r"\r\n|\n|\r")
SPACE = r"[^\S\r\n]"
MORE_SPACES = re.compile(rf"(?<!{SPACE}){SPACE}{{{MOST_SPACES + 1}}}")
# Of a right statement, in their order; no part tries a second way through the text. What holds a lookahead is not
# possessive: Python 3.11.2 then goes on behind the blanks that it refused.
PIECES = re.compile(
    rf"""(?xs)
    ( \s*+)
    ( (?: export {SPACE}++ )?+)
    ( (?:
        (?: '[^']++' | [^=\#\s'][^=\#\s]*+ )
        (?: {SPACE}*+ = (?:
            {SPACE}*+ (?: '(?: \\. | [^'\\] )*+' | "(?: \\. | [^"\\] )*+" )
            | (?: {SPACE}++ (?!\#) )? \S++ (?: {SPACE}++ (?!\#) \S++ )*
        )?+ )?+
    )?+)
    ( {SPACE}*+ (?: \#[^\r\n]*+ )?+)
    ( \r\n | \n | \r | )"""
)


class UnusualTextError(ValueError):
    """A text that python-dotenv would take long to read; the message says what there is too much of."""


@dataclass(kw_only=True)
class Statement:
    """An assignment, a comment, blank lines at the end, or a wrong line; its five texts are all that it consists of.

    ``assignment`` is name, sign and value as they are written; ``remark`` is the comment behind them, with the spaces
    before it. ``number`` is the line where it begins, after the blank lines.
    """

    number: int = 0
    blank: str = ""
    export: str = ""
    assignment: str = field(default="", repr=False)
    remark: str = field(default="", repr=False)
    end: str = ""
    key: str | None = None
    value: str | None = field(default=None, repr=False)
    is_wrong: bool = False

    @property
    def text(self) -> str:
        """The statement as it stands in the file."""
        return self.blank + self.export + self.assignment + self.remark + self.end


def parse(text: str) -> Iterator[Statement]:
    """Yield the statements of a file. Raises UnusualTextError.

    The lines are counted here: python-dotenv's numbers are those of the blank lines before.
    """
    check_usual(text)
    at, ends = 0, [end.end() for end in LINE_END.finditer(text)]
    for binding in parse_stream(io.StringIO(BYTE_ORDER_MARK + text, newline="")):  # it removes a mark at the beginning
        statement = _statement(binding)
        statement.number = bisect(ends, at + len(statement.blank)) + 1
        yield statement
        at += len(binding.original.string)


def check_usual(text: str) -> None:
    """Raise UnusualTextError for a text with too many lines, or too many spaces in a row."""
    if len(LINE_END.findall(text)) > MOST_LINES:
        raise UnusualTextError(f"has more than {MOST_LINES} lines")
    if found := MORE_SPACES.search(text):
        number = len(LINE_END.findall(text, 0, found.start())) + 1
        raise UnusualTextError(f"line {number} has more than {MOST_SPACES} spaces in a row")


def _statement(binding: Binding) -> Statement:
    text, statement = binding.original.string, Statement(key=binding.key, value=binding.value, is_wrong=binding.error)
    found = None if binding.error else PIECES.fullmatch(text)
    if found:
        statement.blank, statement.export, statement.assignment, statement.remark, statement.end = found.groups()
    else:
        content = text.lstrip()
        statement.assignment = content.rstrip("\r\n")
        statement.blank = text.removesuffix(content)
        statement.end = content.removeprefix(statement.assignment)
    return statement
