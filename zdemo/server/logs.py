"""Where log lines go and how they look: text for people, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any, TextIO, cast

from zdemo.server.line_writer import LineWriter

ACCESS_LOG = "zdemo.access"
ACCESS_FIELDS = ("method", "path", "status", "outcome", "request_id", "milliseconds")


class TextFormatter(logging.Formatter):
    """For people: the time of their clock at a terminal, date and time in UTC in a file."""

    def __init__(self, *, at_terminal: bool) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S" if at_terminal else "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.localtime if at_terminal else time.gmtime
        self._last = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The time; written out once a second, since each request has a line."""
        second, text = self._last
        if second != int(record.created):
            text = super().formatTime(record, datefmt)
            self._last = (int(record.created), text)
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line; the fields of a request stand by name."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON text."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name == ACCESS_LOG and isinstance(record.args, tuple):
            line |= dict(zip(ACCESS_FIELDS, record.args, strict=True))
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(*, as_json: bool = False, together: bool = False) -> None:
    """One line an event on standard error; what libraries have to say only from warnings on.

    ``together``: lines of requests are written some times a second, not each for itself.
    """
    if together:  # what no line tells need not be found out for each (Python's documentation of logging, Optimization)
        logging._srcfile = None
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # Python has none where it was closed: the API goes on without its log.
    stream = cast("TextIO | None", sys.stderr) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # for good
    handler = LineWriter(stream) if together else logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter(at_terminal=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("zdemo").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # probes may exceed the pool by a few, and that is fine
