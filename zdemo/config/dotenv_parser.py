"""The grammar of ``.env`` files, as python-dotenv 1.2 has it, but read in time that is proportional to their length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SPACE = r"[^\S\r\n]*+"  # no pattern here tries a second way through the same text
BLANK = re.compile(r"\s*+")
EXPORT = re.compile(r"(?:export[^\S\r\n]++)?+")
KEY = re.compile(r"'(?P<quoted>[^']++)'|(?P<plain>[^=\#\s'][^=\#\s]*+)")
EQUALS = re.compile(rf"{SPACE}(=?+)")
SPACES = re.compile(SPACE)
SINGLE_QUOTED = re.compile(r"'((?:\\.|[^'\\])*+)'", re.DOTALL)
DOUBLE_QUOTED = re.compile(r'"((?:\\.|[^"\\])*+)"', re.DOTALL)
REST = re.compile(r"[^\r\n]*+")
COMMENT_SIGN = re.compile(r"(?<=\s)#")
REMARK = re.compile(rf"{SPACE}(?:\#[^\r\n]*+)?+")
LINE_END = re.compile(r"\r\n|\n|\r")
END = re.compile(r"\r\n|\n|\r|\Z")
SINGLE_ESCAPE = re.compile(r"\\([\\'])")
DOUBLE_ESCAPE = re.compile(r"\\([\\'\"abfnrtv])")
ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@dataclass(kw_only=True)
class Statement:
    """An assignment, a comment, blank lines at the end, or a wrong line; its six texts are all that it consists of.

    ``assignment`` is name, sign and value as they are written; ``remark`` is the comment behind them, with the spaces
    before it. ``number`` is the line where it begins, after the blank lines.
    """

    number: int = 0
    blank: str = ""
    export: str = ""
    assignment: str = ""
    remark: str = ""
    end: str = ""
    key: str | None = None
    value: str | None = None
    is_wrong: bool = False

    @property
    def text(self) -> str:
        """The statement as it stands in the file."""
        return self.blank + self.export + self.assignment + self.remark + self.end


def parse(text: str) -> Iterator[Statement]:
    """Yield the statements of a file."""
    number, scanner = 1, _Scanner(text)
    while scanner.at < len(text):
        blank = scanner.take(BLANK)[0]
        number += len(LINE_END.findall(blank))
        statement = Statement(number=number, blank=blank)
        start = scanner.at
        try:
            if scanner.at < len(text):
                scanner.read(statement)
        except _WrongLine:
            scanner.take(REST)
            end = scanner.take(END)
            wrong = text[start : end.start()]
            statement = Statement(number=number, blank=blank, assignment=wrong, end=end[0], is_wrong=True)
        yield statement
        number += len(LINE_END.findall(text, start, scanner.at))


class _WrongLine(Exception):
    """A text that is not what the grammar wants there."""


class _Scanner:
    """A place in a text that moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def next(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Move past what matches here. Raises _WrongLine if nothing does."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _WrongLine
        self.at = found.end()
        return found

    def read(self, statement: Statement) -> None:
        """Read an assignment or a comment. Raises _WrongLine."""
        statement.export = self.take(EXPORT)[0]
        start = self.at
        if self.next != "#":
            key = self.take(KEY)
            statement.key = key["quoted"] or key["plain"]
            end = self.at
            if self.take(EQUALS)[1]:
                statement.value = self._value()
                end = self.at
            self.at = end
        statement.assignment = self.text[start : self.at]
        statement.remark = self.take(REMARK)[0]
        statement.end = self.take(END)[0]

    def _value(self) -> str:
        """Return the value, and stand behind it; spaces that begin no value stay for the remark."""
        start = self.at
        spaces = self.take(SPACES)[0]
        if self.next == "'":
            return SINGLE_ESCAPE.sub(r"\1", self.take(SINGLE_QUOTED)[1])
        if self.next == '"':
            return DOUBLE_ESCAPE.sub(lambda found: ESCAPED.get(found[1], found[1]), self.take(DOUBLE_QUOTED)[1])
        rest = "" if spaces and self.next == "#" else self.take(REST)[0]
        sign = COMMENT_SIGN.search(rest)
        value = (rest[: sign.start()] if sign else rest).rstrip()
        self.at = start + (len(spaces + value) if value else 0)
        return value
