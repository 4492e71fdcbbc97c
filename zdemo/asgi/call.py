"""One request to a protected app, and the guards that have not decided about it yet.

A guard that is created but not awaited guards nothing: ``requires_token(request)`` without ``await``, or
``requires_token(role="a")`` without a request. Such a request gets an error instead of the answer. A guard that refuses
in a task of its own stops nothing by that, so a success is held back then too. Who awaits it may catch the refusal.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.types import Message

from zdemo.asgi.form import Form
from zdemo.errors import GuardError
from zdemo.guard import Guard, new_request_id

if TYPE_CHECKING:
    from zdemo.asgi.pool import IntrospectionPool

SCOPE_KEY = "zdemo"
EXAMPLE = 'await requires_token(role="read:messages")(request)'


class GuardedCall:
    """A request to ``app``. ``guarded`` tells whether a guard has looked at it."""

    def __init__(self, app: Starlette, guard: Guard, pool: IntrospectionPool, form: Form | None) -> None:
        self.app = app
        self.guard = guard
        self.pool = pool
        self.form = form
        self.guarded = False
        self._refusals: frozenset[object] = frozenset()
        self._seen: frozenset[object] = frozenset()
        self._status = 0
        self._undecided: dict[int, object] = {}  # by identity, since guards with the same roles are equal

    @cached_property
    def request_id(self) -> str:
        """The ID of this request."""
        return new_request_id()

    def begin(self, guard: object) -> None:
        """Note a guard that must decide before an answer is sent."""
        self._undecided[id(guard)] = guard

    def end(self, guard: object) -> None:
        """Note that a guard has decided."""
        self._undecided.pop(id(guard), None)

    def refuse(self, decision: object) -> None:
        """Note that a guard has decided against the request."""
        self.end(decision)
        _seen.set(_seen.get() & self._refusals | {decision})
        self._refusals |= {decision}

    def note_seen(self) -> None:
        """Note, in the task of an endpoint, which refusals it has seen."""
        if self._refusals:
            self._seen |= _seen.get()

    def check(self, message: Message) -> None:
        """Raise GuardError before a part of the answer if a guard has not decided, or has refused unseen."""
        if self._undecided:
            raise GuardError(
                "the request was answered before its guard had decided",
                hint=f"write {EXAMPLE}; create a guard that only some requests need outside of the endpoint",
            )
        if message["type"] == "http.response.start":
            self._status = message["status"]
        if not self._refusals <= self._seen | _seen.get() and 200 <= self._status < 300:
            raise GuardError(
                f"the app answered with {self._status} although its guard had refused the request",
                hint="await the guard in the endpoint itself, not in a task",
            )


# The refusals that were raised in this task, which may catch them on purpose. A task of its own would not tell anybody.
_seen: ContextVar[frozenset[object]] = ContextVar("zdemo_refusals", default=frozenset())
current_call: ContextVar[GuardedCall | None] = ContextVar("zdemo_call", default=None)


def call_of(connection: HTTPConnection) -> GuardedCall:
    """Return the call that a connection belongs to. Raises GuardError if its app is not protected."""
    if connection.scope["type"] != "http":
        raise GuardError(
            "requires_token cannot guard a websocket",
            hint="check the token in an HTTP route that the client calls first",
        )
    call = connection.scope.get(SCOPE_KEY)
    app = connection.scope.get("app")
    if not isinstance(call, GuardedCall) or call.app is not app:
        path = connection.scope.get("root_path")
        which = f"the app below {path}" if path else "this app"
        raise GuardError(
            f"protect(app) was not called for {which}",
            hint="call protect(app) once for each app, also for a mounted one",
        )
    return call
