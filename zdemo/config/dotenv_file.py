"""Read a ``.env`` file, and change variables in it in one step."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from dotenv.parser import Binding, parse_stream

from zdemo.errors import SettingsError

LARGEST_BYTES = 1 << 20

# Patterns are compiled where they are used: every command reads, few commands write.
PLAIN_VALUE = r"[A-Za-z0-9_./:@%+,=-]+"
LEAD = r"(?P<blank>\s*)(export[^\S\r\n]+)?"  # blank lines before an assignment and ``export`` stay
LINE_END = r"\r\n|\n|\r"
ASSIGNMENT = (  # as python-dotenv reads it, with the comment behind the value
    r"""(?s)[^=]*=[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:(?!\s+\#)[^\r\n])*)"""
    r"(?P<comment>[^\S\r\n]*\#[^\r\n]*)?"
)


def _bindings(path: Path) -> list[Binding]:
    """Return the file's lines as python-dotenv reads them. Raises SettingsError if it cannot be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            what = f"{path} is larger than {LARGEST_BYTES >> 20} MiB"
            raise SettingsError([what], hint="give a file of NAME=value lines")
        bindings = list(parse_stream(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except FileNotFoundError:
        what, hint = "does not exist", "correct --env-file, or omit it to read .env"
        if path.is_symlink():
            what, hint = "is a link to a file that does not exist", "correct the link, or remove it"
        raise SettingsError([f"{path} {what}"], hint=hint) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not UTF-8 text"], hint="save it as UTF-8") from None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="check its permissions") from None
    if any("\0" in (b.key or "") for b in bindings):  # every other byte of a name is 0, without a byte-order mark
        raise SettingsError([f"{path} is not UTF-8 text but UTF-16, or not text"], hint="save it as UTF-8")
    return bindings


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a ``.env`` file, without quotes; nothing is interpolated.

    Raises SettingsError if the file cannot be read, or a line is not an assignment; it never repeats the line.
    """
    bindings = _bindings(path)
    wrong = [f"{path} line {number} is not an assignment" for number in _numbers(bindings, lambda b: b.error)]
    if wrong:
        raise SettingsError(wrong, hint="write one NAME=value per line; a comment begins with #")
    return {b.key: b.value or "" for b in bindings if b.key is not None}


def parse_dotenv(text: str) -> dict[str, str]:
    """Return the variables of the text of a ``.env`` file whose lines are assignments."""
    return {b.key: b.value or "" for b in parse_stream(io.StringIO(text)) if b.key is not None}


def lone_words(path: Path) -> tuple[int, ...]:
    """Return the numbers of lines that are a word without ``=``, which may be the rest of a broken line."""
    return tuple(_numbers(_bindings(path), lambda b: b.key is not None and b.value is None and not _lead(b)[2]))


def _lead(binding: Binding) -> re.Match[str]:
    return cast("re.Match[str]", re.match(LEAD, binding.original.string))  # it always matches


def _numbers(bindings: list[Binding], of: Callable[[Binding], bool]) -> Iterator[int]:
    """Yield line numbers; python-dotenv's own are wrong after blank lines, and after a wrong line with CRLF."""
    before = ""
    for binding in bindings:
        if of(binding):
            yield len(re.findall(LINE_END, before + _lead(binding)["blank"])) + 1
        before += binding.original.string


def _line(name: str, value: str, tail: str = "\n") -> str:
    if re.fullmatch(PLAIN_VALUE, value) or not (value or "#" in tail):
        return f"{name}={value}{tail}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'{tail}"


def _replaced(binding: Binding, name: str, value: str) -> str:
    """Return the line with another value; all else in it stays."""
    text, lead = binding.original.string, _lead(binding)[0]
    found = re.match(ASSIGNMENT, text[len(lead) :])
    comment = (found["comment"] if found else None) or ""
    end = re.findall(LINE_END, text)[-1] if text.endswith(("\r", "\n")) else "\n"
    return lead + _line(name, value, f"{' ' if comment.startswith('#') else ''}{comment}{end}")


def _changed(path: Path, values: Mapping[str, str | None]) -> str:
    """Return the file's text with other values: a variable keeps its line, new ones come last."""
    left = {name: value for name, value in values.items() if value is not None}
    out: list[str] = []
    for binding in _bindings(path) if path.exists() else []:
        if binding.key is None or binding.key not in values:
            out.append(binding.original.string)
        elif binding.key in left:
            out.append(_replaced(binding, binding.key, left.pop(binding.key)))
        elif values[binding.key] is None:
            out.append(_blank_lines(binding))
    if left and out and not out[-1].endswith(("\n", "\r")):
        out.append("\n")
    return "".join(out) + "".join(_line(name, value) for name, value in left.items())


def _blank_lines(binding: Binding) -> str:
    """Return the blank lines before an assignment."""
    ends = list(re.finditer(LINE_END, _lead(binding)["blank"]))
    return _lead(binding)["blank"][: ends[-1].end()] if ends else ""


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in a ``.env`` file, or remove those that are ``None``; every other line and comment stays."""
    replace_file(path, _changed(path, values))


def replace_file(path: Path, text: str) -> None:
    """Replace a file in one step, with mode 0600 from the first byte. Raises SettingsError if that fails.

    ``.gitignore`` covers the name of the temporary file (``.env.*``).
    """
    target = path.resolve()  # a link stays a link
    try:
        handle, name = tempfile.mkstemp(prefix=".env.", suffix=".tmp", dir=target.parent)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror}"
        raise SettingsError([what], hint="check the folder's permissions") from None
