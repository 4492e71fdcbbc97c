"""A ``.env`` file: what it sets, and the same file with other values."""

import os
import re
import shlex
import stat
from itertools import pairwise
from pathlib import Path

from zdemo.config import files
from zdemo.config.dotenv_statements import BYTE_ORDER_MARK, LINE_END, Statement, UnusualTextError, parse
from zdemo.config.files import NotAFileError
from zdemo.errors import SettingsError

LARGEST_BYTES = 256 << 10
MOST_PROBLEMS = 10  # that a message names
PLAIN_VALUE = r"[A-Za-z0-9_./:@%+,=-]+"


class Dotenv:
    """The statements of a ``.env`` file, which can be changed; all else of the file stays as it is, byte for byte.

    Where a variable is set more than once, the last line counts. ``status`` is that of the file that was read.
    """

    def __init__(self, text: str = "", status: os.stat_result | None = None) -> None:
        self.mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
        self.statements = list(parse(text.removeprefix(BYTE_ORDER_MARK)))
        self.status = status
        self._is_ended = not text or text.endswith(("\n", "\r"))

    @property
    def text(self) -> str:
        """The text, which ends with a line end only if the file did."""
        text = self.mark + "".join(statement.text for statement in self.statements)
        return text if self._is_ended else re.sub(rf"(?:{LINE_END.pattern})\Z", "", text)

    @property
    def values(self) -> dict[str, str]:
        """The variables, without quotes; nothing is interpolated."""
        return {s.key: s.value or "" for s in self.statements if s.key is not None}

    @property
    def repeated(self) -> dict[str, tuple[tuple[int, str], ...]]:
        """The variables that are set more than once, with the line and the value of each assignment."""
        found: dict[str, list[tuple[int, str]]] = {}
        for statement in self.statements:
            if statement.key is not None:
                found.setdefault(statement.key, []).append((statement.number, statement.value or ""))
        return {name: tuple(assignments) for name, assignments in found.items() if len(assignments) > 1}

    @property
    def broken(self) -> dict[str, tuple[tuple[int, int], str]]:
        """The variables whose line may be broken in two: both lines, and the value in one piece."""
        found = {}
        for statement, rest in pairwise(self.statements):
            is_rest = rest.key is not None and rest.value is None and rest.number == statement.number + 1
            if statement.key is not None and statement.value and is_rest:
                found[statement.key] = ((statement.number, rest.number), f"{statement.value}{rest.key}")
        return found

    def find(self, name: str) -> Statement | None:
        """Return the assignment of a variable that counts."""
        return next((statement for statement in reversed(self.statements) if statement.key == name), None)

    def set(self, name: str, value: str) -> None:
        """Change the assignment of a variable, or add one at the end."""
        statement = self.find(name)
        if statement is None:
            self.insert(len(self.statements), Statement(assignment=_assignment(name, value), key=name, value=value))
        else:
            statement.assignment, statement.value = _assignment(name, value, statement.remark), value

    def put_back(self, name: str, assignment: str) -> None:
        """Give a variable the assignment that it had, as it was written; a text that is not one becomes the value."""
        statement = self.find(name)
        if statement is None:
            return
        found = list(parse(assignment))
        if [(s.key, s.assignment) for s in found] != [(name, assignment)]:
            self.set(name, assignment)
            return
        joined = statement.remark.startswith("#") and not assignment.endswith(("'", '"'))
        statement.assignment, statement.value = assignment + " " * joined, found[0].value

    def line_end(self, at: int) -> str:
        """Return the line end to write before the statement with this index: as the lines before it have it."""
        ends = (LINE_END.findall(statement.text) for statement in reversed(self.statements[:at]))
        return next((found[-1] for found in ends if found), "\n")

    def insert(self, at: int, *statements: Statement) -> None:
        """Insert statements, each on a line of its own."""
        end = self.line_end(at)
        if at and not self.statements[at - 1].text.endswith(("\n", "\r")):
            self.statements[at - 1].end = end
        for statement in statements:
            statement.end = end
        self.statements[at:at] = statements

    def remove(self, statement: Statement) -> None:
        """Remove a statement; the blank lines before it stay."""
        ends = list(LINE_END.finditer(statement.blank))
        blank = statement.blank[: ends[-1].end()] if ends else ""
        at = next(i for i, other in enumerate(self.statements) if other is statement)
        self.statements[at : at + 1] = [Statement(blank=blank)] if blank else []


