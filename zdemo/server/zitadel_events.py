"""``POST /-/zitadel-events``: ZITADEL's Actions v2 report a change, and the API forgets the answers from before it.

ZITADEL signs its call: ``ZITADEL-Signature: t=<epoch seconds>,v1=<hex>``, an HMAC-SHA256 over ``<t>.<body>`` with the
signing key of the target; while keys are exchanged, there are several ``v1``
(github.com/zitadel/zitadel, pkg/actions/signing.go).
"""

import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO

from flask import Blueprint, Response, jsonify, request

from zdemo.config.settings import EVENTS_KEY
from zdemo.guard.forget import Forget
from zdemo.guard.guard import Refusal
from zdemo.server.forgetting import MOST_BODIES, Forgetting, refused
from zdemo.server.guard import refusal
from zdemo.server.request_bodies import BodyReader
from zdemo.serving.forks import renewed_after_fork

PATH = "/-/zitadel-events"
TOLERANCE_SECONDS = 300  # as ZITADEL's own libraries allow
LAG_SECONDS = 0.5  # ZITADEL's answers show a change up to 0.2 s after its event
MOST_CALLS = 10_000  # that are remembered
NO_SIGNATURE = refused(403, "forbidden", "the header field ZITADEL-Signature is missing")
NOT_SIGNED = refused(403, "forbidden", f"the call is not signed with {EVENTS_KEY}")
ANOTHER_TIME = refused(
    403,
    "forbidden",
    "the signature is right, but its time differs by more than 5 minutes from this machine's clock: "
    "the clocks differ, or the call is a repetition",
)
NO_EVENT = refused(400, "bad_request", "the body is not an event of ZITADEL's Actions v2")


class CallsFollowed:
    """The last calls that were followed, by signature: one that somebody repeats must not empty the cache again."""

    @renewed_after_fork
    def __init__(self, *, most: int = MOST_CALLS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._signatures: dict[str, None] = {}

    def add(self, signature: str) -> bool:
        """Note a call, and tell whether it is new."""
        with self._lock:
            is_new = signature not in self._signatures
            self._signatures[signature] = None
            if len(self._signatures) > self._most:
                del self._signatures[next(iter(self._signatures))]
            return is_new

    def remove(self, signature: str) -> None:
        """Let a call that could not be followed be repeated."""
        with self._lock:
            self._signatures.pop(signature, None)


def zitadel_events_route(
    forgetting: Forgetting,
    key: str,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Blueprint:
    """Return ``POST /-/zitadel-events`` for the target with this signing key."""
    blueprint = Blueprint("zitadel_events", __name__)
    read_body = BodyReader(places=MOST_BODIES)  # as for orders
    followed = CallsFollowed()

    @blueprint.post(PATH)
    def receive() -> Response:
        read_body(request.environ)
        stream = request.environ["wsgi.input"]
        body = stream.read() if isinstance(stream, BytesIO) else b""
        signature = checked_signature(request.environ.get("HTTP_ZITADEL_SIGNATURE", ""), body, key, now=now())
        if isinstance(signature, Refusal):
            return refusal(signature)
        order = order_in(body)
        if order is None:
            return refusal(NO_EVENT)
        if not followed.add(signature):
            return jsonify(forgotten=0)
        first = forgetting.everywhere(order)
        sleep(LAG_SECONDS)  # an answer from before the change may have come meanwhile
        second = forgetting.everywhere(order)
        if isinstance(first, int) and isinstance(second, int):
            return jsonify(forgotten=first + second)
        followed.remove(signature)
        return refusal(next(result for result in (first, second) if isinstance(result, Refusal)))

    return blueprint


def checked_signature(header: str, body: bytes, key: str, *, now: float) -> str | Refusal:
    """Return the right signature, if a header field has it and its time is near ``now``; else why it does not count."""
    if not header.strip():
        return NO_SIGNATURE
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not re.fullmatch(r"\d{1,12}", times[0], re.ASCII):
        return NOT_SIGNED
    right = hmac.new(key.encode(), f"{times[0]}.".encode() + body, sha256).hexdigest()
    given = [value.encode("latin-1", "replace") for name, _, value in fields if name == "v1"]
    if not any(hmac.compare_digest(right.encode(), one) for one in given):
        return NOT_SIGNED
    return right if abs(now - int(times[0])) <= TOLERANCE_SECONDS else ANOTHER_TIME


def order_in(body: bytes) -> Forget | None:
    """Return the order that follows from an event: about its user, or about everything if it names none.

    Of the events about a role assignment, only the first names the user (internal/repository/usergrant/user_grant.go).
    """
    try:
        match json.loads(body):
            case {"event_type": str(), "aggregateType": "user", "aggregateID": str(user_id)}:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": str(), "event_payload": {"userId": str(user_id)}} if user_id:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": str()}:
                return Forget(everything=True)
    except (ValueError, RecursionError):
        pass
    return None
