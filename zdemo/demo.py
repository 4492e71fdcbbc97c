"""The tour: the API and an emulated ZITADEL on free ports, and what each kind of request gets, over real HTTP.

The tour is data: each leg is something that is done first, if anything, one request, what is expected of it, and one
sentence why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum

from zdemo.assignments import grant, revoke
from zdemo.client import call_api
from zdemo.config import ClientSettings, Settings
from zdemo.emulator import World, emulate, known_world
from zdemo.emulator.known import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR
from zdemo.route import Route
from zdemo.server import create_app
from zdemo.serving import serving
from zdemo.zitadel import USER_SERVICE, ManagementClient

TIMEOUT_SECONDS = 2.0
PATIENCE_SECONDS = 8.0  # how long a change may take to reach the API: the time of its cache, and some more
POLL_SECONDS = 0.05
ROLE = "read:messages"


class First(Enum):
    """What is done before a request is sent."""

    NOTHING = "nothing"
    REVOKE = "the role is taken from reader"
    GRANT = "the role is given back"
    DELETE = "reader's PAT is deleted"
    STOP = "ZITADEL is stopped"
    START = "ZITADEL is started again"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A step as it is planned. ``token`` is a name and the text to send."""

    name: str
    route: Route
    token: tuple[str, str | None]
    expected: int
    why: str
    first: First = First.NOTHING


NO_TOKEN = ("no token", None)
READERS = ("reader's PAT", READER.pat)
VISITORS = ("visitor's PAT", VISITOR.pat)
GARBAGE = ("garbage", "not-a-token-that-anyone-has-issued")

LEGS = (
    Leg(
        name="no token, public route",
        route=Route.PUBLIC,
        token=NO_TOKEN,
        expected=200,
        why="this route is open to anyone, and ZITADEL is not asked",
    ),
    Leg(
        name="no token, private route",
        route=Route.PRIVATE,
        token=NO_TOKEN,
        expected=401,
        why="a challenge, and no error code: nothing was presented (RFC 6750 3.1)",
    ),
    Leg(
        name="reader's PAT, private route",
        route=Route.PRIVATE,
        token=READERS,
        expected=200,
        why="ZITADEL says that the token is active; more is not asked for here",
    ),
    Leg(
        name="visitor's PAT, scoped route",
        route=Route.SCOPED,
        token=VISITORS,
        expected=401,
        why="insufficient_scope: the token is fine, the role read:messages is missing",
    ),
    Leg(
        name="reader's PAT, scoped route",
        route=Route.SCOPED,
        token=READERS,
        expected=200,
        why="the roles claim of ZITADEL's answer has read:messages",
    ),
    Leg(
        name="role taken from reader, scoped route",
        first=First.REVOKE,
        route=Route.SCOPED,
        token=READERS,
        expected=401,
        why="the same token, asked about anew: ZITADEL no longer lists the role",
    ),
    Leg(
        name="role given back, scoped route",
        first=First.GRANT,
        route=Route.SCOPED,
        token=READERS,
        expected=200,
        why="roles are in ZITADEL's answer, not in the token: no new one was needed",
    ),
    Leg(
        name="reader's PAT deleted, private route",
        first=First.DELETE,
        route=Route.PRIVATE,
        token=READERS,
        expected=401,
        why="invalid_token: a deleted PAT is inactive, and ZITADEL never says why",
    ),
    Leg(
        name="a token nobody issued, private route",
        route=Route.PRIVATE,
        token=GARBAGE,
        expected=401,
        why="the same answer: unknown and deleted look alike from outside",
    ),
    Leg(
        name="ZITADEL stopped, private route",
        first=First.STOP,
        route=Route.PRIVATE,
        token=VISITORS,
        expected=503,
        why="who cannot be checked is not let in; 503, as the token is not to blame",
    ),
    Leg(
        name="ZITADEL back, private route",
        first=First.START,
        route=Route.PRIVATE,
        token=VISITORS,
        expected=200,
        why="the API recovers by itself",
    ),
)


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


class Stage:
    """The API and ZITADEL while the tour runs."""

    def __init__(self, world: World, emulator: ExitStack, zitadel_url: str, api_url: str) -> None:
        self.zitadel_url = zitadel_url
        self.api_url = api_url
        self._world = world
        self._emulator = emulator
        self._client = ClientSettings(api_url=api_url, timeout_seconds=TIMEOUT_SECONDS * 2)
        self._management = ManagementClient(zitadel_url, ADMIN.pat, timeout_seconds=TIMEOUT_SECONDS)

    def steps(self) -> Iterator[Step]:
        """The tour, step by step; each is done when it is asked for."""
        for leg in LEGS:
            self._do(leg.first)
            yield self._step(leg)

    def _do(self, first: First) -> None:
        if first is First.REVOKE:
            revoke(self._management, PROJECT_ID, READER.username, ROLE)
        elif first is First.GRANT:
            grant(self._management, PROJECT_ID, READER.username, ROLE)
        elif first is First.DELETE:
            body = {"userId": READER.id, "tokenId": READER.token_id}
            self._management.call(USER_SERVICE, "RemovePersonalAccessToken", body)
        elif first is First.STOP:
            self._emulator.close()
        elif first is First.START:
            port = int(self.zitadel_url.rsplit(":", 1)[1])
            self._emulator.enter_context(emulate(self._world, port=port))

    def _step(self, leg: Leg) -> Step:
        """Send the request; after a change again and again until the expected answer comes, or patience ends."""
        start = time.monotonic()
        while True:
            status = call_api(self._client, leg.route, leg.token[1]).answer.status
            waited = time.monotonic() - start
            if status == leg.expected or leg.first is First.NOTHING or waited > PATIENCE_SECONDS:
                return Step(leg=leg, actual=status, seconds=None if leg.first is First.NOTHING else waited)
            time.sleep(POLL_SECONDS)


@contextmanager
def tour() -> Iterator[Stage]:
    """The stage of the tour: an emulated ZITADEL with its known world, and the API in front of it."""
    world = known_world()
    with ExitStack() as stack:
        emulator = stack.enter_context(ExitStack())
        running = emulator.enter_context(emulate(world))
        settings = Settings(
            issuer=running.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=TIMEOUT_SECONDS
        )
        port = stack.enter_context(serving(create_app(settings)))
        yield Stage(world, emulator, running.url, f"http://127.0.0.1:{port}")