def _assignment(name: str, value: str, remark: str = "") -> str:
    """Return an assignment in one line or, if the value has line ends, in more."""
    is_plain = re.fullmatch(PLAIN_VALUE, value) and not remark.startswith("#")
    if is_plain or not (value or "#" in remark):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def load_dotenv(path: Path) -> Dotenv:
    """Read a ``.env`` file, the lines that are not assignments too. Raises SettingsError if it cannot be read."""
    try:
        content, status = files.read_file(path, LARGEST_BYTES)
        dotenv = Dotenv(content.decode() if len(content) <= LARGEST_BYTES else "", status)
    except FileNotFoundError:
        what, hint = "does not exist", "correct --env-file, or omit it to read .env"
        if path.is_symlink():
            what, hint = "is a link to a file that does not exist", "correct the link, or remove it"
        raise SettingsError([f"{path} {what}"], hint=hint) from None
    except NotAFileError as error:
        raise SettingsError([f"{path} is {error.strerror}"], hint="give a file of NAME=value lines") from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not UTF-8 text"], hint="save it as UTF-8") from None
    except UnusualTextError as error:
        raise SettingsError([f"{path} {error}"], hint="remove those that you do not need") from None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="check its permissions") from None
    if len(content) > LARGEST_BYTES:
        what = f"{path} is larger than {LARGEST_BYTES >> 10} KiB"
        raise SettingsError([what], hint="give a file of NAME=value lines")
    if any("\0" in name for name in dotenv.values):  # every other byte of a name is 0, without a byte-order mark
        raise SettingsError([f"{path} is not UTF-8 text but UTF-16, or not text"], hint="save it as UTF-8")
    return dotenv


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a ``.env`` file, without quotes; nothing is interpolated.

    Raises SettingsError if the file cannot be read, or a line is not an assignment.
    """
    return load_assignments(path).values


def load_assignments(path: Path) -> Dotenv:
    """Read a ``.env`` file whose lines are assignments, comments and lone words.

    Raises SettingsError if it cannot be read, or has another line; that is never repeated.
    """
    dotenv = load_dotenv(path)
    wrong = [statement.number for statement in dotenv.statements if statement.is_wrong]
    if wrong:
        problems = [f"{path} line {number} is not an assignment" for number in wrong[:MOST_PROBLEMS]]
        more = [f"and {len(wrong) - MOST_PROBLEMS} more lines of it"] if len(wrong) > MOST_PROBLEMS else []
        raise SettingsError(problems + more, hint="write one NAME=value per line; a comment begins with #")
    return dotenv


def parse_dotenv(text: str) -> dict[str, str]:
    """Return the variables of the text of a ``.env`` file whose lines are assignments."""
    return Dotenv(text).values


def lone_words(path: Path) -> tuple[int, ...]:
    """Return the numbers of lines that are a word without ``=``, which may be the rest of a broken line."""
    return tuple(s.number for s in load_dotenv(path).statements if s.key and s.value is None and not s.export)


def repeated_names(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the variables that are set more than once, with the numbers of their lines. The last one counts."""
    return {name: tuple(line for line, _ in found) for name, found in load_dotenv(path).repeated.items()}


def save_dotenv(path: Path, dotenv: Dotenv) -> None:
    """Write a ``.env`` file in one step. Raises SettingsError if that fails, or if the file was read-only."""
    _check_mode(path, dotenv.status)
    files.replace_file(path, dotenv.text, like=dotenv.status)


def check_writable(path: Path) -> None:
    """Raise SettingsError if a ``.env`` file cannot be written, as far as that can be known before."""
    _check_mode(path, path.stat() if path.exists() else None)
    files.check_writable(path)


def _check_mode(path: Path, status: os.stat_result | None) -> None:
    if status and not status.st_mode & stat.S_IWUSR:
        raise SettingsError(
            [f"{path} is read-only (mode {stat.S_IMODE(status.st_mode):04o})"],
            hint=f"if it may be changed: chmod u+w {shlex.quote(str(path))}",
        )
