"""What zdemo's emulator on this machine recorded about a request: it tells nobody else, and a real ZITADEL nobody."""

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zdemo.config.address import is_loopback
from zdemo.diagnosis.evidence import EmulatorsReason
from zdemo.diagnosis.finding import quoted
from zdemo.errors import ConnectionFailed
from zdemo.errors.response import Response

if TYPE_CHECKING:
    from zdemo.http.transport import Transport  # here, because help and completion need no requests

RECORDS, CONTROL = "/_zdemo/requests", {"X-Zdemo-Control": "1"}


def emulators_reason(transport: "Transport", refusal: Response, seconds: float) -> EmulatorsReason | None:
    """Return why the emulator refused a request; ``None`` if another server did, or its record does not say.

    No credentials are sent, and only what has the form of a reason is used.
    """
    number = refusal.headers.get("x-zdemo-request", "")
    if not refusal.emulator or not number or not is_loopback(urlsplit(refusal.url).hostname or "") or seconds <= 0:
        return None
    with suppress(ConnectionFailed):
        answer = transport.send("GET", RECORDS, timeout_seconds=seconds, headers=CONTROL)
        records = answer.json_object().get("requests") if answer.emulator == refusal.emulator else None
        for record in reversed(records if isinstance(records, list) else []):
            cause = record.get("cause") if isinstance(record, dict) and str(record.get("number")) == number else None
            if isinstance(cause, dict) and isinstance(ago := cause.get("seconds"), int | float):
                return EmulatorsReason(id=quoted(cause.get("id")), seconds=ago, name=quoted(cause.get("name"), 60))
    return None
