"""Teardown removes what setup recorded, stops where there is more, and never reads again what it removed."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.desk import CountingClient, Cut, Desk
from tests.support.emulator_target import Api, Server
from tests.support.waiting import eventually
from tests.support.workshop import Workshop, later
from zdemo.emulator import ADMIN, World, create_app, known_world
from zdemo.errors import ZdemoError
from zdemo.serving.embedded import serving
from zdemo.setup.current import SetupOptions
from zdemo.zitadel.records import Auth

ROLE = "read:messages"
Change = Callable[[Desk, Workshop], object]


def refusal(desk: Desk) -> str:
    """Return the message of a plan that may not be carried out."""
    with pytest.raises(ZdemoError) as refused:
        desk.plan_teardown().check()
    assert refused.value.message.startswith("others added to what setup created: ")
    assert refused.value.message.endswith("; nothing was removed")
    assert refused.value.hint
    return refused.value.message


# --- what others added


def assign(desk: Desk, workshop: Workshop, user_id: str, project_id: str, *roles: str) -> None:
    ids = {"userId": user_id, "projectId": project_id, "organizationId": workshop.home.id}
    desk.api.do("AuthorizationService/CreateAuthorization", **ids, roleKeys=list(roles))


def add_editor(desk: Desk, _workshop: Workshop) -> None:
    desk.api.do("ProjectService/AddProjectRole", projectId=desk.state.project_id, roleKey="editor", displayName="E")


def more_roles(desk: Desk, workshop: Workshop) -> None:
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE, "editor")


def project_grant(desk: Desk, workshop: Workshop) -> None:
    ids = {"projectId": desk.state.project_id, "grantedOrganizationId": workshop.organization().id}
    desk.api.do("ProjectService/CreateProjectGrant", **ids, roleKeys=[ROLE])


def application(desk: Desk, _workshop: Workshop) -> None:
    ids = {"projectId": desk.state.project_id}
    desk.api.do("ApplicationService/CreateApplication", **ids, name="shop", apiConfiguration={})


def application_key(desk: Desk, _workshop: Workshop) -> None:
    ids = {"projectId": desk.state.project_id, "applicationId": desk.state.application_id}
    desk.api.do("ApplicationService/CreateApplicationKey", **ids, expirationDate=later(days=1))


def user_key(desk: Desk, _workshop: Workshop) -> None:
    desk.api.do("UserService/AddKey", userId=desk.state.reader_id, expirationDate=later(days=1))


ADDITIONS: list[tuple[str, Change]] = [
    ("role editor", add_editor),
    ("application shop (", application),
    ("role for ", lambda desk, w: assign(desk, w, w.user(pat=False).id, desk.state.project_id, ROLE)),
    ("role for {.visitor_name}: ", more_roles),
    ("Project Grant to ", project_grant),
    ("PAT of {.visitor_name} (", lambda desk, w: w.pat(desk.state.visitor_id)),
    ("key of {.reader_name} (", user_key),
    ("client secret {.reader_name}", lambda d, _: d.api.do("UserService/AddSecret", userId=d.state.reader_id)),
    (
        "role for {.reader_name}: buyer in ",
        lambda d, w: assign(d, w, d.state.reader_id, w.project("buyer").id, "buyer"),
    ),
    ("key of {.app_name} (", application_key),
]


def test_what_others_added_is_named_and_stops_teardown(desk: Desk, workshop: Workshop) -> None:
    desk.run(auth=Auth.KEY)
    desk.plan_teardown().check()
    for _, add in ADDITIONS:
        add(desk, workshop)
    eventually("each is listed", lambda: len(desk.plan_teardown().added_by_others) == len(ADDITIONS))
    said = refusal(desk)
    assert [words for words, _ in ADDITIONS if words.format(desk.options) not in said] == []


def test_in_the_project_of_somebody_else_their_own_things_are_not_asked_about(desk: Desk, workshop: Workshop) -> None:
    project = workshop.project(ROLE, "editor")
    workshop.app(project)
    workshop.grant(workshop.user(), project, "editor")
    desk = desk.with_options(project_name=project.name)
    desk.run()
    desk.plan_teardown().check()


def test_what_zdemo_role_does_is_as_good_as_setups(desk: Desk, workshop: Workshop) -> None:
    """The guide says to try it."""
    desk.run()
    desk.api.do("AuthorizationService/DeleteAuthorization", id=desk.state.assignment_id)
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE)
    assign(desk, workshop, desk.state.reader_id, desk.state.project_id, ROLE)
    desk.plan_teardown().check()


# --- reads that trail writes


READS = ("Get", "List")  # how the names of the methods that only read begin


@dataclass
class Lagging:
    """``methods`` are the names of those that were called since the latest ``freeze``, oldest first."""

    world: World = field(default_factory=known_world)
    methods: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._app = create_app(self.world)
        self._reads = self._app

    def freeze(self) -> None:
        """From now on, reads show the state of now, whatever is written."""
        world = copy.copy(self.world)
        kept = {name: copy.deepcopy(value) for name, value in vars(world).items() if isinstance(value, dict | set)}
        vars(world).update(kept)
        self._reads = create_app(world)
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


@pytest.fixture(params=[OWN, OF_OTHERS], ids=["own project", "somebody else's project"])
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
