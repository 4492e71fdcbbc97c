"""A form on its way to the app, which the guard searches for a second token (RFC 6750 §2)."""

from collections import deque

from anyio import move_on_after
from starlette.types import Message, Receive

from zdemo.guard.guard import LARGEST_FORM_BYTES

READ_SECONDS = 3.0  # a later form is not searched; waiting for it takes no thread


class Form:
    """What the app receives of a request; the guard may read the start of it first."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._for_app: deque[Message] = deque()
        self._start = bytearray()
        self._complete = False

    async def receive(self) -> Message:
        """Return the next message for the app."""
        return self._for_app.popleft() if self._for_app else await self._take()

    async def start(self) -> bytes:
        """Return the start of the form, and wait for it, but for no longer than ``READ_SECONDS``."""
        with move_on_after(READ_SECONDS):
            while not self._complete and len(self._start) < LARGEST_FORM_BYTES:
                self._for_app.append(await self._take())
        return bytes(self._start)

    async def _take(self) -> Message:
        message = await self._receive()
        self._start += message.get("body", b"")[: LARGEST_FORM_BYTES - len(self._start)]
        self._complete = not message.get("more_body", False)  # also when the client has left
        return message
