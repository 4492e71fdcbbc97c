"""What one request to the API asked ZITADEL, for those who watch it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from zdemo.errors import ConnectionFailed
from zdemo.http.response import Response


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One introspection: the response, or why there is none. Times are of ``time.perf_counter``.

    ``client_id`` is empty where a key authenticates the API application. ``secrets`` are what authenticates it.
    """

    began: float
    ended: float
    client_id: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    outcome: Response | ConnectionFailed = field(repr=False)


exchanges: ContextVar[list[Exchange] | None] = ContextVar("zdemo_exchanges", default=None)
"""The list of the current request, if somebody watches it."""
