"""Records of requests: the client, the user, and the reason for a refusal, which ZITADEL never gives.

The reason is noted where the request is refused. It is for the person who runs the emulator, and never in an answer.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from flask import request

KEPT = 1000  # requests, the latest
LEAST_MASKED = 20  # characters; eight of a shorter text would be too much to show
NAME = r"(?!(\D*\d){4})[A-Za-z][\w .@-]{,29}"  # no key has so few digits
CLIENT_ID = re.compile(rf"\d{{1,20}}(@[\w.-]{{1,60}})?|{NAME}", re.ASCII)
REQUESTS_LOG = "zdemo.emulator.requests"
MESSAGE = "%s %s %d %.1f ms, client: %s, user: %s, token: %s, reason: %s%.0s%.0s%.0s%.0s"
NUMBER = "zdemo.emulator.number"  # key in a request's environment for the number that its answer names


@dataclass(frozen=True)
class RequestRecord:
    """A request to the emulator; ``at`` is when it came, in epoch seconds, ``user`` whose ``token`` it was.

    ``why`` is the ID of a reason with its ``details``, seconds and a name; ``number`` counts the requests of a process.
    """

    method: str
    path: str
    status: int
    milliseconds: float
    client: str = ""
    user: str = ""
    token: str = ""  # masked
    reason: str = ""
    at: float = 0.0
    number: int = 0
    why: str = ""
    details: tuple[object, ...] = ()


FIELDS = tuple(field.name for field in fields(RequestRecord))


def note(**facts: object) -> None:
    """Note facts about the current request, by the names of the fields of ``RequestRecord``."""
    notes_of(request.environ).update(facts)


def notes_of(environ: dict[str, Any]) -> dict[str, object]:
    """Return what is noted about a request."""
    notes: dict[str, object] = environ.setdefault("zdemo.emulator.notes", {})
    return notes


def masked(text: str) -> str:
    """Return what may be shown of a token: four characters at each end, of long ones only."""
    return f"{text[:4]}…{text[-4:]}" if len(text) >= LEAST_MASKED else "…"


def shown_client(client_id: object) -> str:
    """Return an unknown client ID, masked unless it looks like an ID or a name: it may be a secret."""
    text = str(client_id or "")
    return text if not text or CLIENT_ID.fullmatch(text) else masked(text)
