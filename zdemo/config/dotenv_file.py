"""A ``.env`` file, as python-dotenv reads it: what it sets, and the same file with other values."""

import io
import os
import re
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from zdemo.config.file_io import NotAFileError, read_file
from zdemo.errors import SettingsError
from zdemo.errors.steps import EditLines
from zdemo.text.printable import utf8_text

LARGEST_BYTES = 64 << 10  # python-dotenv's time grows with the square of the spaces in a row
MOST_PROBLEMS = 10  # that a message names
OPEN_QUOTE = re.compile(r"""[^=]+=\s*(['"])(?!.*\1)""")
LINE_END = re.compile(r"\r\n|\n|\r")


class Dotenv:
    """The text of a ``.env`` file, in which statements can be changed; all others stay as they are.

    Where a variable is set more than once, the last statement counts. ``status`` is that of the file that was read.
    """

    def __init__(self, text: str = "", status: os.stat_result | None = None) -> None:
        self.status = status
        self._parse(text)

    def _parse(self, text: str) -> None:
        self.text = text
        self._bindings = list(parse_stream(io.StringIO(text, newline="")))

    @property
    def values(self) -> dict[str, str]:
        """The variables, without quotes; nothing is interpolated."""
        return {b.key: b.value or "" for b in self._bindings if b.key is not None}

    @property
    def wrong_lines(self) -> dict[int, str]:
        """The lines that are not assignments, and why."""
        sets_nothing = (x for x in self._numbered() if x[0].error or (x[0].key is not None and x[0].value is None))
        wrong = ((line, OPEN_QUOTE.match(binding.original.string)) for binding, line in sets_nothing)
        return {line: "never closes a quote" if opened else "is not an assignment" for line, opened in wrong}

    @property
    def repeated(self) -> dict[str, tuple[int, ...]]:
        """The variables that are set more than once, with the numbers of their lines. The last one counts."""
        places: dict[str, tuple[int, ...]] = {}
        for binding, line in self._numbered():
            if binding.key is not None:
                places[binding.key] = (*places.get(binding.key, ()), line)
        return {name: lines for name, lines in places.items() if len(lines) > 1}

    def statement(self, name: str) -> str:
        """Return the statement of a variable that counts, as it is written; empty when there is none."""
        at = self._place(name)
        return "" if at is None else self._bindings[at].original.string.strip()

    def put(self, name: str, statement: str, *, comment: str = "") -> None:
        """Write a statement in place of the one that counts, or at the end, below ``comment``.

        An empty statement removes the one that counts, and the comment above it.
        """
        pieces, at = [binding.original.string for binding in self._bindings], self._place(name)
        if at is not None:
            blank, _, end = _parts(pieces[at])
            pieces[at] = blank + statement + end if statement else blank
            if not statement and comment and at and pieces[at - 1].strip() == comment:
                above, _, _ = _parts(pieces[at - 1])
                pieces[at - 1] = LINE_END.sub("", above, count=1)
        elif statement:
            end = "\r\n" if "\r\n" in self.text else "\n"
            pieces.append(end * (not self.text.endswith(("\n", "\r")) and bool(self.text)))
            pieces.append(f"{end * bool(self.text)}{comment}{end}" if comment else "")
            pieces.append(statement + end)
        self._parse("".join(pieces))

    def set_value(self, name: str, value: str) -> None:
        """Give a variable another value; what else its statement holds, such as a comment, stays where possible."""
        left, _, right = self.statement(name).partition("=")
        changed = f"{left}={right.replace(self.values.get(name, ''), value, 1)}"
        self.put(name, changed if Dotenv(changed).values == {name: value} else assignment(name, value))

    def rename(self, name: str, right: str) -> None:
        """Give the statement of a variable that counts another name; those that have it must be blank, and go."""
        while right in self.values:
            self.put(right, "")
        self.put(name, self.statement(name).replace(name, right, 1))

    def _numbered(self) -> Iterator[tuple[Binding, int]]:
        """Yield each statement with the number of its line; python-dotenv counts the blank lines before it, too."""
        at, ends = 0, [end.end() for end in LINE_END.finditer(self.text)]
        for binding in self._bindings:
            blank, _, _ = _parts(binding.original.string)
            yield binding, bisect(ends, at + len(blank)) + 1
            at += len(binding.original.string)

    def _place(self, name: str) -> int | None:
        return next((at for at in reversed(range(len(self._bindings))) if self._bindings[at].key == name), None)


def _parts(piece: str) -> tuple[str, str, str]:
    """Return the blank lines before a statement, the statement, and its end."""
    content = piece.lstrip()
    return piece.removesuffix(content), content.rstrip(), content[len(content.rstrip()) :]


def assignment(name: str, value: str) -> str:
    """Return the statement that gives a variable a value: in quotes, unless the value is plain."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=-]*", value):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def load_dotenv(path: Path) -> Dotenv:
    """Read a ``.env`` file, the lines that are not assignments too. Raises SettingsError if it cannot be read."""
    try:
        content, status = read_file(path, LARGEST_BYTES)
        if len(content) > LARGEST_BYTES:
            what = f"{path} is larger than {LARGEST_BYTES >> 10} KiB"
            raise SettingsError([what], hint="give a file of NAME=value lines")
        return Dotenv(utf8_text(content), status)
    except FileNotFoundError:
        what, hint = "does not exist", "correct --env-file, or omit it to read .env"
        if path.is_symlink():
            what, hint = "is a link to a file that does not exist", "correct the link, or remove it"
        raise SettingsError([f"{path} {what}"], hint=hint) from None
    except NotAFileError as error:
        raise SettingsError([f"{path} is {error.strerror}"], hint="give a file of NAME=value lines") from None
    except ValueError as error:
        raise SettingsError([f"{path} {error}"], hint="save it as UTF-8") from None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="check its permissions") from None


def valid_dotenv(path: Path) -> Dotenv:
    """Read a ``.env`` file. Raises SettingsError if it cannot be read, or has wrong lines."""
    dotenv = load_dotenv(path)
    if wrong := dotenv.wrong_lines:
        first = list(wrong.items())[:MOST_PROBLEMS]
        problems = [f"{path} line {line} {why}" for line, why in first]
        write = "write NAME=value, quotes in pairs, # before a comment"
        if dotenv.text.lstrip().startswith("{"):
            form = "RTF" if "{\\rtf" in dotenv.text else "JSON"
            raise SettingsError([f"{path} is {form}"], hint="write a line NAME=value for each setting, as plain text")
        raise SettingsError(problems, hint=EditLines(str(path), tuple(line for line, _ in first), write))
    return dotenv
