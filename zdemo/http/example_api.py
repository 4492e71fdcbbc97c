"""The contract of the example API: its routes, the role that one of them requires, and its other paths.

``server/`` serves it, everything else calls it. It stands in ``http/``, below both.
"""

import re
from enum import StrEnum

ROLE = "read:messages"  # what the scoped route requires, and what setup and demo grant
PAGE_PATH = "/-/"  # of the page of zdemo serve, to which / leads
PAGE_TITLE = "<title>zdemo</title>"
FORGET_PATH = "/-/forget"
IDENTITY_PATH = "/-/identity"
FORWARD_AUTH_PATHS = {"/auth/-": None, f"/auth/role/{ROLE}/-": ROLE}  # of zdemo serve --forward-auth; their roles
PROXIES_ONLY = "the path must be /auth/-, or /auth/role/ROLE/- with /role/ROLE for each role"  # what it says of others
PUBLIC_ANSWER = {"message": "Public route - You don't need to be authenticated to see this."}  # as ZITADEL's examples
STORE_ERROR = "store_unconfirmed"  # the API forgot, and the store did not take the order


class Route(StrEnum):
    """The routes of the example API, by their names on the command line."""

    PUBLIC = "public"
    PRIVATE = "private"
    SCOPED = "scoped"

    @property
    def path(self) -> str:
        """The path below the API's address."""
        return {"public": "/api/public", "private": "/api/private", "scoped": "/api/private-scoped"}[self.value]

    @property
    def role(self) -> str | None:
        """The role that the route requires, if any."""
        return ROLE if self is Route.SCOPED else None


def named_route(text: str) -> Route | None:
    """Return the route that a text names with no other words, such as ``api/private_scoped``."""
    is_route = re.fullmatch(rf"(?i)(api|routes?|{'|'.join(Route)}|[\W_])+", text)
    return next((route for route in reversed(Route) if is_route and route in text.lower()), None)
