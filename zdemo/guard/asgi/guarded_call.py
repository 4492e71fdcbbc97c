"""One request to a protected app, or one websocket: what ZITADEL says about its token, for all guards that ask."""

import math
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass

from anyio import CapacityLimiter, move_on_after, to_thread
from anyio.lowlevel import RunVar
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope

from zdemo.guard.authorization import NO_ROLE, RequiredRoles, authorize, bearer_token, refuse_second_token
from zdemo.guard.build import LONGEST_WAIT_SECONDS, Limits
from zdemo.guard.cache import CachingIntrospector, too_many_waiting
from zdemo.guard.guard import LARGEST_FORM_BYTES, Guard
from zdemo.guard.instruments import Counters
from zdemo.zitadel.introspection_answer import Introspection, Introspector

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
        """Return the start of the form, after waiting for it for at most ``wait_seconds``."""
        with move_on_after(wait_seconds):
            while not self._complete and len(self._start) < LARGEST_FORM_BYTES:
                self._for_app.append(await self._take())
        return bytes(self._start)

    async def _take(self) -> Message:
        message = await self._receive()
        self._start += message.get("body", b"")[: LARGEST_FORM_BYTES - len(self._start)]
        self._complete = not message.get("more_body", False)  # also when the client has left
        return message


class IntrospectionPool:
    """Answers from the cache at once, and asks an introspector in threads, so that nothing blocks the event loop.

    They have the bulkhead's limit, not that of the threads in which frameworks run functions without ``async``.
    Requests over the limit wait on the event loop for a while, so that clients do not ask again at once.
    """

    def __init__(self, introspector: Introspector, *, threads: int) -> None:
        self._introspector = introspector
        self._cache = introspector if isinstance(introspector, CachingIntrospector) else None
        self.remembered = self._cache.remembered if self._cache else lambda _token: None
        self._counters = self._cache.counters if self._cache else Counters()
        self._limits = Limits.of(threads)
        self._slots: RunVar[dict[bool, CapacityLimiter]] = RunVar("zdemo_slots")  # one per event loop: tests have many

    async def introspect(self, token: str) -> Introspection:
        """Introspect a token. A request that is cancelled leaves at once; its thread ends by itself."""
        known = self._cache is not None and self._cache.is_known(token)
        slot, borrower = self._current_slots()[known], object()
        with move_on_after(LONGEST_WAIT_SECONDS) as waiting:
            await slot.acquire_on_behalf_of(borrower)
        if waiting.cancelled_caught:
            raise too_many_waiting(self._counters)
        try:
            if answer := self.remembered(token):  # it may have come meanwhile
                return answer
            return await to_thread.run_sync(  # the slot is its limit
                self._introspector.introspect, token, limiter=CapacityLimiter(math.inf), abandon_on_cancel=True
            )
        finally:
            slot.release_on_behalf_of(borrower)

    def _current_slots(self) -> dict[bool, CapacityLimiter]:
        """Return the slots by whether a token is known: two queues, so that known ones never wait for unknown ones."""
        slots = self._slots.get(None)
        if slots is None:
            admitted = self._limits.slots + self._limits.waiters  # one more would be refused at once
            slots = {True: CapacityLimiter(admitted), False: CapacityLimiter(admitted - self._limits.reserved_slots)}
            self._slots.set(slots)
        return slots


@dataclass(slots=True)
class GuardedCall:
    """A request to ``app``. ``looked`` tells whether its token was examined, admitted or not."""

    app: Starlette
    guard: Guard
    pool: IntrospectionPool
    credentials: list[bytes]  # each Authorization field
    form: Form | None
    looked: bool = False
    unawaited: int = 0  # guards on an open route that were called, and not awaited
    introspection: Introspection | None = None  # of a token that was admitted

    async def ask(self, scope: Scope, roles: RequiredRoles = NO_ROLE) -> Introspection:
        """Return what ZITADEL says about the token of the request, or raise why the request is refused."""
        self.looked, self.unawaited = True, max(0, self.unawaited - 1)  # the layer calls this without a guard
        fields = self.credentials  # joined, as WSGI servers do
        token = bearer_token(b",".join(fields).decode("latin-1") if fields else None)
        if scope["query_string"]:
            refuse_second_token(scope["query_string"])
        if self.form:
            refuse_second_token(await self.form.start(self.guard.form_seconds))
        introspection = self.pool.remembered(token) or await self.pool.introspect(token)
        authorize(introspection, self.guard.policy, now=self.guard.now(), roles=roles)
        self.introspection = introspection
        return introspection

    def recall(self, scope: Scope) -> Introspection | None:
        """Do as ``ask`` does, at once, if an answer about these bytes is fresh; ``None`` if it takes more than that.

        Only a well-formed token has an answer, so the field need not be read again. Each function that is not called
        saves 1 to 2 µs on a server, whose own work between requests drives the guard out of the processor's caches.
        """
        fields = self.credentials
        if len(fields) != 1 or not fields[0].startswith(b"Bearer ") or scope["query_string"] or self.form:
            return None
        introspection = self.pool.remembered(fields[0][len(b"Bearer ") :])
        if introspection:
            self.looked = True
            authorize(introspection, self.guard.policy, now=self.guard.now())
            self.introspection = introspection
        return introspection
