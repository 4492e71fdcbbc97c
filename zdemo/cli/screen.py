"""What the terminal shows: on which stream, how it is aligned, and never a secret."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import typer

from zdemo.cli.redaction import Redaction
from zdemo.config.printable import printable

if TYPE_CHECKING:
    from zdemo.diagnosis import Finding

WIDTH = 80
LEAST_WIDTH = 20  # characters of text in a line, however narrow the terminal
PROBLEMS = r"\n *"  # stands between two problems in a message
ASIDE = "          ("  # stands between a command and a remark about it
GLUE = "\x00"  # stands for a blank inside a command; a text that is shown never holds a NUL
COMMAND = (  # in a sentence, as far as it can be told from the words around it
    r"\bzdemo (?:role [a-z]+(?: \S+ [\w.-]+:[\w.:-]+\b)?|[a-z]+)"
    r"(?: (?:public|private|scoped)\b)?(?: --?[a-z][\w-]*(?: (?:[A-Z\d]+|\w+[.:/][\w.:/-]+)\b)?)*"
    r"|\b(?:export|unset|cd) [\w./~=-]+"
)


def printable_json(text: str) -> str:
    """Return the same JSON with its control characters escaped inside strings, and as blanks between them."""
    # unescaped, JSON has carriage returns as white space only
    return printable(text, lambda c: " " if c == "\r" else json.dumps(c)[1:-1])


class Screen:
    """Standard output for the answer, standard error for messages; secrets are hidden on both."""

    def __init__(
        self, stdout: IO[str] | None = None, stderr: IO[str] | None = None, *, redaction: Redaction | None = None
    ) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.redaction = redaction or Redaction()
        self._answered = False

    def hide(self, *secrets: str) -> None:
        """Never show these texts from now on."""
        self.redaction.hide(*secrets)

    def _put(self, stream: IO[str], text: str) -> None:
        text = self.redaction(text)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()
        except OSError:
            if stream is not self.stderr:
                raise
            drop(stream)  # the answer and the exit code are the same without the message

    def _colour(self, stream: IO[str]) -> bool:
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, text: str = "") -> None:
        """Print a line of the answer. Text from elsewhere must have gone through ``printable``."""
        self._put(self.stdout, text)

    def tell(self, text: str) -> None:
        """Print a message on standard error."""
        _, lead, rest = re.split(r"^( *(?:note: |warning: )?)", text, maxsplit=1)
        self.behind(lead, rest, stream=self.stderr)

    def behind(self, lead: str, text: str, *, shown: str = "", hang: int = 0, stream: IO[str] | None = None) -> None:
        """Print a text behind ``lead``, or behind what is ``shown`` in its place, on standard output by default.

        Lines after the first begin below the text, ``hang`` characters to the right.
        """
        width = columns_of(stream) if stream else WIDTH
        indent = len(lead) + hang
        first, *rest = wrapped(self.redaction(text), max(width - indent, LEAST_WIDTH))
        for line in (f"{shown or lead}{first}", *(" " * indent + line for line in rest)):
            self._put(stream or self.stdout, line.rstrip())

    def document(self, value: Any) -> None:
        """Print the answer as one JSON document."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self._answered = True
        binary = getattr(self.stdout, "buffer", None)
        if binary is None:
            self._put(self.stdout, printable_json(text))
            return
        in_utf8 = printable_json(self.redaction(text)).encode()  # whatever the locale (RFC 8259 §8.1)
        binary.write(in_utf8 + b"\n")
        binary.flush()

    def error(self, message: str, hint: str = "") -> None:
        """Print what went wrong, and what to do."""
        label = typer.style("error:", fg="red", bold=True) if self._colour(self.stderr) else "error:"
        first, *more = re.split(PROBLEMS, message)
        hang = 2 if more else 0  # shows where the next problem begins
        self.behind("error: ", first, shown=f"{label} ", hang=hang, stream=self.stderr)
        for problem in more:
            self.behind(" " * len("error: "), problem, hang=hang, stream=self.stderr)
        if hint:
            self.behind("hint:  ", hint, stream=self.stderr)

    def failure(self, message: str, hint: str = "", *, as_json: bool) -> None:
        """Print the error that ends a command; with ``as_json`` also as the document, unless there is one already."""
        self.error(message, hint)
        if not as_json or self._answered:
            return
        try:
            self.document({"error": printable(re.sub(PROBLEMS, "; ", message)), "hint": printable(hint)})
        except OSError:
            drop(self.stdout)  # the error is on standard error already, and keeps its exit code

    def interrupted(self) -> None:
        """Print that Ctrl-C ended the command; the cursor may stand behind a question."""
        self._put(self.stderr, "\ninterrupted" if self.stderr.isatty() else "interrupted")

    def mark(self, text: str, colour: str) -> str:
        """Return the text in a colour where the answer goes to a terminal that shows colours."""
        return typer.style(text, fg=colour) if self._colour(self.stdout) else text

    def pairs(self, rows: Iterable[tuple[str, str]], *, indent: int = 0, label_width: int = 12) -> None:
        """Print labelled lines; an empty label continues the one before. Long texts are wrapped below their start."""
        for label, text in rows:
            self.behind(" " * indent + f"{label:<{label_width}}  ", text)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Show a spinner on standard error while the block runs, if that is a terminal; leave nothing behind."""
        if not self._colour(self.stderr):
            yield
            return
        from rich.console import Console  # here, since most commands never wait

        with Console(file=self.stderr, stderr=True).status(what):
            yield


def drop(stream: IO[str]) -> None:
    """Discard what a stream still holds and all that follows, so that it does not fail again when Python ends."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, stream.fileno())
    os.close(handle)


def columns_of(stream: IO[str]) -> int:
    """Return the width of the terminal; a file or another program gets lines of any length."""
    if not stream.isatty():
        return sys.maxsize
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    except OSError:
        return WIDTH


def wrapped(text: str, width: int) -> list[str]:
    """Return the text in lines of at most ``width``; a command, an address or an ID is never cut."""
    lines: list[str] = []
    for paragraph in printable(text).split("\n"):
        if ASIDE in paragraph or len(paragraph) <= width:
            lines.append(paragraph)
        else:
            glued = re.sub(COMMAND, lambda match: match[0].replace(" ", GLUE), paragraph)
            lines += textwrap.wrap(glued, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [line.replace(GLUE, " ") for line in lines]


def step(text: str) -> str:
    """Return a step of a fix without the room that a screen leaves between a command and a remark."""
    return printable(text.replace(ASIDE, " ("))


def headline(left: str, right: str) -> str:
    """Return a line with a text at both ends of 80 columns."""
    return f"{left}{right:>{max(WIDTH - len(left), len(right) + 2)}}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def show_finding(screen: Screen, finding: Finding, *, indent: int = 0, evidence: bool = True) -> None:
    """Show the cause, its evidence unless ``evidence`` is false, the candidates, and what to do next."""
    seen = finding.seen if evidence else ()
    label_width = 10 if indent else 12
    screen.pairs([("why", finding.sentence), *seen], indent=indent, label_width=label_width)
    if finding.candidates:
        screen.say()
        is_open = finding.certainty == "open"
        heading = "one of these; they cannot be told apart from outside" if is_open else "it can also be"
        screen.say(" " * indent + heading)
        for candidate in finding.candidates:
            screen.behind(" " * (indent + 2), candidate, hang=2)
        screen.say()
    fixes = [("" if i else "next", fix) for i, fix in enumerate(finding.fix)]
    screen.pairs(fixes, indent=indent, label_width=label_width)
