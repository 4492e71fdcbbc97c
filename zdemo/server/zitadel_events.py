"""``POST /-/zitadel-events``: ZITADEL's Actions v2 report a change, and the API forgets the answers from before it.

ZITADEL signs its call: ``ZITADEL-Signature: t=<epoch seconds>,v1=<hex>``, an HMAC-SHA256 over ``<t>.<body>`` with the
signing key of the target; while keys are exchanged, there are several ``v1``
(github.com/zitadel/zitadel, pkg/actions/signing.go).
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO

from flask import Blueprint, Response, current_app, jsonify, request

from zdemo.config.settings import EVENTS_KEY
from zdemo.introspection.forget import Forget
from zdemo.server.forgetting import UNCONFIRMED, Forgetting, refused
from zdemo.server.guard import BODY_READER, refusal

PATH = "/-/zitadel-events"
TOLERANCE_SECONDS = 300  # as ZITADEL's own libraries allow
LAG_SECONDS = 0.5  # ZITADEL's answers show a change up to 0.2 s after its event
NOT_SIGNED = refused(403, "forbidden", f"the call is not signed with {EVENTS_KEY}, or is older than 5 minutes")
NO_EVENT = refused(400, "bad_request", "the body is not an event of ZITADEL's Actions v2")


def zitadel_events_route(
    forgetting: Forgetting,
    key: str,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Blueprint:
    """Return ``POST /-/zitadel-events`` for the target with this signing key."""
    blueprint = Blueprint("zitadel_events", __name__)

    @blueprint.post(PATH)
    def receive() -> Response:
        current_app.extensions[BODY_READER](request.environ)
        stream = request.environ["wsgi.input"]
        body = stream.read() if isinstance(stream, BytesIO) else b""
        if not is_signed(request.environ.get("HTTP_ZITADEL_SIGNATURE", ""), body, key, now=now()):
            return refusal(NOT_SIGNED)
        order = order_in(body)
        if order is None:
            return refusal(NO_EVENT)
        count = forgetting.everywhere(order)
        sleep(LAG_SECONDS)  # an answer from before the change may have come meanwhile
        again = forgetting.everywhere(order)
        return refusal(UNCONFIRMED) if count is None or again is None else jsonify(forgotten=count + again)

    return blueprint


def is_signed(header: str, body: bytes, key: str, *, now: float) -> bool:
    """Tell whether one of the signatures in a header field is right, and its time is near ``now``."""
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    if len(times) != 1 or not re.fullmatch(r"\d{1,12}", times[0], re.ASCII):
        return False
    right = hmac.new(key.encode(), f"{times[0]}.".encode() + body, sha256).hexdigest().encode()
    given = [value.encode("latin-1", "replace") for name, _, value in fields if name == "v1"]
    return abs(now - int(times[0])) <= TOLERANCE_SECONDS and any(hmac.compare_digest(right, one) for one in given)


def order_in(body: bytes) -> Forget | None:
    """Return the order that follows from an event: about its user if it names one, else about everything.

    Of the events about a role assignment, only the first names the user (internal/repository/usergrant/user_grant.go).
    """
    try:
        match json.loads(body):
            case {"event_type": str(), "aggregateType": "user", "aggregateID": str(user_id)}:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": "usergrant", "event_payload": {"userId": str(user_id)}}:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": str()}:
                return Forget(everything=True)
    except (ValueError, RecursionError):
        pass
    return None
