"""One request to a protected app, or one websocket: what ZITADEL says about its token, for all guards that ask."""

from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

from anyio import move_on_after
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope

from zdemo.guard.asgi.pool import IntrospectionPool
from zdemo.guard.authorization import RequiredRoles, authorize, bearer_token, refuse_second_token
from zdemo.guard.guard import LARGEST_FORM_BYTES, Guard, new_request_id
from zdemo.zitadel.introspection_answer import Introspection

SCOPE_KEY = "zdemo"
in_request: ContextVar[bool] = ContextVar("zdemo_in_request", default=False)


class Form:
    """What the app receives of a request; the guard reads the start of it first, for a second token (RFC 6750 §2)."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._for_app: deque[Message] = deque()
        self._start = bytearray()
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message for the app."""
        return self._for_app.popleft() if self._for_app else await self._take()

    async def start(self, wait_seconds: float) -> bytes:
        """Return the start of the form, and wait for it, but for no longer than ``wait_seconds``."""
        with move_on_after(wait_seconds):
            while not self._complete and len(self._start) < LARGEST_FORM_BYTES:
                self._for_app.append(await self._take())
        return bytes(self._start)

    async def _take(self) -> Message:
        message = await self._receive()
        self._start += message.get("body", b"")[: LARGEST_FORM_BYTES - len(self._start)]
        self._complete = not message.get("more_body", False)  # also when the client has left
        return message


@dataclass
class GuardedCall:
    """A request to ``app``. ``looked`` tells whether its token was looked at, whatever came of that."""

    app: Starlette
    guard: Guard
    pool: IntrospectionPool
    form: Form | None
    looked: bool = False
    introspection: Introspection | None = None  # of a token that was admitted

    @cached_property
    def request_id(self) -> str:
        """The ID of this request, which only a refusal needs."""
        return new_request_id()

    async def ask(self, scope: Scope) -> Introspection:
        """Return what ZITADEL says about the token of the request, or raise why the request is refused."""
        self.looked = True
        fields = [value for name, value in scope["headers"] if name == b"authorization"]  # joined, as WSGI servers do
        token = bearer_token(b",".join(fields).decode("latin-1") if fields else None)
        if scope["query_string"]:
            refuse_second_token(scope["query_string"])
        if self.form:
            refuse_second_token(await self.form.start(self.guard.form_seconds))
        introspection = await self.pool.introspect(token)
        authorize(introspection, self.guard.policy, now=self.guard.now())
        self.introspection = introspection
        return introspection

    def require(self, roles: RequiredRoles, introspection: Introspection) -> Introspection:
        """Return what ZITADEL says about the token of an admitted request, or raise Refused."""
        authorize(introspection, self.guard.policy, now=self.guard.now(), roles=roles)
        return introspection
