"""What the record of zdemo's own emulator shows, over its control interface, which answers only on this machine.

No credentials are sent. Another program on this machine could answer in its place: what it says is masked and cut.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zdemo.config.address import is_local
from zdemo.diagnosis.evidence import ApisQuestion, EmulatorsReason
from zdemo.diagnosis.finding import quoted
from zdemo.errors import ConnectionFailed
from zdemo.errors.response import Response
from zdemo.http.api_call import Call

if TYPE_CHECKING:
    from zdemo.http.transport import Transport

QUIET_SECONDS = 0.3  # less than zdemo takes from its start to a call, or between two calls
NOT_ITS_OWN = ConnectionFailed, LookupError, TypeError, ValueError, OverflowError  # errors


def emulators_reason(transport: "Transport", refusal: Response, seconds: float, **sent: str) -> EmulatorsReason | None:
    """Return why zdemo's emulator refused a request; ``None`` if another server did, or the record does not say.

    It is ``changed`` if the ``client`` or the ``token`` that is unknown there was not ``sent``.
    """
    with suppress(*NOT_ITS_OWN):
        ago, name = (record := _records(transport, refusal, seconds)[-1])["details"]
        ago, why = min(ago + 0.0, time.time()), quoted(record["why"]).lower()  # a stranger can send 1e308
        for part, text in sent.items():
            if why == f"{part}_unknown" and record[part] not in (text, f"{text[:4]}…{text[-4:]}", "…"):
                why, name = "changed", record[part]
        return EmulatorsReason(id=why, seconds=ago, name=quoted(name, 60))
    return None


def apis_questions(
    transport: "Transport", answer: Response, call: Call, seconds: float
) -> tuple[ApisQuestion, ...] | None:
    """Return what an API asked zdemo's emulator before it answered a call, by the record up to a later ``answer``.

    Return ``None`` if ``answer`` is from another server, or if others asked the same at that time.
    """
    until, since = call.answer.received_at, call.answer.received_at - call.answer.seconds
    with suppress(*NOT_ITS_OWN):
        *records, own = _records(transport, answer, seconds)
        during = [record for record in records if since <= record["at"] <= until]
        # before the call, a request with a token is from others; one without a token can belong to an earlier call
        around = [r for r in records if r["at"] > until or (r["token"] and since - QUIET_SECONDS < r["at"] < since)]
        alike, others = ({(r["path"], r["client"], r["token"]) for r in records} for records in (during, around))
        if not until or alike & others:
            return None
        return tuple(
            ApisQuestion(
                path=quoted(record["path"], 60),
                status=record["status"],
                token=quoted(record["token"]),
                reason=quoted(record["reason"]),
                about_client=record["status"] != 200 and record["why"] != "",
                client=quoted(record["client"], 60) if record["client"] != own["client"] else "",
            )
            for record in during
        )
    return None


def _records(transport: "Transport", answer: Response, seconds: float) -> list[Mapping[str, Any]]:
    """Return the latest requests to the emulator, up to that of an ``answer``. Raises one of ``NOT_ITS_OWN``."""
    if not answer.emulator or not is_local(answer.url) or seconds <= 0:
        raise LookupError
    control, number = {"X-Zdemo-Control": "1"}, int(answer.headers.get("x-zdemo-request", ""))
    document = transport.send("GET", "/_zdemo/requests", timeout_seconds=seconds, headers=control).json_object()
    numbers = [record["number"] for record in document["requests"]]
    return list(document["requests"][: numbers.index(number) + 1])
