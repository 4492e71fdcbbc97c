"""The tour as data: each leg is something that is done first, if anything, one request, and what is expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from zdemo.client import Route


class First(Enum):
    """What is done before a request is sent."""

    NOTHING = "nothing"
    REVOKE = "the role is taken from reader"
    GRANT = "the role is given back"
    DELETE = "reader's PAT is deleted"
    LOSE = "ZITADEL is taken from the API"
    REGAIN = "the API has ZITADEL again"


class Caller(Enum):
    """Whose token is sent."""

    NOBODY = "no token"
    READER = "reader's PAT"
    VISITOR = "visitor's PAT"
    STRANGER = "garbage"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A step as it is planned; ``why`` is one sentence about what is expected."""

    name: str
    route: Route
    caller: Caller
    expected: int
    why: str
    first: First = First.NOTHING


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step as it went. ``seconds`` is how long the expected answer took to come, where it was waited for."""

    leg: Leg
    actual: int
    seconds: float | None

    @property
    def passed(self) -> bool:
        """Whether what came is what was expected."""
        return self.actual == self.leg.expected


TO_THE_OUTAGE = (
    Leg(
        name="no token, public route",
        route=Route.PUBLIC,
        caller=Caller.NOBODY,
        expected=200,
        why="this route is open to anyone, and ZITADEL is not asked",
    ),
    Leg(
        name="no token, private route",
        route=Route.PRIVATE,
        caller=Caller.NOBODY,
        expected=401,
        why="a challenge, and no error code: nothing was presented (RFC 6750 3.1)",
    ),
    Leg(
        name="reader's PAT, private route",
        route=Route.PRIVATE,
        caller=Caller.READER,
        expected=200,
        why="ZITADEL says that the token is active; more is not asked for here",
    ),
    Leg(
        name="visitor's PAT, scoped route",
        route=Route.SCOPED,
        caller=Caller.VISITOR,
        expected=401,
        why="insufficient_scope: the token is fine, the role read:messages is missing",
    ),
    Leg(
        name="reader's PAT, scoped route",
        route=Route.SCOPED,
        caller=Caller.READER,
        expected=200,
        why="the roles claim of ZITADEL's answer has read:messages",
    ),
    Leg(
        name="role taken from reader, scoped route",
        first=First.REVOKE,
        route=Route.SCOPED,
        caller=Caller.READER,
        expected=401,
        why="the API may reuse an answer for 1 s here (5 s by default), not longer",
    ),
    Leg(
        name="role given back, scoped route",
        first=First.GRANT,
        route=Route.SCOPED,
        caller=Caller.READER,
        expected=200,
        why="roles are in ZITADEL's answer, not in the token: no new one was needed",
    ),
    Leg(
        name="reader's PAT deleted, private route",
        first=First.DELETE,
        route=Route.PRIVATE,
        caller=Caller.READER,
        expected=401,
        why="invalid_token: a deleted PAT is inactive, and ZITADEL never says why",
    ),
    Leg(
        name="a token nobody issued, private route",
        route=Route.PRIVATE,
        caller=Caller.STRANGER,
        expected=401,
        why="the same answer: unknown and deleted look alike from outside",
    ),
)


def _outage(lost: str, why_lost: str, regained: str, why_regained: str) -> tuple[Leg, Leg]:
    return (
        Leg(
            name=f"{lost}, private route",
            first=First.LOSE,
            route=Route.PRIVATE,
            caller=Caller.VISITOR,
            expected=503,
            why=why_lost,
        ),
        Leg(
            name=f"{regained}, private route",
            first=First.REGAIN,
            route=Route.PRIVATE,
            caller=Caller.VISITOR,
            expected=200,
            why=why_regained,
        ),
    )


EMULATED_LEGS = TO_THE_OUTAGE + _outage(
    "ZITADEL stopped",
    "who cannot be checked is not let in; 503, as the token is not to blame",
    "ZITADEL back",
    "the API recovers by itself",
)

LIVE_LEGS = TO_THE_OUTAGE + _outage(
    "ZITADEL out of reach",
    "yours runs on: the API was led to a closed port, and lets nobody in",
    "ZITADEL in reach again",
    "the API was led back, and recovers by itself",
)
