"""The line of a request in the log: at a terminal, what has a fixed width stands first; elsewhere, everything.

The log's own thread makes the lines, so that no request waits for it.
"""

import time
from collections.abc import Callable
from typing import IO

from zdemo.text.columns import cells, columns_of, shows_colour
from zdemo.text.printable import one_line

LACKS = "lacks"  # begins a reason that is about the caller
REQUEST_WIDTH, WHO_WIDTH = 24, 26  # cells; longer texts move what follows
LEAST_COLUMNS_WITH_CLOCK, LEAST_COLUMNS_WITH_CACHE = 60, 80
LONGEST_WHAT = 160  # characters
SHORT_ID = 4
INDENT = "    "
COLOURS = ((500, "\x1b[31m"), (400, "\x1b[33m"), (200, "\x1b[32m"))
PLAIN = "\x1b[0m"


class Clock:
    """Times for the log, each worked out once per second; by default the local time of day."""

    def __init__(self, form: str = "%H:%M:%S", convert: Callable[[float], time.struct_time] = time.localtime) -> None:
        self._form, self._convert = form, convert
        self._last = (-1, "")

    def __call__(self, epoch_seconds: float) -> str:
        """Return a time as text."""
        second, text = self._last
        if int(epoch_seconds) != second:
            text = time.strftime(self._form, self._convert(epoch_seconds))
            self._last = (int(epoch_seconds), text)
        return text


class RequestLines:
    """The form of the lines on one stream, which may be a terminal whose width changes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._coloured = shows_colour(stream)
        self.clock = Clock()

    def line(  # noqa: PLR0913, PLR0917  # what ``app`` logs
        self,
        created: float,
        method: str,
        path: str,
        status: int,
        _outcome: str,
        identity: str,
        milliseconds: float,
        cache: str | None,
        caller: str | None,
        reason: str | None,
    ) -> str:
        """Return the line, or two at a narrow terminal, of a request that the API answered."""
        texts = f"{method} {path}", what(caller, reason), cache or "", identity
        if not "".join(texts).isprintable():
            texts = one_line(texts[0]), one_line(texts[1]), one_line(texts[2]), one_line(texts[3])
        request, who, came, identity = texts
        tail = came, f"{milliseconds:.1f} ms", identity
        return self.laid_out(f"{self.clock(created)}  ", request, status, who, tail)

    def laid_out(  # the parts of a line
        self, clock: str, request: str, status: int, what: str, tail: tuple[str, str, str], mark: str = ""
    ) -> str:
        """Return a line of these parts. ``tail`` is how the answer came, how long it took, and the request's ID.

        ``mark`` says whose line it is, if that is not the API.
        """
        if len(what) > LONGEST_WHAT:
            what = what[: LONGEST_WHAT - 1] + "…"
        if not self._is_terminal:
            cache, took, identity = tail
            shown, request = self._status(status), f"{mark}  {request}" if mark else request
            line = f"{clock}{request:<{REQUEST_WIDTH}}  {shown}  {what:<{WHO_WIDTH}}  {cache:<6} {took:>8}  {identity}"
            return line.rstrip()
        return "\n".join(self._fitted(columns_of(self._stream), clock, request, status, what, tail, mark))

    def _fitted(  # the same
        self, columns: int, clock: str, request: str, status: int, what: str, tail: tuple[str, str, str], mark: str
    ) -> list[str]:
        """Return the columns of a fixed width first, so that none moves; ``what`` is on its own line if it is long."""
        cache, took, identity = tail
        short = f"{identity[:SHORT_ID]}…" if identity else ""
        if columns < LEAST_COLUMNS_WITH_CLOCK:
            clock, whose, request = "", "", f"{mark} {request}".lstrip()
        elif columns < LEAST_COLUMNS_WITH_CACHE:
            whose = f"{mark or short:<7}  " if mark or short else ""
        else:
            whose = f"{mark or f'{cache:<6}  {short}':<13}  " if mark or short else ""
        numbers = f"  {took:>8}  {whose}"
        room = columns - len(clock) - 3 - len(numbers)
        request = _cut(request, room)
        if what and max(cells(request), REQUEST_WIDTH) + 2 + cells(what) <= room:
            request, what = f"{request}{' ' * (REQUEST_WIDTH - cells(request))}  {what}", ""
        first = f"{clock}{self._status(status)}{numbers}{request}"
        return [first, *([INDENT + _cut(what, columns - len(INDENT))] if what else [])]

    def _status(self, status: int) -> str:
        if not self._coloured:
            return str(status)
        return next((colour for least, colour in COLOURS if status >= least), "") + f"{status}{PLAIN}"


def what(caller: str | None, reason: str | None) -> str:
    """Return who was admitted, or why a request was refused, with the caller's name where it is known."""
    if not caller or not reason:
        return caller or reason or ""
    return f"{caller} {reason}" if reason.startswith(LACKS) else f"{caller}: {reason}"


def _cut(text: str, width: int) -> str:
    """Return as much of a text as so many cells hold."""
    if cells(text) <= width:
        return text
    while cells(text) >= width:
        text = text[:-1]
    return text + "…"
