"""Read a ``.env`` file, and change it in one step, keeping what is there."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from dotenv.parser import Binding, parse_stream

from zdemo.config.opening import read_in_time
from zdemo.errors import SettingsError

LARGEST_BYTES = 1 << 20

# Patterns are compiled where they are used: every command reads, few write.
PLAIN_VALUE = r"[A-Za-z0-9_./:@%+,=-]+"
LEAD = r"(?P<blank>\s*)(export[^\S\r\n]+)?"  # blank lines before an assignment and ``export`` stay
LINE_END = r"\r\n|\n|\r"
ASSIGNMENT = (  # as python-dotenv reads it; the comment behind a value stays too
    r"""(?s)[^=]*=[^\S\r\n]*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:(?!\s+\#)[^\r\n])*)"""
    r"(?P<comment>[^\S\r\n]*\#[^\r\n]*)?"
)


def _bindings(path: Path) -> list[Binding]:
    try:
        content, _ = read_in_time(path, LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            what = f"{path} has more than {LARGEST_BYTES >> 20} MiB, which no .env has"
            raise SettingsError([what], hint="give a file of NAME=value lines")
        text = content.decode("utf-8-sig")
        bindings = list(parse_stream(io.StringIO(text, newline="")))
    except FileNotFoundError:
        if path.is_symlink():
            what, hint = "is a link to a file that does not exist", "mend the link, or remove it"
        else:
            what, hint = "does not exist", "correct --env-file, or leave it away: then .env is read"
        raise SettingsError([f"{path} {what}"], hint=hint) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not UTF-8 text"], hint="save it as UTF-8") from None
    except TimeoutError as error:
        hint = "give a regular file, or start what writes to this one"
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint=hint) from None
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], hint="look at its permissions") from None
    if any("\0" in (b.key or "") for b in bindings):  # every other byte of a name is 0: there is no byte-order mark
        raise SettingsError([f"{path} is not UTF-8 text but UTF-16, or no text"], hint="save it as UTF-8")
    return bindings


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a ``.env`` file: quotes removed, nothing interpolated; a byte-order mark and CRLF do no harm.

    Raises:
        SettingsError: the file cannot be read, or lines are no assignments; by number, never by text.
    """
    bindings = _bindings(path)
    wrong = [f"{path} line {number} is no assignment" for number in _wrong_lines(bindings)]
    if wrong:
        raise SettingsError(wrong, hint="write NAME=value, one a line; a comment begins with #")
    return {b.key: b.value or "" for b in bindings if b.key is not None}


def lone_words(path: Path) -> tuple[int, ...]:
    """Numbers of the lines that are a word and no ``=``: read as a name without a value, they may be a broken line.

    ``export NAME`` says what it means, as a shell has it.

    Raises:
        SettingsError: the file cannot be read.
    """
    return tuple(_numbers(_bindings(path), lambda b: b.key is not None and b.value is None and not _lead(b)[2]))


def _lead(binding: Binding) -> re.Match[str]:
    return cast("re.Match[str]", re.match(LEAD, binding.original.string))  # it matches nothing, too


def _wrong_lines(bindings: list[Binding]) -> Iterator[int]:
    return _numbers(bindings, lambda binding: binding.error)


def _numbers(bindings: list[Binding], of: Callable[[Binding], bool]) -> Iterator[int]:
    """Line numbers; python-dotenv's own count from the blank lines before, and are off after a wrong line with CRLF."""
    before = ""
    for binding in bindings:
        if of(binding):
            yield len(re.findall(LINE_END, before + _lead(binding)["blank"])) + 1
        before += binding.original.string


def _line(name: str, value: str, tail: str = "\n") -> str:
    if re.fullmatch(PLAIN_VALUE, value):
        return f"{name}={value}{tail}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'{tail}"


def _replaced(binding: Binding, name: str, value: str) -> str:
    """The line with another value; blank lines before it, ``export``, its comment and its kind of line end stay."""
    text, lead = binding.original.string, _lead(binding)[0]
    found = re.match(ASSIGNMENT, text[len(lead) :])
    comment = (found["comment"] if found else None) or ""
    end = re.findall(LINE_END, text)[-1] if text.endswith(("\r", "\n")) else "\n"
    return lead + _line(name, value, f"{' ' if comment.startswith('#') else ''}{comment}{end}")


def _changed(path: Path, values: Mapping[str, str | None]) -> str:
    """The file's text with the values in it: a variable that is there stays at its line, others come last."""
    left = {name: value for name, value in values.items() if value is not None}
    out: list[str] = []
    for binding in _bindings(path) if path.exists() else []:
        if binding.key is not None and binding.key in values:
            if binding.key in left:
                out.append(_replaced(binding, binding.key, left.pop(binding.key)))
            elif values[binding.key] is None:
                out.append(_blank_lines(binding))
            continue
        out.append(binding.original.string)
    if left and out and not out[-1].endswith(("\n", "\r")):
        out.append("\n")
    return "".join(out) + "".join(_line(name, value) for name, value in left.items())


def _blank_lines(binding: Binding) -> str:
    """The whole blank lines before an assignment."""
    ends = list(re.finditer(LINE_END, _lead(binding)["blank"]))
    return _lead(binding)["blank"][: ends[-1].end()] if ends else ""


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in a ``.env`` file, or remove those that are ``None``; every other line and comment stays.

    Raises:
        SettingsError: the file that is there cannot be read, or its folder not written.
    """
    replace_file(path, _changed(path, values))


def replace_file(path: Path, text: str) -> None:
    """Give a file a new content in one step: a reader sees the old one or the new one. Mode 0600 from the first byte.

    The temporary file beside it has a name that ``.gitignore`` covers (``.env.*``).

    Raises:
        SettingsError: the folder cannot be written.
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
        raise SettingsError(
            [f"{path} cannot be written: {error.strerror}"], hint="look at the folder's rights"
        ) from None
