"""The log: one line per event, as text for people or as JSON, written in batches by a thread of its own.

At a terminal, what has a fixed width stands first, and what does not fit at the end is left out; elsewhere, a line has
everything. The log's thread makes the lines, so that no request waits for them.
"""

import json
import logging
import os
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TextIO, cast

from zdemo.errors import InsufficientScope
from zdemo.serving.forks import renewed_after_fork
from zdemo.text.columns import cells, columns_of, shows_colour
from zdemo.text.printable import one_line, printable

ACCESS_LOG = "zdemo.access"
ACCESS_MESSAGE = "%s %s %d %s %s %.1f ms%.0s%.0s%.0s%.0s"  # for other handlers; it leaves out the last four
ACCESS_FIELDS: tuple[str, ...] = ("method", "path", "status", "outcome", "request_id", "milliseconds")
ACCESS_FIELDS += ("cache", "caller", "actor", "reason")
BATCH_SECONDS = 0.02  # a person who watches the log does not notice the delay
MOST_WAITING = 20_000  # lines, while the stream takes none; the oldest are dropped
END_SECONDS = 1.0  # how long the last lines may take when the process ends
INDENT = "    "
REQUEST_WIDTH, WHO_WIDTH = 24, 26  # cells; longer texts move what follows
LEAST_REQUEST = 20  # cells, so that the reason may stand beside it
LEAST_COLUMNS_WITH_CLOCK = 80
LONGEST_WHAT = 160  # characters
SHORT_ID = 4
COLOURS = ((500, "\x1b[31m"), (400, "\x1b[33m"), (200, "\x1b[32m"))
PLAIN = "\x1b[0m"
_Request = tuple[float, tuple[Any, ...]]  # when it was answered, in epoch seconds, and the values of its fields


def clock(form: str, convert: Callable[[float], time.struct_time]) -> Callable[[float], str]:
    """Return a function that shows epoch seconds, and works each second out once."""
    text_of = lru_cache(maxsize=1)(lambda second: time.strftime(form, convert(second)))
    return lambda epoch_seconds: text_of(int(epoch_seconds))


@dataclass(frozen=True)
class RequestLog:
    """A log of requests: the name of its logger, the names of a record's arguments, and the function for a line."""

    name: str
    fields: tuple[str, ...]
    line: Callable[..., str]  # of a TextFormatter, the time, and the arguments


OWN_REQUESTS = RequestLog(ACCESS_LOG, ACCESS_FIELDS, lambda lines, *values: lines.line(*values))


