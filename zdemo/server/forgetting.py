"""Orders to forget: carried out in all workers of this server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from zdemo.guard import new_request_id
from zdemo.introspection.forget import Forget
from zdemo.serving.bus import Bus

CONFIRM_SECONDS = 2.0  # a worker that starts takes half a second


class Forgetting:
    """Makes this worker and the others forget."""

    def __init__(self, forget: Callable[[Forget], int], bus: Bus) -> None:
        self._forget, self._bus = forget, bus
        self._counts: dict[str, list[int]] = {}  # of the other workers, by order
        self._counted = threading.Condition()
        bus.subscribe("forget", self._obey)
        bus.subscribe("forgotten", self._count)

    def everywhere(self, order: Forget) -> int | None:
        """Return how many answers all workers dropped, or ``None`` if one of them does not confirm it in time."""
        number = new_request_id()
        with self._counted:
            counts = self._counts[number] = []
        try:
            own = self._forget(order)
            self._bus.publish("forget", {**order.to_message(), "number": number})
            with self._counted:
                done = self._counted.wait_for(lambda: len(counts) >= self._bus.others, CONFIRM_SECONDS)
                return own + sum(counts) if done else None
        finally:
            with self._counted:
                del self._counts[number]

    def _obey(self, message: dict[str, Any]) -> None:
        number = message.pop("number", None)
        count = self._forget(Forget.from_message(message))
        self._bus.publish("forgotten", {"number": number, "count": count})

    def _count(self, message: dict[str, Any]) -> None:
        with self._counted:
            if message["number"] in self._counts:
                self._counts[message["number"]].append(message["count"])
                self._counted.notify_all()
