"""The two routes that make the API forget ZITADEL's answers, in all workers of this server.

``POST /-/forget`` takes an order. With ``POST /-/zitadel-events``, ZITADEL's Actions v2 report a change. ZITADEL signs
its call: ``ZITADEL-Signature: t=<epoch seconds>,v1=<hex>``, an HMAC-SHA256 over ``<t>.<body>`` with the signing key of
the target; while keys are exchanged, there are several ``v1`` (github.com/zitadel/zitadel, pkg/actions/signing.go).
"""

import hmac
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from flask import Flask, Response, jsonify, request

from zdemo.config.settings import EVENTS_KEY, FORGET_KEY
from zdemo.guard.flask_guard import refusal
from zdemo.guard.forget import Forget, hash_of
from zdemo.guard.guard import Refusal, new_request_id
from zdemo.http.example_api import FORGET_PATH, STORE_ERROR
from zdemo.server.request_bodies import BodyReader
from zdemo.serving.bus import Bus
from zdemo.serving.forks import renewed_after_fork
from zdemo.serving.loopback import is_local_program
from zdemo.text.masking import B64TOKEN

log = logging.getLogger(__name__)

FORGETTING = "zdemo.forgetting"  # the app's extension; only zdemo's own server has it
EVENTS_PATH = "/-/zitadel-events"
MOST_BODIES = 8  # that are read at a time
TOLERANCE_SECONDS = 300  # of the time in a signature, as ZITADEL's own libraries allow
LAG_SECONDS = 0.5  # ZITADEL's answers show a change up to 0.2 s after its event
MOST_CALLS = 10_000  # that are remembered, with right signatures
CONFIRM_SECONDS = 4.0  # a worker that starts takes half a second, on a busy machine longer; zdemo role waits 5 s


_forbidden = partial(Refusal, 403, "forbidden")
LOCAL_ONLY = _forbidden(f"without {FORGET_KEY}, an order must come from a program on this machine")
WRONG_KEY = _forbidden(f"the Authorization header field must be Bearer and the value of {FORGET_KEY}")
NOT_JSON = Refusal(415, "unsupported_media_type", "the body must be JSON, with Content-Type: application/json")
NO_ORDER = Refusal(400, "bad_request", 'send {"user_id": "ID"}, {"token": "text after Bearer"} or {"everything": true}')
NO_SIGNATURE = _forbidden("the header field ZITADEL-Signature is missing")
NOT_SIGNED = _forbidden(f"the call is not signed with {EVENTS_KEY}")
ANOTHER_TIME = _forbidden(
    "the signature is right, but its time differs by more than 5 minutes from this machine's clock: "
    "the clocks differ, or the call is a repetition"
)
NO_EVENT = Refusal(400, "bad_request", "the body is not an event of ZITADEL's Actions v2")
AGAIN = {"Retry-After": "1"}
WORKER_UNCONFIRMED = Refusal(503, "unconfirmed", "a worker of this API did not confirm the order; try again", AGAIN)
STORE_UNCONFIRMED = Refusal(
    503,
    STORE_ERROR,
    "this API forgot, but the store did not take the order: check the store. APIs that share it follow within "
    "ZDEMO_CACHE_TTL",
    AGAIN,
)


@dataclass(eq=False)
class Forgetting:
    """Makes this worker and the others forget, and all who share the store.

    ``obey`` carries out an order in this worker, and ``publish`` hands it to the store and tells whether that worked.
    """

    obey: Callable[[Forget], int]
    publish: Callable[[Forget], bool]
    bus: Bus
    confirm_seconds: float = field(default=CONFIRM_SECONDS, kw_only=True)

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._counts: dict[str, list[int]] = {}  # of the other workers, by order
        self._counted = threading.Condition()
        self.bus.subscribe("forget", self._obey)
        self.bus.subscribe("forgotten", self._count)

    def everywhere(self, order: Forget) -> int | Refusal:
        """Return how many answers all workers had, or who does not confirm the order: a worker, or the store."""
        number = new_request_id()
        with self._counted:
            counts = self._counts[number] = []
        try:
            own = self.obey(order)
            self.bus.publish("forget", {**order.to_message(), "number": number})
            published = self.publish(order)
            with self._counted:
                done = self._counted.wait_for(lambda: len(counts) >= self.bus.others, self.confirm_seconds)
                if not done:
                    return WORKER_UNCONFIRMED
                count = own + sum(counts)
            log.info("%s", order.outcome(count))
            return count if published else STORE_UNCONFIRMED
        finally:
            with self._counted:
                del self._counts[number]

    def _obey(self, message: dict[str, Any]) -> None:
        number = message.pop("number", None)
        count = self.obey(Forget.from_message(message))
        self.bus.publish("forgotten", {"number": number, "count": count})

    def _count(self, message: dict[str, Any]) -> None:
        with self._counted:
            if message["number"] in self._counts:
                self._counts[message["number"]].append(message["count"])
                self._counted.notify_all()


