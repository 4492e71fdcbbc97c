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
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("zdemo").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # probes may exceed the pool by a few, and that is fine
