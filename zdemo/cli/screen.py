"""What the terminal shows: on which stream, how it is aligned, and never a secret."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal

import typer

from zdemo.cli.layout import BELOW, GLUE, behind, headline, in_lines, pad, wrapped
from zdemo.errors.steps import Step, in_words
from zdemo.text.columns import cells, columns_of, shows_colour
from zdemo.text.printable import printable
from zdemo.text.redaction import Redaction, in_texts

if TYPE_CHECKING:
    from zdemo.config.environment import Environment
    from zdemo.diagnosis.finding import Finding


def printable_json(text: str) -> str:
    """Return the same JSON with its control characters escaped inside strings, and as blanks between them."""
    # unescaped, JSON has carriage returns as white space only
    return printable(text, lambda c: " " if c == "\r" else json.dumps(c)[1:-1])


class Screen:
    """Standard output for the answer, standard error for messages; secrets are hidden on both."""

    def __init__(self, stdout: IO[str] | None = None, *, redaction: Redaction | None = None) -> None:
        self.stdout, self.stderr = stdout or sys.stdout, sys.stderr
        self.redaction = redaction or Redaction()
        self.environment: Environment | None = None  # of the command, once it has read its settings
        self.told: set[str] = set()  # the notes that were shown
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

    def width(self, stream: IO[str] | None = None) -> int:
        """Return how wide text on a stream is, by default on standard output."""
        return columns_of(stream or self.stdout)

    def say(self, text: str = "", *, whole: bool = False) -> None:
        """Print a line of the answer, unbroken if it is ``whole``; what is from elsewhere must be ``printable``."""
        text = self.redaction(text)
        for line in [text] if whole else wrapped(text, self.width()):
            self._put(self.stdout, line)

    def tell(self, message: Step) -> None:
        """Print a message on standard error."""
        _, lead, rest = re.split(r"^( *(?:note: |warning: )?)", in_words(message, GLUE), maxsplit=1)
        self.behind(lead, rest, hang=0 if lead else BELOW, stream=self.stderr)

    def behind(self, lead: str, text: str, *, hang: int = 0, colour: str = "", stream: IO[str] | None = None) -> None:
        """Print a text behind ``lead``, which may have colours; further lines begin below the text, or ``hang`` on."""
        stream = stream or self.stdout
        shown = printable(self.redaction(text))
        if colour and shows_colour(stream):
            shown = typer.style(shown, fg=colour)
        for line in behind(lead, shown, self.width(stream), hang=hang):
            self._put(stream, line.rstrip())

    def headline(self, left: str, right: str) -> None:
        """Print a line with a text at both ends."""
        for line in headline(self.redaction(left), right, self.width()):
            self._put(self.stdout, line)

    def table(self, rows: Sequence[Sequence[str]], *, stream: IO[str] | None = None) -> None:
        """Print rows, whose cells may have colours, in columns; or as lines where the words do not fit side by side."""
        from rich.console import Console  # here, since most commands draw no table
        from rich.table import Table
        from rich.text import Text

        stream = stream or self.stdout
        console = Console(width=self.width(stream), height=1, color_system="standard" if shows_colour(stream) else None)
        grid, least = Table.grid(padding=(0, BELOW)), -BELOW
        for number, column in enumerate(zip(*rows, strict=True)):
            lines = [line for cell in column for line in cell.split("\n")]
            words = (word for line in lines for word in (line.split() if number else [line]))
            longest = max(map(cells, words), default=0)
            grid.add_column(no_wrap=longest == max(map(cells, lines)), min_width=longest, overflow="fold")
            least += longest + BELOW
        for row in rows:
            grid.add_row(*(Text.from_ansi(self.redaction(cell)) for cell in row))
        if least > console.width:
            for first, *others in rows:
                lines = [first]
                for cell in filter(None, others):
                    whole = cell.replace("\n", " ")
                    beside = f"{lines[-1]}{' ' * BELOW}{whole}"
                    lines[-1:] = [beside] if cells(beside) <= console.width else [lines[-1], " " * 2 * BELOW + whole]
                for text in (part for line in lines for part in wrapped(self.redaction(line), console.width)):
                    self._put(stream, text)
            return
        with console.capture() as shown:
            console.print(grid)
        for line in shown.get().splitlines():
            self._put(stream, line.rstrip())

    def document(self, value: Any, *, as_it_came: str = "") -> None:
        """Print the answer as one JSON document, ``as_it_came`` if no secret is in it; a text is printed as it is."""
        shown = in_texts(self.redaction, value)
        if as_it_came and shown == value:
            shown = self.redaction(as_it_came)
        indent = 2 if self.stdout.isatty() else None
        self.reveal(shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, indent=indent))

    def reveal(self, text: str) -> None:
        """Print an answer in which nothing is hidden, such as a token that was asked for."""
        self._answered = True
        binary = getattr(self.stdout, "buffer", None)
        if binary is None:
            self.stdout.write(printable_json(text) + "\n")
            self.stdout.flush()
            return
        in_utf8 = printable_json(text).encode()  # whatever the locale (RFC 8259 §8.1)
        binary.write(in_utf8 + b"\n")
        binary.flush()

    def error(self, message: str, *steps: Step) -> None:
        """Print what went wrong, a line for each problem, and what to do."""
        label = typer.style("error:", fg="red", bold=True) if shows_colour(self.stderr) else "error:"
        problems = message.split("\n")
        hang = 2 if len(problems) > 1 else 0  # shows where the next problem begins
        for number, problem in enumerate(problems):
            self.behind(" " * len("error: ") if number else f"{label} ", problem.strip(), hang=hang, stream=self.stderr)
        for number, step in enumerate(steps):
            self.behind(" " * len("hint:  ") if number else "hint:  ", in_lines(step), stream=self.stderr)

    def failure(self, message: str, *steps: Step, as_json: bool, more: Mapping[str, object] | None = None) -> None:
        """Print the error that ends a command; with ``as_json`` also as the document, with ``more`` in it."""
        self.error(message, *steps)
        if not as_json or self._answered:
            return
        try:
            problems = "; ".join(problem.strip() for problem in message.split("\n"))
            error = {"error": printable(problems), "hint": printable("; ".join(map(in_words, steps)))}
            self.document({**error, **(more or {})})
        except OSError:
            drop(self.stdout)  # the error is on standard error already, and keeps its exit code

    def interrupted(self) -> None:
        """Print that Ctrl-C ended the command; the cursor may stand behind a question."""
        self._put(self.stderr, "\ninterrupted" if self.stderr.isatty() else "interrupted")

    def mark(self, text: str, colour: str) -> str:
        """Return the text in a colour where the answer goes to a terminal that shows colours."""
        return typer.style(text, fg=colour) if shows_colour(self.stdout) else text

    def pairs(self, rows: Iterable[tuple[str, str]], *, indent: int = 0, label_width: int = 12) -> None:
        """Print labelled lines; an empty label continues the one before. Long texts are wrapped below their start."""
        for label, text in rows:
            self.behind(f"{' ' * indent}{pad(label, label_width)}  ", text)

    def steps(self, label: str, steps: Iterable[Step], *, indent: int = 0, label_width: int = 12) -> None:
        """Print steps behind a label, each with its remark below it."""
        rows = [("" if number else label, in_lines(step)) for number, step in enumerate(steps)]
        self.pairs(rows, indent=indent, label_width=label_width)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner on a terminal while the block runs; yield a function that changes its text."""
        if not self.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _: None
            return
        from rich.console import Console  # here, since most commands never wait
        from rich.text import Text

        def shown(text: str) -> Text:
            return Text(printable(self.redaction(text)))

        colours: Literal["auto"] | None = "auto" if shows_colour(self.stderr) else None
        with Console(file=self.stderr, stderr=True, color_system=colours).status(shown(what)) as status:
            yield lambda text: status.update(shown(text))


def drop(stream: IO[str]) -> None:
    """Discard what a stream still holds and all that follows, so that it does not fail again when Python ends."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, stream.fileno())
    os.close(handle)


def show_finding(screen: Screen, finding: Finding, *, indent: int = 0, evidence: bool = True) -> None:
    """Show the cause and what to do next, then the candidates, and the evidence unless ``evidence`` is false."""
    from zdemo.diagnosis.view import heading, why  # here, since most commands show no finding

    label_width = 10 if indent else 12
    notes = [("note", problem.text) for problem in finding.because]
    screen.pairs([("why", why(finding)), *notes], indent=indent, label_width=label_width)
    screen.steps("fix", finding.steps, indent=indent, label_width=label_width)
    if finding.candidates:
        screen.say()
        screen.say(" " * indent + heading(finding))
        for candidate in finding.candidates:
            screen.behind(" " * (indent + 2), candidate, hang=2)
    if evidence and finding.seen:
        screen.say()
        screen.pairs(finding.seen, indent=indent, label_width=label_width)
