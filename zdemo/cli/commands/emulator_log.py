"""The emulator's log: one line per request, with the reason that ZITADEL never gives."""

import re
from functools import partial

from zdemo.emulator.incoming import FIELDS, REQUESTS_LOG
from zdemo.server import RequestLines, RequestLog, log_in_batches
from zdemo.text.printable import one_line

PACKAGE = r"^/zitadel\.[\w.]+\.(?=\w+/)"  # stands before the name of a service
BESIDE_THE_API = "ZITADEL"  # tells its lines from those of the API in the same terminal


def log_emulator(*, mark: str = "", as_json: bool = False) -> None:
    """Log the emulator's requests to standard error, each as soon as it is answered, in a thread of the log."""
    log_in_batches(as_json=as_json, batch_seconds=0, requests=requests_log(mark))


def requests_log(mark: str) -> RequestLog:
    """Return how the emulator's requests are logged; ``mark`` stands before each."""
    return RequestLog(REQUESTS_LOG, FIELDS, partial(_line, mark))


def _line(  # noqa: PLR0913, PLR0917  # the fields of a record
    mark: str,
    lines: RequestLines,
    _created: float,
    method: str,
    path: str,
    status: int,
    milliseconds: float,
    client: str,
    user: str,
    token: str,
    reason: str,
    at: float,
) -> str:
    path = re.sub(PACKAGE, "", path)
    who = ", ".join(filter(None, (client, user or token)))
    what = f"{who}: {reason}" if who and reason else who or reason
    took = f"{milliseconds:.1f} ms"
    request = one_line(f"{method} {path}")
    return lines.laid_out(f"{lines.clock(at)}  ", request, status, one_line(what), ("", took, ""), mark)
