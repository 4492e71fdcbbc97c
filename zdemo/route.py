"""The routes of the API, as client and commands know them.

A module of its own, and a small one, because the command line is parsed by it: nothing heavy may hang on it.
"""

from __future__ import annotations

from enum import StrEnum


class Route(StrEnum):
    """The routes of the API, by the name that the command line gives them."""

    PUBLIC = "public"
    PRIVATE = "private"
    SCOPED = "scoped"

    @property
    def path(self) -> str:
        """The path below the API's address."""
        return {"public": "/api/public", "private": "/api/private", "scoped": "/api/private-scoped"}[self.value]

    @property
    def role(self) -> str | None:
        """The role that the route demands, if any."""
        return "read:messages" if self is Route.SCOPED else None
