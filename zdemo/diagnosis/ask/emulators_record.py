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
    from zdemo.http.transport import Transport


def emulators_reason(transport: "Transport", refusal: Response, seconds: float) -> EmulatorsReason | None:
    """Return why the emulator refused a request, in ``seconds``; ``None`` if another server did, or it does not say.

    No credentials are sent, and only what has the form of a reason is used.
    """
    if not refusal.emulator or not is_loopback(urlsplit(refusal.url).hostname or "") or seconds <= 0:
        return None
    with suppress(ConnectionFailed, LookupError, TypeError, ValueError, StopIteration, OverflowError):  # if not its own
        control, number = {"X-Zdemo-Control": "1"}, int(refusal.headers.get("x-zdemo-request", ""))
        answer = transport.send("GET", "/_zdemo/requests", timeout_seconds=seconds, headers=control)
        record = next(record for record in answer.json_object()["requests"] if record["number"] == number)
        ago, name = record["details"]
        return EmulatorsReason(id=quoted(record["why"]).lower(), seconds=ago + 0.0, name=quoted(name, 60))
    return None
