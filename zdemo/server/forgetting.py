"""``POST /-/forget``: an order to forget, carried out in all workers of this server."""

import hmac
import json
import logging
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

from flask import Blueprint, Response, jsonify, request

from zdemo.config.settings import FORGET_KEY
from zdemo.guard.forget import Forget
from zdemo.guard.guard import Refusal, new_request_id
from zdemo.server.guard import refusal
from zdemo.server.request_bodies import BodyReader
from zdemo.serving.bus import Bus
from zdemo.serving.forks import renewed_after_fork
from zdemo.serving.loopback import is_local_program

log = logging.getLogger(__name__)

FORGETTING = "zdemo.forgetting"  # the app's extension; only zdemo's own server has it
PATH = "/-/forget"
MOST_BODIES = 8  # that are read at a time
CONFIRM_SECONDS = 4.0  # a worker that starts takes half a second, on a busy machine longer; zdemo role waits 5 s


def refused(status: int, error: str, description: str, **headers: str) -> Refusal:
    """Return an answer that refuses an order."""
    return Refusal(status=status, error=error, description=description, headers=headers)


LOCAL_ONLY = refused(403, "forbidden", f"without {FORGET_KEY}, an order must come from a program on this machine")
WRONG_KEY = refused(403, "forbidden", f"the Authorization header field must be Bearer and the value of {FORGET_KEY}")
NOT_JSON = refused(415, "unsupported_media_type", "the body must be JSON, with Content-Type: application/json")
NO_ORDER = refused(400, "bad_request", 'the body must be {"user_id": "…"}, {"token": "…"} or {"everything": true}')
WORKER_UNCONFIRMED = refused(
    503, "unconfirmed", "a worker of this API did not confirm the order; try again", **{"Retry-After": "1"}
)
STORE_UNCONFIRMED = refused(
    503,
    "store_unconfirmed",
    "this API forgot, but the store did not take the order: APIs that share it follow within ZDEMO_CACHE_TTL; "
    "check the store",
    **{"Retry-After": "1"},
)


class Forgetting:
    """Makes this worker and the others forget, and all who share the store.

    ``obey`` carries out an order in this worker, and ``publish`` hands it to the store and tells whether that worked.
    """

    @renewed_after_fork
    def __init__(
        self,
        obey: Callable[[Forget], int],
        publish: Callable[[Forget], bool],
        bus: Bus,
        *,
        confirm_seconds: float = CONFIRM_SECONDS,
    ) -> None:
        self._here, self._publish, self._bus, self._confirm_seconds = obey, publish, bus, confirm_seconds
        self._counts: dict[str, list[int]] = {}  # of the other workers, by order
        self._counted = threading.Condition()
        bus.subscribe("forget", self._obey)
        bus.subscribe("forgotten", self._count)

    def everywhere(self, order: Forget) -> int | Refusal:
        """Return how many answers all workers had, or who does not confirm the order: a worker, or the store."""
        number = new_request_id()
        with self._counted:
            counts = self._counts[number] = []
        try:
            own = self._here(order)
            self._bus.publish("forget", {**order.to_message(), "number": number})
            published = self._publish(order)
            with self._counted:
                done = self._counted.wait_for(lambda: len(counts) >= self._bus.others, self._confirm_seconds)
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
        count = self._here(Forget.from_message(message))
        self._bus.publish("forgotten", {"number": number, "count": count})

    def _count(self, message: dict[str, Any]) -> None:
        with self._counted:
            if message["number"] in self._counts:
                self._counts[message["number"]].append(message["count"])
                self._counted.notify_all()


def forgetting_route(forgetting: Forgetting, key: str | None) -> Blueprint:
    """Return ``POST /-/forget``: with a ``key`` for those who have it, else for programs on this machine."""
    blueprint = Blueprint("forgetting", __name__)
    read_body = BodyReader(places=MOST_BODIES)  # of its own: slow bodies for other routes must keep no order out

    @blueprint.post(PATH)
    def forget() -> Response:
        if problem := _why_refused(key):
            return refusal(problem)
        read_body(request.environ)
        order = order_in(request.environ["wsgi.input"])
        if order is None:
            return refusal(NO_ORDER)
        result = forgetting.everywhere(order)
        return refusal(result) if isinstance(result, Refusal) else jsonify(forgotten=result)

    return blueprint


def _why_refused(key: str | None) -> Refusal | None:
    environ = request.environ
    if key is None and not is_local_program(environ):
        return LOCAL_ONLY
    given = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1", "replace")
    if key is not None and not hmac.compare_digest(given, f"Bearer {key}".encode()):
        return WRONG_KEY
    return None if request.mimetype == "application/json" else NOT_JSON


def order_in(body: object) -> Forget | None:
    """Return the order in a request's body, if it is in memory and has one."""
    try:
        members = json.loads(body.read()) if isinstance(body, BytesIO) else None
        match list(members.items()) if isinstance(members, dict) else None:
            case [("user_id", str(user_id))]:
                return Forget.naming(user_id=user_id)
            case [("token", str(token))]:
                return Forget.naming(token=token)
            case [("everything", True)]:
                return Forget.naming(everything=True)
    except (ValueError, RecursionError):
        pass
    return None
