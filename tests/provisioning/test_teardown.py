"""Teardown removes what setup recorded, stops where there is more, and never reads again what it removed."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.desk import CountingClient, Cut, Desk
from tests.support.emulator_target import Api, Server
from tests.support.lagging import READS, Lagging, lagging
from tests.support.waiting import eventually
from tests.support.workshop import Workshop, later
from zdemo.emulator import ADMIN
from zdemo.errors import ManagementError, ZdemoError
from zdemo.http.response import Response
from zdemo.management.model import Auth
from zdemo.provisioning.options import SetupOptions

ROLE = "read:messages"
Change = Callable[[Desk, Workshop], str]


def refusal(desk: Desk) -> str:
    """Return the message of a plan that may not be carried out."""
    with pytest.raises(ZdemoError) as refused:
        desk.plan_teardown().check()
    assert refused.value.message.startswith("others added to what setup created: ")
    assert refused.value.message.endswith("; nothing was removed")
    assert refused.value.hint
    return refused.value.message


# --- what others added


def role(desk: Desk, _workshop: Workshop) -> str:
    desk.api.do("ProjectService/AddProjectRole", projectId=desk.state.project_id, roleKey="editor", displayName="E")
    return "role editor"


def application(desk: Desk, _workshop: Workshop) -> str:
    ids = {"projectId": desk.state.project_id}
    made = desk.api.do("ApplicationService/CreateApplication", **ids, name="shop", apiConfiguration={})
    return f"application shop ({made['applicationId']})"


def assign(desk: Desk, workshop: Workshop, user_id: str, project_id: str, *roles: str) -> None:
    ids = {"userId": user_id, "projectId": project_id, "organizationId": workshop.home.id}
    desk.api.do("AuthorizationService/CreateAuthorization", **ids, roleKeys=list(roles))


def assignment(desk: Desk, workshop: Workshop) -> str:
    user = workshop.user(pat=False)
    assign(desk, workshop, user.id, desk.state.project_id, ROLE)
    return f"role for {user.username}: {ROLE}"


def more_roles(desk: Desk, workshop: Workshop) -> str:
    role(desk, workshop)
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE, "editor")
    return f"role for {desk.options.visitor_name}: "


def project_grant(desk: Desk, workshop: Workshop) -> str:
    other = workshop.organization()
    ids = {"projectId": desk.state.project_id, "grantedOrganizationId": other.id}
    desk.api.do("ProjectService/CreateProjectGrant", **ids, roleKeys=[ROLE])
    return f"Project Grant to {other.name} ({other.id})"


def pat(desk: Desk, workshop: Workshop) -> str:
    return f"PAT of {desk.options.visitor_name} ({workshop.pat(desk.state.visitor_id).id})"


def user_key(desk: Desk, _workshop: Workshop) -> str:
    made = desk.api.do("UserService/AddKey", userId=desk.state.reader_id, expirationDate=later(days=1))["keyId"]
    return f"key of {desk.options.reader_name} ({made})"


def secret(desk: Desk, _workshop: Workshop) -> str:
    desk.api.do("UserService/AddSecret", userId=desk.state.reader_id)
    return f"client secret {desk.options.reader_name}"


def role_elsewhere(desk: Desk, workshop: Workshop) -> str:
    project = workshop.project("buyer")
    assign(desk, workshop, desk.state.reader_id, project.id, "buyer")
    return f"role for {desk.options.reader_name}: buyer in {project.name}"


def application_key(desk: Desk, _workshop: Workshop) -> str:
    ids = {"projectId": desk.state.project_id, "applicationId": desk.state.application_id}
    made = desk.api.do("ApplicationService/CreateApplicationKey", **ids, expirationDate=later(days=1))["keyId"]
    return f"key of {desk.options.app_name} ({made})"


ADDITIONS: list[Change] = [
    role,
    application,
    assignment,
    more_roles,
    project_grant,
    pat,
    user_key,
    secret,
    role_elsewhere,
    application_key,
]


@pytest.mark.parametrize("add", ADDITIONS, ids=lambda add: add.__name__)
def test_what_others_added_is_named_and_stops_teardown(desk: Desk, workshop: Workshop, add: Change) -> None:
    desk.run(auth=Auth.KEY)
    desk.plan_teardown().check()
    words = add(desk, workshop)
    eventually("it is listed", lambda: desk.plan_teardown().added_by_others)
    assert words in refusal(desk)


def test_in_the_project_of_somebody_else_their_own_things_are_not_asked_about(desk: Desk, workshop: Workshop) -> None:
    project = workshop.project(ROLE, "editor")
    workshop.app(project)
    workshop.grant(workshop.user(), project, "editor")
    desk = desk.with_options(project_name=project.name)
    desk.run()
    desk.plan_teardown().check()


def test_a_role_that_was_added_to_setups_assignment_is_not_removed_unasked(desk: Desk, workshop: Workshop) -> None:
    project, reader = workshop.project(ROLE, "editor"), workshop.user(pat=False)
    desk = desk.with_options(project_name=project.name, reader_name=reader.username)
    desk.run()
    change = {"id": desk.state.assignment_id, "roleKeys": [ROLE, "editor"]}
    desk.api.do("AuthorizationService/UpdateAuthorization", **change)
    eventually("it is listed", lambda: desk.plan_teardown().added_by_others)
    assert f"role for {reader.username}: " in refusal(desk)


def test_what_zdemo_role_does_is_as_good_as_setups(desk: Desk, workshop: Workshop) -> None:
    """The guide says to try it."""
    desk.run()
    desk.api.do("AuthorizationService/DeleteAuthorization", id=desk.state.assignment_id)
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE)
    assign(desk, workshop, desk.state.reader_id, desk.state.project_id, ROLE)
    desk.plan_teardown().check()


class RefusingClient(CountingClient):
    """Answers one method itself, as ZITADEL does for lack of a right."""

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Response:
        if not path.endswith("/ListProjectGrants"):
            return super().request(method, path, body, token=token)
        refused = b'{"code":"permission_denied","message":"No matching permissions found (AUTH-AWfge)"}'
        return Response(status=403, headers={"content-type": "application/json"}, body=refused, seconds=0, url=path)


def test_a_list_that_the_administrator_may_not_see_stops_teardown(desk: Desk) -> None:
    desk.run()
    client = RefusingClient(desk.target)
    with pytest.raises(ManagementError, match="is too small"):
        desk.tear_down(client)
    assert client.changes == []


# --- reads that trail writes


@pytest.fixture
def slow_zitadel() -> Iterator[Lagging]:
    with lagging() as zitadel:
        yield zitadel


@pytest.fixture(params=["own", "zdemo"], ids=["own project", "somebody else's project"])
def slow_desk(slow_zitadel: Lagging, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """A desk at it; in the project that exists, the reader is one that exists, too."""
    server = Server(slow_zitadel.url)
    options = SetupOptions(project_name=request.param, app_name="own-api", reader_name="reader", auth=Auth.KEY)
    if request.param == "own":
        options = SetupOptions(project_name="own", auth=Auth.KEY)
    yield Desk(
        target=(slow_zitadel.url, ADMIN.pat),
        path=tmp_path / ".env",
        options=options,
        api=Api(server, ADMIN.pat),
    )
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


@pytest.mark.parametrize("number", [1, 2, 3])
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