def add_forgetting(app: Flask, forgetting: Forgetting, key: str | None) -> None:
    """Add ``POST /-/forget`` for callers who have the ``key`` or, without a key, for programs on this machine."""
    read_body = BodyReader(slots=MOST_BODIES)  # its own: slow bodies for other routes must not keep orders out

    @app.post(FORGET_PATH)
    def forget() -> Response:
        environ = request.environ
        given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
        if key is None and not is_local_program(environ):
            return refusal(LOCAL_ONLY)
        if key is not None and not hmac.compare_digest(given, f"Bearer {key}".encode()):
            return refusal(WRONG_KEY)
        if request.mimetype != "application/json":
            return refusal(NOT_JSON)
        read_body(environ)
        order = order_in(request.get_data())
        if order is None:
            return refusal(NO_ORDER)
        result = forgetting.everywhere(order)
        return refusal(result) if isinstance(result, Refusal) else jsonify(forgotten=result)


def order_in(body: bytes) -> Forget | None:
    """Return the order in a request's body, if it has one."""
    with suppress(ValueError, RecursionError):
        match json.loads(body):
            case {"token": str(token), **others} if not others and B64TOKEN.fullmatch(token):
                return Forget(token_hash=hash_of(token))
            case {**members} if "token_hash" not in members:
                return Forget.from_message(members)
    return None


def add_zitadel_events(
    app: Flask,
    forgetting: Forgetting,
    key: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Add ``POST /-/zitadel-events`` for the target with this signing key."""
    read_body = BodyReader(slots=MOST_BODIES)
    followed: dict[str, object] = {}  # the last calls by signature: a repeated one must not empty the cache again

    @app.post(EVENTS_PATH)
    def receive() -> Response:
        read_body(request.environ)
        body = request.get_data()
        signature = checked_signature(request.environ.get("HTTP_ZITADEL_SIGNATURE", ""), body, key, now=time.time())
        if isinstance(signature, Refusal):
            return refusal(signature)
        order = order_of_event(body)
        if order is None:
            return refusal(NO_EVENT)
        if len(followed) >= MOST_CALLS:
            followed.clear()
        if followed.setdefault(signature, call := object()) is not call:
            return jsonify(forgotten=0)
        first = forgetting.everywhere(order)
        sleep(LAG_SECONDS)  # an answer from before the change may have come meanwhile
        second = forgetting.everywhere(order)
        if isinstance(first, int) and isinstance(second, int):
            return jsonify(forgotten=first + second)
        followed.pop(signature, None)  # it may be repeated
        return refusal(next(result for result in (first, second) if isinstance(result, Refusal)))


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
    if not any(hmac.compare_digest(right.encode(), signature) for signature in given):
        return NOT_SIGNED
    return right if abs(now - int(times[0])) <= TOLERANCE_SECONDS else ANOTHER_TIME


def order_of_event(body: bytes) -> Forget | None:
    """Return the order that follows from an event: about its user, or about everything if it names none.

    Of the events about a role assignment, only the first names the user (internal/repository/usergrant/user_grant.go).
    """
    with suppress(ValueError, RecursionError):
        match json.loads(body):
            case {"event_type": str(), "aggregateType": "user", "aggregateID": str(user_id)}:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": str(), "event_payload": {"userId": str(user_id)}} if user_id:
                return Forget(user_id=user_id)
            case {"event_type": str(), "aggregateType": str()}:
                return Forget(everything=True)
    return None
