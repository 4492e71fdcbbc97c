"""Teardown removes what setup recorded, stops where there is more, and never reads again what it removed."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.desk import CountingClient, Cut, Desk
from tests.support.emulator_target import Server
from tests.support.waiting import eventually
from tests.support.workshop import Workshop, later
from tests.support.zitadel_api import Api
from zdemo.emulator import ADMIN, Emulator, World, known_start
from zdemo.errors import ZdemoError
from zdemo.serving.embedded import serving
from zdemo.setup.current import SetupOptions
from zdemo.zitadel.records import Auth

ROLE = "read:messages"


def assign(desk: Desk, workshop: Workshop, user_id: str, project_id: str, *roles: str) -> None:
    ids = {"userId": user_id, "projectId": project_id, "organizationId": workshop.home.id}
    desk.api.authorizations.CreateAuthorization(**ids, roleKeys=list(roles)).has()


def do(desk: Desk, method: str, **more: Any) -> None:
    """Call a method of ZITADEL about the project, the application or the reader."""
    ids = {"projectId": desk.state.project_id}
    ids |= {"applicationId": desk.state.application_id} if method.endswith("Key") else {}
    ids = {"userId": desk.state.reader_id} if method.startswith("User") else ids
    desk.api.do(method, **ids, **more)


SOON, GRANT = later(days=1), "ProjectService/CreateProjectGrant"
APPLICATION = "ApplicationService/CreateApplication"
ADDITIONS: list[tuple[str, Callable[[Desk, Workshop], object]]] = [
    ("role editor", lambda d, _: do(d, "ProjectService/AddProjectRole", roleKey="editor", displayName="E")),
    ("application shop (", lambda d, _: do(d, APPLICATION, name="shop", apiConfiguration={})),
    ("role for ", lambda d, w: assign(d, w, w.user(pat=False).id, d.state.project_id, ROLE)),
    ("role for {.visitor_name}: ", lambda d, w: assign(d, w, d.state.visitor_id, d.state.project_id, ROLE, "editor")),
    ("Project Grant to ", lambda d, w: do(d, GRANT, grantedOrganizationId=w.organization().id, roleKeys=[ROLE])),
    ("PAT of {.visitor_name} (", lambda d, w: w.pat(d.state.visitor_id)),
    ("key of {.reader_name} (", lambda d, _: do(d, "UserService/AddKey", expirationDate=SOON)),
    ("client secret {.reader_name}", lambda d, _: do(d, "UserService/AddSecret")),
    ("role for {.reader_name}: b in ", lambda d, w: assign(d, w, d.state.reader_id, w.project("b").id, "b")),
    ("key of {.app_name} (", lambda d, _: do(d, f"{APPLICATION}Key", expirationDate=SOON)),
]


def test_what_others_added_is_named_and_stops_teardown(desk: Desk, workshop: Workshop) -> None:
    desk.run(auth=Auth.KEY)
    desk.plan_teardown().check()
    for _, add in ADDITIONS:
        add(desk, workshop)
    eventually("each is listed", lambda: len(desk.plan_teardown().added_by_others) == len(ADDITIONS))
    with pytest.raises(ZdemoError) as refused:
        desk.plan_teardown().check()
    message = refused.value.message
    assert message.startswith("others added to what setup created: ")
    assert message.endswith("; nothing was removed")
    assert refused.value.hint
    assert [words for words, _ in ADDITIONS if words.format(desk.options) not in message] == []


def test_what_zdemo_role_does_is_as_good_as_setups(desk: Desk, workshop: Workshop) -> None:
    """The guide says to try it."""
    desk.run()
    desk.api.authorizations.DeleteAuthorization(id=desk.state.assignment_id).has()
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE)
    assign(desk, workshop, desk.state.reader_id, desk.state.project_id, ROLE)
    desk.plan_teardown().check()


READS = ("Get", "List")  # how the names of the methods that only read begin


@dataclass
class Lagging:
    """``methods`` are the names of those that were called since the latest ``freeze``, oldest first."""

    world: World = field(default_factory=lambda: known_start().world)
    methods: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._app = Emulator(self.world)
        self._reads = self._app

    def freeze(self) -> None:
        """From now on, reads show the state of now, whatever is written."""
        world = copy.copy(self.world)
        kept = {name: copy.deepcopy(value) for name, value in vars(world).items() if isinstance(value, dict | set)}
        vars(world).update(kept)
        self._reads = Emulator(world)
        self.methods.clear()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method = environ["PATH_INFO"].rpartition("/")[2]
        if environ["PATH_INFO"].startswith("/zitadel."):
            self.methods.append(method)
        return (self._reads if method.startswith(READS) else self._app)(environ, start)


@pytest.fixture
def slow_zitadel() -> Iterator[Lagging]:
    zitadel = Lagging()
    with serving(zitadel) as port:
        zitadel.url = f"http://localhost:{port}"
        yield zitadel


OWN = SetupOptions(project_name="own", auth=Auth.KEY)
OF_OTHERS = SetupOptions(project_name="zdemo", app_name="own-api", reader_name="reader", auth=Auth.KEY)  # both exist


@pytest.fixture(params=[pytest.param(OWN, marks=pytest.mark.thorough), OF_OTHERS], ids=["own", "somebody else's"])
def slow_desk(slow_zitadel: Lagging, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    server = Server(slow_zitadel.url)
    target, api = (slow_zitadel.url, ADMIN.pat), Api(server, ADMIN.pat)
    yield Desk(target=target, path=tmp_path / ".env", options=request.param, api=api)
    server.close()


def contents(zitadel: Lagging) -> set[str]:
    """Return the IDs of everything that setup creates, except for a role."""
    world = zitadel.world
    pats = [pat for user in world.users.values() for pat in user.pats]
    return {*world.users, *world.projects, *world.applications, *world.authorizations, *pats}


def test_nothing_is_read_again_after_the_first_removal(slow_zitadel: Lagging, slow_desk: Desk) -> None:
    before = contents(slow_zitadel)
    slow_desk.run()
    slow_zitadel.freeze()
    slow_desk.tear_down()
    assert contents(slow_zitadel) == before
    first = next(at for at, name in enumerate(slow_zitadel.methods) if not name.startswith(READS))
    assert not any(name.startswith(READS) for name in slow_zitadel.methods[first:])


@pytest.mark.thorough
@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.thorough), 3])
def test_a_next_run_that_is_shown_removed_objects_completes_the_teardown(
    slow_zitadel: Lagging, slow_desk: Desk, number: int
) -> None:
    before = contents(slow_zitadel)
    slow_desk.run()
    slow_zitadel.freeze()
    with pytest.raises(Cut):
        slow_desk.tear_down(CountingClient(slow_desk.target, number))
    slow_desk.plan_teardown().check()
    slow_desk.tear_down()
    assert (contents(slow_zitadel), slow_desk.env) == (before, {})


def test_what_is_not_shown_yet_is_removed(slow_zitadel: Lagging, slow_desk: Desk) -> None:
    before = contents(slow_zitadel)
    slow_zitadel.freeze()
    slow_desk.run()
    slow_desk.tear_down()
    assert (contents(slow_zitadel), slow_desk.env) == (before, {})
