"""What the terminal shows: on which stream, how it is aligned, and never a secret."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import zip_longest
from typing import IO, TYPE_CHECKING, Any, Literal

import typer

from zdemo.cli.layout import BELOW, GLUE, LEAST_ROOM, behind, filled, pad, wrapped
from zdemo.errors.problem import Problem
from zdemo.errors.steps import Step, in_lines, usable
from zdemo.text.columns import cells, columns_of, shows_colour
from zdemo.text.printable import printable
from zdemo.text.redaction import Redaction, in_texts

if TYPE_CHECKING:
    from zdemo.config.environment import Environment
    from zdemo.diagnosis.finding import Finding


class Screen:
    """Standard output for the answer, standard error for messages; secrets are hidden on both."""

    def __init__(self, stdout: IO[str] | None = None, *, redaction: Redaction | None = None) -> None:
        self.stdout, self.stderr = stdout or sys.stdout, sys.stderr
        self.redaction = redaction or Redaction()
        self.environment: Environment | None = None  # of the command, once it has read its settings
        self.told: set[Problem] = set()  # the notes that were shown
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

    def say(self, text: str = "", *, whole: bool = False) -> None:
        """Print a line of the answer, unbroken if it is ``whole``; text from elsewhere must be ``printable``."""
        text = self.redaction(text)
        for line in [text] if whole else wrapped(text, columns_of(self.stdout)):
            self._put(self.stdout, line)

    def tell(self, message: Step) -> None:
        """Print a message on standard error."""
        self.behind("", in_lines(message, GLUE), hang=BELOW, stream=self.stderr)

    def note(self, message: Step) -> None:
        """Print what is good to know on standard error."""
        self.behind("note: ", in_lines(message, GLUE), stream=self.stderr)

    def warn(self, message: Step) -> None:
        """Print a warning on standard error."""
        self.behind("warning: ", in_lines(message, GLUE), stream=self.stderr)

    def behind(self, lead: str, text: str, *, hang: int = 0, colour: str = "", stream: IO[str] | None = None) -> None:
        """Print a text behind ``lead``, which may have colours; further lines begin below the text, or ``hang`` on."""
        stream, text = stream or self.stdout, printable(self.redaction(text))
        if colour and shows_colour(stream):
            text = typer.style(text, fg=colour)
        for line in behind(lead, text, columns_of(stream), hang=hang):
            self._put(stream, line.rstrip())

    def headline(self, left: str, right: str) -> None:
        """Print a line with a text at both ends, or two lines where they do not fit into one."""
        left, width = self.redaction(left), columns_of(self.stdout)
        gap = width - cells(left) - cells(right)
        for line in [f"{left}{' ' * gap}{right}"] if gap >= BELOW else [*filled(left, width), " " * BELOW + right]:
            self._put(self.stdout, line)

    def table(self, rows: Sequence[Sequence[str]], *, stream: IO[str] | None = None) -> None:
        """Print rows, whose cells may have colours, in columns, the widest wrapped; or with little room, as lines."""
        stream, gap = stream or self.stdout, " " * BELOW
        rows = [[self.redaction(cell) for cell in row] for row in rows]
        widths = [max(map(cells, "\n".join(column).split("\n"))) for column in zip(*rows, strict=True)]
        widest, room = widths.index(max(widths[1:] or widths)), columns_of(stream) - BELOW * (len(widths) - 1)
        room -= sum(widths) - widths[widest]
        has_columns = room >= min(LEAST_ROOM, widths[widest])
        widths[widest] = min(widths[widest], room)
        for first, *others in rows:
            lines = behind(f"{first}{gap}", "\n".join(filter(None, others)), columns_of(stream))
            if has_columns:
                parts = zip_longest(*map(wrapped, (first, *others), widths), fillvalue="")
                lines = [gap.join(map(pad, line, widths)) for line in parts]
            for line in lines:
                self._put(stream, line.rstrip())

    def document(self, value: Any, *, as_it_came: str = "") -> None:
        """Print the answer as one JSON document, ``as_it_came`` if no secret is in it; a text is printed as it is."""
        redacted = in_texts(self.redaction, value)
        if as_it_came and redacted == value:
            redacted = self.redaction(as_it_came)
        self.reveal(redacted)

    def reveal(self, value: Any) -> None:
        """Print a text or a JSON document in which nothing is hidden, such as a token that was asked for."""
        self._answered = True
        indent = 2 if self.stdout.isatty() else None
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
        if isinstance(self.stdout, TextIOWrapper):
            self.stdout.reconfigure(encoding="utf-8")  # whatever the locale (RFC 8259 §8.1)
        # unescaped, JSON has carriage returns as white space only, and other control characters inside strings
        self.stdout.write(printable(text, lambda c: " " if c == "\r" else json.dumps(c)[1:-1]) + "\n")
        self.stdout.flush()

    def error(self, *problems: str, steps: Sequence[Step] = ()) -> None:
        """Print what went wrong, a line for each problem, and what to do."""
        label = typer.style("error:", fg="red", bold=True) if shows_colour(self.stderr) else "error:"
        hang = BELOW if len(problems) > 1 else 0  # shows where the next problem begins
        for number, problem in enumerate(problems):
            self.behind(" " * len("error: ") if number else f"{label} ", problem, hang=hang, stream=self.stderr)
        self.steps("hint:", steps, label_width=len("hint:"), stream=self.stderr)

    def failure(
        self, *problems: str, steps: Sequence[Step], as_json: bool, more: Mapping[str, object] | None = None
    ) -> None:
        """Print the error that ends a command; with ``as_json`` also as the document, with ``more`` in it."""
        self.error(*problems, steps=steps)
        if not as_json or self._answered:
            return
        try:
            hint = printable("\n".join(map(in_lines, usable(steps, self.redaction))))
            self.document({"error": printable("; ".join(problems)), "hint": hint, **(more or {})})
        except OSError:
            drop(self.stdout)  # the error is on standard error already, and keeps its exit code

    def interrupted(self) -> None:
        """Print that Ctrl-C ended the command; the cursor may stand behind a question."""
        self._put(self.stderr, "\ninterrupted" if self.stderr.isatty() else "interrupted")

    def mark(self, text: str, colour: str) -> str:
        """Return the text in a colour where the answer goes to a terminal that shows colours."""
        return typer.style(text, fg=colour) if shows_colour(self.stdout) else text

    def pairs(
        self, rows: Iterable[tuple[str, str]], *, indent: int = 0, label_width: int = 12, stream: IO[str] | None = None
    ) -> None:
        """Print labelled lines; an empty label continues the one before. Long texts are wrapped below their start."""
        for label, text in rows:
            self.behind(f"{' ' * indent}{pad(label, label_width)}  ", text, stream=stream)

    def steps(self, label: str, steps: Iterable[Step], **layout: Any) -> None:
        """Print steps behind a label, as ``pairs`` does, each with its remark below it."""
        lines = [in_lines(step, GLUE) for step in usable(steps, self.redaction)]
        self.pairs([("" if number else label, line) for number, line in enumerate(lines)], **layout)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str], None]]:
        """Show a spinner on a terminal while the block runs; yield a function that changes its text."""
        if not self.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda _: None
            return
        from rich.console import Console  # here, since most commands never wait
        from rich.text import Text

        def visible(text: str) -> Text:
            return Text(printable(self.redaction(text)))

        colours: Literal["auto"] | None = "auto" if shows_colour(self.stderr) else None
        with Console(file=self.stderr, color_system=colours).status(visible(what)) as status:
            yield lambda text: status.update(visible(text))


def drop(stream: IO[str]) -> None:
    """Discard what a stream still holds and all that follows, so that it does not fail again when Python ends."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, stream.fileno())
    os.close(handle)


def show_finding(screen: Screen, finding: Finding, *, indent: int = 0, evidence: bool = True) -> None:
    """Show the cause and what to do next, then the candidates, and the evidence unless ``evidence`` is false."""
    from zdemo.diagnosis.view import heading, why  # here, since most commands show no finding

    layout: dict[str, Any] = {"indent": indent, "label_width": 10 if indent else 12}
    screen.pairs([("why", why(finding)), *(("note", problem.text) for problem in finding.because)], **layout)
    of_settings = (step for problem in finding.because for step in problem.steps)
    screen.steps("fix", tuple(dict.fromkeys((*of_settings, *finding.steps))), **layout)
    if finding.candidates:
        screen.say()
        screen.say(" " * indent + heading(finding))
        for candidate in finding.candidates:
            screen.behind(" " * (indent + 2), candidate, hang=2)
    if evidence and finding.seen:
        screen.say()
        screen.pairs(finding.seen, **layout)
