"""What one request to the API asked ZITADEL, for those who watch it."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from zdemo.errors import ConnectionFailed, IntrospectionError, Refused
from zdemo.http.response import Response
from zdemo.introspection.model import Introspection


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


class Watched(Protocol):
    """What is noted of a request: what it asked, the cached answer that was too old, why it was refused or failed."""

    exchanges: list[Exchange]
    too_old: Introspection | None
    error: Refused | IntrospectionError | None


watched: ContextVar[Watched | None] = ContextVar("zdemo_watched", default=None)
"""The current request, if somebody watches it."""
