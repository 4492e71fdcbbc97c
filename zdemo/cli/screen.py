"""All that the terminal sees: where it goes, how it is aligned, what is never shown."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, ClassVar

import typer

from zdemo.cli.redaction import REDACTION
from zdemo.cli.streams import drop

if TYPE_CHECKING:
    from zdemo.diagnosis import Finding

WIDTH = 80
LEAST_WIDTH = 20  # of a column of text, however narrow the terminal
PROBLEMS = r"\n *"  # what stands between several things that are wrong
ASIDE = "          ("  # how a step sets off a remark behind a command
GLUE = "\x00"  # stands for a blank inside a command; no text that is shown holds a NUL
COMMAND = (  # in a sentence: as much of it as can be told from the words around it
    r"\bzdemo (?:role [a-z]+(?: \S+ [\w.-]+:[\w.:-]+\b)?|[a-z]+)"
    r"(?: (?:public|private|scoped)\b)?(?: --?[a-z][\w-]*(?: (?:[A-Z\d]+|\w+[.:/][\w.:/-]+)\b)?)*"
    r"|\b(?:export|unset|cd|cp (?:-n )?[\w./~-]+) [\w./~=-]+"
)


def printable(text: str) -> str:
    """Text from elsewhere, without the control characters that would move a cursor or colour a screen."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" for c in text)


def printable_json(text: str) -> str:
    """The same JSON; its control characters are escaped where they stand in texts, and are blanks between them."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else _escaped(c) for c in text)


def _escaped(control: str) -> str:
    return " " if control == "\r" else json.dumps(control)[1:-1]  # raw, JSON has carriage returns as white space only


class Screen:
    """Standard output for the answer, standard error for the story. Hides secrets, whatever the text."""

    _answered: ClassVar[bool] = False  # one document is all that a program reads, whichever screen wrote it

    def __init__(self, stdout: IO[str] | None = None, stderr: IO[str] | None = None) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr

    def hide(self, *secrets: str) -> None:
        """Never show these texts from now on, on any screen."""
        REDACTION.hide(*secrets)

    def _put(self, stream: IO[str], text: str) -> None:
        text = REDACTION(text)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()
        except OSError:
            if stream is not self.stderr:
                raise
            drop(stream)  # the answer, and the exit code, are the same without the story

    def _colour(self, stream: IO[str]) -> bool:
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, text: str = "") -> None:
        """A line of the answer. Text from elsewhere must have gone through ``printable``."""
        self._put(self.stdout, text)

    def tell(self, text: str) -> None:
        """A line of the story."""
        lead = re.match(r" *(note: |warning: )?", text)
        at = lead.end() if lead else 0
        self._prose(text[:at], text[at:])

    def _prose(self, lead: str, text: str, *, shown: str = "", hang: int = 0) -> None:
        """A text behind ``lead``, on standard error; at a terminal in lines that fit it, the further ones set in."""
        room = columns_of(self.stderr) - len(lead) - hang
        first, *rest = wrapped(REDACTION(text), max(room, LEAST_WIDTH))
        self._put(self.stderr, f"{shown or lead}{first}")
        for line in rest:
            self._put(self.stderr, f"{' ' * (len(lead) + hang)}{line}")

    def document(self, value: Any) -> None:
        """The answer as one JSON document."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        Screen._answered = True
        binary = getattr(self.stdout, "buffer", None)
        if binary is None:
            self._put(self.stdout, printable_json(text))
            return
        binary.write(printable_json(REDACTION(text)).encode() + b"\n")  # UTF-8, whatever the locale (RFC 8259 §8.1)
        binary.flush()

    def error(self, message: str, hint: str = "") -> None:
        """What went wrong, and what to do."""
        label = typer.style("error:", fg="red", bold=True) if self._colour(self.stderr) else "error:"
        first, *more = re.split(PROBLEMS, message)
        hang = 2 if more else 0  # else nobody sees where the next problem begins
        self._prose("error: ", first, shown=f"{label} ", hang=hang)
        for problem in more:
            self._prose(" " * len("error: "), problem, hang=hang)
        if hint:
            self._prose("hint:  ", hint)

    def failure(self, message: str, hint: str = "", *, as_json: bool) -> None:
        """The error that ends a command; for programs that read JSON also as the document, unless they have one."""
        self.error(message, hint)
        if not as_json or Screen._answered:
            return
        try:
            self.document({"error": printable(re.sub(PROBLEMS, "; ", message)), "hint": printable(hint)})
        except OSError:
            drop(self.stdout)  # it has been told; what went wrong first keeps its exit code

    def interrupted(self) -> None:
        """Ctrl-C: the cursor may stand behind a question."""
        self._put(self.stderr, "\ninterrupted" if self.stderr.isatty() else "interrupted")

    def mark(self, text: str, colour: str) -> str:
        """The text, underlined by a colour where the answer goes to a terminal that shows it."""
        return typer.style(text, fg=colour) if self._colour(self.stdout) else text

    def pairs(self, rows: Iterable[tuple[str, str]], *, indent: int = 0, label_width: int = 12) -> None:
        """Labelled lines; a label that is empty continues the one before. Long texts go on below their start."""
        for label, text in rows:
            lead = " " * indent + f"{label:<{label_width}}  "
            for line in wrapped(text, WIDTH - len(lead)):
                self.say(f"{lead}{line}".rstrip())
                lead = " " * len(lead)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A spinner on standard error while the block runs, if that is a terminal; nothing stays behind."""
        if not self._colour(self.stderr):
            yield
            return
        from rich.console import Console  # here, since most commands never wait

        with Console(file=self.stderr, stderr=True).status(what):
            yield


def columns_of(stream: IO[str]) -> int:
    """How wide the terminal is. What goes to a file or to another program is not broken into lines."""
    if not stream.isatty():
        return sys.maxsize
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    except OSError:
        return WIDTH


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width``; a command, an address or an ID is never cut."""
    lines: list[str] = []
    for paragraph in printable(text).split("\n"):
        if ASIDE in paragraph or len(paragraph) <= width:
            lines.append(paragraph)
            continue
        line = ""
        for word in re.sub(COMMAND, lambda match: match[0].replace(" ", GLUE), paragraph).split(" "):
            if line and len(line) + 1 + len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return [line.replace(GLUE, " ") for line in lines]


def step(text: str) -> str:
    """A step of what mends something, without the room that a screen leaves between a command and a remark."""
    return printable(text.replace(ASIDE, " ("))


def headline(left: str, right: str) -> str:
    """A line with something at both ends of 80 columns."""
    return f"{left}{right:>{max(WIDTH - len(left), len(right) + 2)}}"


def columns(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Rows as aligned text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        (" " * gap).join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def show_finding(screen: Screen, finding: Finding, *, indent: int = 0, evidence: bool = True) -> None:
    """Why, how that is known if ``evidence``, what it can be, and what to do next."""
    seen = finding.seen if evidence else ()
    screen.pairs([("why", finding.said), *seen], indent=indent, label_width=10 if indent else 12)
    if finding.candidates:
        lead = " " * indent
        screen.say()
        it_is = "it is one of these, and they look the same from here"
        screen.say(lead + (it_is if finding.certainty == "open" else "it can also be"))
        for candidate in finding.candidates:
            first, *rest = wrapped(candidate, 76 - indent)
            screen.say(f"{lead}  {first}")
            for line in rest:
                screen.say(f"{lead}    {line}")
        screen.say()
    fixes = [("next" if i == 0 else "", fix) for i, fix in enumerate(finding.fix)]
    screen.pairs(fixes, indent=indent, label_width=10 if indent else 12)