class TextFormatter(logging.Formatter):
    """One line per event for people, on a stream that may be a terminal whose width changes.

    The lines of a traceback are indented, so that none looks like an event.
    """

    def __init__(self, stream: TextIO, requests: RequestLog = OWN_REQUESTS) -> None:
        super().__init__()
        self._stream = stream
        self._requests = requests
        self._is_terminal = stream.isatty()
        self._coloured = shows_colour(stream)
        self.clock = clock("%H:%M:%S", time.localtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        if record.name == self._requests.name and isinstance(record.args, tuple):
            return self.request_line(record.created, record.args)
        lines = [one_line(record.getMessage())]
        if record.levelno <= logging.INFO and self._is_terminal:  # errors have commands to copy
            lines = textwrap.wrap(lines[0], columns_of(self._stream) - len(INDENT), break_on_hyphens=False)
        if record.exc_info:
            lines += printable(self.formatException(record.exc_info)).split("\n")
        return f"\n{INDENT}".join(lines)

    def request_line(self, created: float, values: tuple[Any, ...]) -> str:
        """Return the line of a request that was answered at ``created``, in epoch seconds."""
        return self._requests.line(self, created, *values)

    def line(self, created: float, *values: Any) -> str:
        """Return the line of a request, or two at a narrow terminal, from the values of ``ACCESS_FIELDS``."""
        method, path, status, outcome, identity, milliseconds, cache, caller, actor, reason = values
        if actor:
            caller = f"{caller} (impersonated by {actor})"
        who = caller or reason or ""
        if caller and reason:
            is_about_caller = outcome == InsufficientScope.code
            who = f"{caller}{'' if is_about_caller else ':'} {reason}"
        texts = [f"{method} {path}", who, cache or "", identity]
        if not "".join(texts).isprintable():
            texts = [one_line(text) for text in texts]
        request, who, came, identity = texts
        tail = came, f"{milliseconds:.1f} ms", identity
        return self.laid_out(f"{self.clock(created)}  ", request, status, who, tail)

    def laid_out(
        self, clock: str, request: str, status: int, what: str, tail: tuple[str, str, str], mark: str = ""
    ) -> str:
        """Return a line of these parts, or two at a narrow terminal or for a long reason; ``mark`` says whose.

        ``tail`` is how the answer came, how long it took, and its ID.
        """
        cache, took, identity = tail
        what = what if len(what) <= LONGEST_WHAT else what[: LONGEST_WHAT - 1] + "…"
        code = str(status)
        if self._coloured:
            code = next((colour for least, colour in COLOURS if status >= least), "") + code + PLAIN
        if not self._is_terminal:
            request = f"{mark}  {request}" if mark else request
            line = f"{clock}{request:<{REQUEST_WIDTH}}  {code}  {what:<{WHO_WIDTH}}  {cache:<6} {took:>8}  {identity}"
            return line.rstrip()
        columns = columns_of(self._stream)
        came = f"  {cache:<6}  {identity[:SHORT_ID]}…" if identity else ""
        if columns < LEAST_COLUMNS_WITH_CLOCK:
            clock = came = ""
        took, request, below = f"  {took:>8}  ", f"{mark} {request}".lstrip(), ""
        room = columns - len(clock) - 3 - len(took)
        beside = room - 2 - cells(what)
        if beside >= LEAST_REQUEST:
            request = _cut(request, beside)
            request = f"{request}{' ' * (min(beside, REQUEST_WIDTH) - cells(request))}  {what}".rstrip()
        else:
            request, below = _cut(request, room), f"\n{INDENT}{_cut(what, columns - len(INDENT))}" if what else ""
        if came and (free := room - cells(request) - len(came)) >= 0:
            request += " " * free + came
        return f"{clock}{code}{took}{request}{below}"


def _cut(text: str, width: int) -> str:
    if cells(text) <= width:
        return text
    while cells(text) >= width:
        text = text[:-1]
    return text + "…"


def log_request(*values: Any) -> None:
    """Log a request, from the values of ``ACCESS_FIELDS``, with Python's ``logging``."""
    logging.getLogger(ACCESS_LOG).info(ACCESS_MESSAGE, *values)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, with a field for each part of a request. It is ASCII, whatever the locale."""

    def __init__(self, requests: RequestLog = OWN_REQUESTS) -> None:
        super().__init__()
        self._requests = requests
        self._clock = clock("%Y-%m-%dT%H:%M:%S", time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON text."""
        if record.name == self._requests.name and isinstance(record.args, tuple):
            return self.request_line(record.created, record.args)
        line = self._begun(record.created, record.levelno, record.name)
        line["message"] = one_line(record.getMessage())
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _json(line)

    def request_line(self, created: float, values: tuple[Any, ...]) -> str:
        """Return the line of a request that was answered at ``created``, in epoch seconds."""
        line = self._begun(created, logging.INFO, self._requests.name)
        line.update(zip(self._requests.fields, values, strict=True))
        line["milliseconds"] = round(line["milliseconds"], 3)
        return _json(line)

    def _begun(self, created: float, level: int, logger: str) -> dict[str, Any]:
        return {
            "time": f"{self._clock(created)}.{int(created % 1 * 1000):03d}Z",
            "level": logging.getLevelName(level).lower(),
            "logger": logger,
        }


def _json(line: dict[str, Any]) -> str:
    text = json.dumps(line)
    if "\\" not in text and text.isprintable():
        return text
    # JSON escapes hidden characters for its own reader only: what shows a field to a person would act on them
    return json.dumps({name: printable(it) if isinstance(it, str) else it for name, it in line.items()})


class BatchingHandler(logging.Handler):
    """Writes lines to ``stream`` within ``BATCH_SECONDS``, in their order.

    A write lets another thread of Python run first; one write per request takes longer than the request itself, so
    ``logging.handlers.QueueListener`` answers a sixth less. A request does not wait for the stream, and one that
    ``log_request`` queues does not wait for its line to be formatted. The last lines are written when ``logging``
    flushes at the end. With ``wait_seconds`` 0 each line is written as soon as the thread gets to it.
    """

    def __init__(
        self,
        stream: TextIO,
        formatter: TextFormatter | JsonFormatter,
        *,
        most_waiting: int = MOST_WAITING,
        wait_seconds: float = BATCH_SECONDS,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._request_line = formatter.request_line
        self.setFormatter(formatter)
        self._wait_seconds = wait_seconds
        self._begin(most_waiting)

    @renewed_after_fork
    def _begin(self, most_waiting: int) -> None:
        self._waiting: deque[_Request | str] = deque(maxlen=most_waiting)
        self._some = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._write_batches, name="log", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record without the base class's lock, which all threads would queue for: a deque is safe without."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record for the next batch, as text at once: the frames of a traceback may hold a token."""
        try:
            self._waiting.append(self.format(record))
        except Exception:
            self.handleError(record)
        self._some.set()

    def log_request(self, *values: Any) -> None:
        """Queue the line of a request, from the values of its fields. A record of ``logging`` takes 6 µs longer."""
        self._waiting.append((time.time(), values))
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Write the waiting lines."""
        self._write(wait_seconds=END_SECONDS)

    def _write_batches(self) -> None:
        while True:
            self._some.wait()
            time.sleep(self._wait_seconds)  # for more lines
            self._some.clear()
            self._write(wait_seconds=-1)

    def _write(self, *, wait_seconds: float) -> None:
        """Write all waiting lines, unless another thread writes for longer than ``wait_seconds`` (-1: no limit)."""
        if not self._writing.acquire(timeout=wait_seconds):
            return
        try:
            taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
            lines = [entry if isinstance(entry, str) else self._request_line(*entry) for entry in taken]
            if lines:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
        except (OSError, ValueError, IndexError):
            pass  # the reader has gone, or the disk is full: the API runs on without its log
        finally:
            self._writing.release()


def log_in_batches(
    *, as_json: bool = False, batch_seconds: float = BATCH_SECONDS, requests: RequestLog = OWN_REQUESTS
) -> BatchingHandler:
    """Log to standard error, other libraries only from warnings on.

    A thread writes what has come within ``batch_seconds`` together.
    """
    # Python has no standard error if that was closed; the API runs on without its log, and nowhere stays open
    stream = cast("TextIO | None", sys.stderr) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as above
    formatter = JsonFormatter(requests) if as_json else TextFormatter(stream, requests)
    handler = BatchingHandler(stream, formatter, wait_seconds=batch_seconds)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("zdemo").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # probes may exceed the pool by a few, which is fine
    return handler
