"""Teardown removes what ZITADEL proves to be setup's, and what others added to that only when it is asked to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.desk import CountingClient, Desk, KeptReport, MeanwhileClient
from tests.support.emulator_target import Api, Server
from tests.support.relay import relay
from tests.support.upstream import LOOPBACK, upstream
from tests.support.waiting import eventually
from tests.support.workshop import HUMAN, Workshop, later
from zdemo.emulator import ADMIN, emulate
from zdemo.errors import ZdemoError
from zdemo.http.response import Response
from zdemo.management.model import Auth
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.proof import DESCRIPTION
from zdemo.provisioning.state import ID_FIELDS, new_id
from zdemo.provisioning.teardown import tear_down

ROLE = "read:messages"


def refusal(desk: Desk, *, with_additions: bool = False) -> str:
    """Return the message of a teardown that stops before any change."""
    client = CountingClient(desk.target)
    before = desk.path.read_bytes(), desk.state
    with pytest.raises(ZdemoError) as refused:
        desk.tear_down(client, with_additions=with_additions)
    assert client.changes == []
    assert (desk.path.read_bytes(), desk.state) == before
    assert refused.value.message.endswith("nothing was removed")
    assert refused.value.hint
    return refused.value.message


# --- what ZITADEL does not prove to be setup's


def record(desk: Desk, **fields: Any) -> None:
    """Change the state file as a person would with an editor."""
    SetupFiles(desk.path).record(**fields)


def their_project(desk: Desk, workshop: Workshop) -> str:
    project = workshop.project(ROLE)
    record(desk, project_id=project.id)
    return f"project {project.name} ({project.id}): setup did not choose its ID"


def their_user(desk: Desk, workshop: Workshop) -> str:
    user = workshop.user(machine={"name": "theirs", "description": DESCRIPTION})
    record(desk, reader_id=user.id)
    return f"service user {user.username} ({user.id}): setup did not choose its ID"


def their_application(desk: Desk, workshop: Workshop) -> str:
    app = workshop.app(workshop.project())
    record(desk, application_id=app.id)
    return f"application {app.name} ({app.id}): it is not in the project that setup recorded"


def their_application_in_setups_project(desk: Desk, workshop: Workshop) -> str:
    app = workshop.admin.do(
        "ApplicationService/CreateApplication", projectId=desk.state.project_id, name="theirs", apiConfiguration={}
    )["applicationId"]
    record(desk, application_id=app)
    return f"application theirs ({app}): setup did not choose its ID"


def the_administrator(desk: Desk, _workshop: Workshop) -> str:
    admin = desk.plan().current.admin
    record(desk, visitor_id=admin.id)
    return f"service user {admin.login_name} ({admin.id}): ZITADEL_ADMIN_PAT is a token of this user"


def another_description(desk: Desk, _workshop: Workshop) -> str:
    desk.api.do("UserService/UpdateUser", userId=desk.state.reader_id, machine={"description": "ours now"})
    return f"{desk.options.reader_name} ({desk.state.reader_id}): its description is not created by zdemo setup"


def made_later(desk: Desk, workshop: Workshop) -> str:
    chosen = new_id(desk.state.seed, "project_id", lambda: time.time() - 3600)
    workshop.project(ROLE, projectId=chosen)
    record(desk, project_id=chosen)
    return f"({chosen}): it was created on 20"


def in_another_organization(desk: Desk, workshop: Workshop) -> str:
    chosen, organization = new_id(desk.state.seed, "project_id", time.time), workshop.organization()
    workshop.project(ROLE, organization=organization, projectId=chosen)
    record(desk, project_id=chosen)
    return f"({chosen}): it is in the organization {organization.id}, and setup created it in {workshop.home.id}"


def a_human(desk: Desk, workshop: Workshop) -> str:
    chosen, name = new_id(desk.state.seed, "reader_id", time.time), workshop.name("human")
    desk.api.do("UserService/CreateUser", organizationId=workshop.home.id, userId=chosen, username=name, human=HUMAN)
    workshop.remove_later("UserService/DeleteUser", userId=chosen)
    record(desk, reader_id=chosen)
    return f"service user {name} ({chosen}): it is a human"


Change = Callable[[Desk, Workshop], str]
UNPROVEN: list[Change] = [
    their_project,
    their_user,
    their_application,
    their_application_in_setups_project,
    the_administrator,
    another_description,
    made_later,
    in_another_organization,
    a_human,
]


@pytest.mark.parametrize("change", UNPROVEN, ids=lambda change: change.__name__)
def test_without_proof_nothing_is_removed_and_the_reason_is_said(
    desk: Desk, workshop: Workshop, change: Change
) -> None:
    desk.run()
    state = desk.state
    words = change(desk, workshop)
    eventually("it is listed", lambda: desk.plan_teardown().doubtful)
    for with_additions in (False, True):
        assert words in refusal(desk, with_additions=with_additions)
    record(desk, **{field: getattr(state, field) for field in ID_FIELDS})
    desk.api.do("UserService/UpdateUser", userId=state.reader_id, machine={"description": DESCRIPTION})


def test_the_user_of_the_administrators_pat_is_never_removed(desk: Desk, workshop: Workshop) -> None:
    """Also when setup created that user."""
    desk.run()
    state = desk.state
    workshop.make_administrator(state.reader_id, "ORG_OWNER", organizationId=workshop.home.id)
    own = replace(desk, target=(desk.target[0], desk.env["PAT"]))
    eventually("the role shows", lambda: own.plan_teardown().doubtful)
    assert f"({state.reader_id}): ZITADEL_ADMIN_PAT is a token of this user" in refusal(own, with_additions=True)
    with pytest.raises(ZdemoError) as refused:
        own.tear_down()
    assert refused.value.hint == "set ZITADEL_ADMIN_PAT to a PAT of another administrator"


def test_the_administrators_pat_is_never_removed(desk: Desk, workshop: Workshop) -> None:
    """Setup created it for a user of somebody else."""
    reader = workshop.administrator("ORG_OWNER")
    desk = desk.with_options(reader_name=reader.username)
    desk.run()
    own = replace(desk, target=(desk.target[0], desk.env["PAT"]))
    pat = desk.state.reader_pats[-1].id
    assert f"PAT of {reader.username} ({pat}): it is ZITADEL_ADMIN_PAT" in refusal(own, with_additions=True)


def test_the_pat_of_somebody_else_is_not_removed_by_its_id(desk: Desk, workshop: Workshop) -> None:
    reader = workshop.user()
    desk = desk.with_options(reader_name=reader.username)
    desk.run()
    assert reader.first_pat
    issued = desk.state.reader_pats
    record(desk, reader_pats=(*issued, replace(issued[-1], id=reader.first_pat.id, expires=issued[-1].expires + 1)))
    desk.tear_down()
    assert desk.pats(reader.id) == [reader.first_pat.id]


def test_the_assignment_of_somebody_else_is_not_removed_by_its_id(desk: Desk, workshop: Workshop) -> None:
    project, reader, other = workshop.project(ROLE), workshop.user(pat=False), workshop.user(pat=False)
    theirs = workshop.grant(other, project, ROLE)
    desk = desk.with_options(project_name=project.name, reader_name=reader.username)
    desk.run()
    own = desk.state
    record(desk, assignment_id=theirs, assignment_created=1)
    assert f"role for {other.username}: it was not created when setup" in refusal(desk, with_additions=True)
    record(desk, assignment_id=own.assignment_id, assignment_created=own.assignment_created)
    desk.tear_down()
    eventually("setup's own is gone", lambda: desk.holders(project.id) == [other.id])


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
def test_a_wrong_clock_of_this_machine_does_not_spoil_the_proof(tmp_path: Path, ahead: float) -> None:
    """Setup takes the time for IDs from the dates of ZITADEL's answers."""
    with (
        emulate() as zitadel,
        upstream(relay(zitadel.url, date_shift_seconds=ahead)) as dated,
        upstream(relay(zitadel.url)) as undated,
    ):
        zitadel.world.now = lambda: time.time() + ahead
        server = Server(zitadel.url)
        desk = Desk(
            target=(dated.url.replace(LOOPBACK, "localhost"), ADMIN.pat),
            path=tmp_path / ".env",
            options=SetupOptions(project_name="own"),
            api=Api(server, ADMIN.pat),
        )
        desk.run()
        desk.tear_down()
        desk.is_gone()
        desk = replace(desk, target=(undated.url.replace(LOOPBACK, "localhost"), ADMIN.pat))
        desk.run()
        assert "it was created on" in refusal(desk)
        server.close()


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
    return f"project grant to {other.name} ({other.id})"


def administrator(desk: Desk, workshop: Workshop) -> str:
    user = workshop.user(pat=False)
    workshop.make_administrator(user.id, "PROJECT_OWNER", projectId=desk.state.project_id)
    return f"administrator {user.username}: PROJECT_OWNER of the project {desk.options.project_name}"


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


def administrator_role(desk: Desk, workshop: Workshop) -> str:
    workshop.make_administrator(desk.state.reader_id, "ORG_OWNER", organizationId=workshop.home.id)
    return f"administrator {desk.options.reader_name}: ORG_OWNER of the organization {workshop.home.name}"


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
    administrator,
    pat,
    user_key,
    secret,
    role_elsewhere,
    administrator_role,
    application_key,
]


@pytest.mark.parametrize("add", ADDITIONS, ids=lambda add: add.__name__)
def test_what_others_added_is_named_and_removed_only_when_that_is_asked_for(
    desk: Desk, workshop: Workshop, add: Change
) -> None:
    desk.run(auth=Auth.KEY)
    assert desk.plan_teardown().additions == ()
    words = add(desk, workshop)
    eventually("it is listed", lambda: desk.plan_teardown().additions)
    assert words in refusal(desk)
    desk.tear_down(with_additions=True)
    desk.is_gone()


def test_in_the_project_of_somebody_else_their_own_things_are_not_asked_about(desk: Desk, workshop: Workshop) -> None:
    project = workshop.project(ROLE, "editor")
    workshop.app(project)
    workshop.grant(workshop.user(), project, "editor")
    desk = desk.with_options(project_name=project.name)
    desk.run()
    desk.tear_down()
    desk.with_options(project_name="none").is_gone()


def test_a_role_that_was_added_to_setups_assignment_is_not_removed_unasked(desk: Desk, workshop: Workshop) -> None:
    project, reader = workshop.project(ROLE, "editor"), workshop.user(pat=False)
    desk = desk.with_options(project_name=project.name, reader_name=reader.username)
    desk.run()
    change = {"id": desk.state.assignment_id, "roleKeys": [ROLE, "editor"]}
    desk.api.do("AuthorizationService/UpdateAuthorization", **change)
    eventually("it is listed", lambda: desk.plan_teardown().additions)
    assert f"role for {reader.username}: editor" in refusal(desk)


def test_what_zdemo_role_and_a_person_with_the_tokens_do_is_as_good_as_setups(desk: Desk, workshop: Workshop) -> None:
    """The guide says to try it."""
    desk.run()
    desk.api.do("AuthorizationService/DeleteAuthorization", id=desk.state.assignment_id)
    assign(desk, workshop, desk.state.visitor_id, desk.state.project_id, ROLE)
    assign(desk, workshop, desk.state.reader_id, desk.state.project_id, ROLE)
    expired = workshop.pat(desk.state.reader_id, later(seconds=0.5)).id
    eventually("the PAT has expired", lambda: not desk.plan_teardown().additions)
    assert expired in desk.pats(desk.state.reader_id)
    desk.tear_down()
    desk.is_gone()


# --- what the administrator cannot see


def test_what_is_hidden_from_the_administrator_is_said_and_stops_teardown(desk: Desk, workshop: Workshop) -> None:
    """An ORG_OWNER does not see what another organization made of a project grant."""
    owner = workshop.administrator("ORG_OWNER")
    desk = replace(desk, target=(desk.target[0], owner.pat))
    eventually("the role shows", desk.plan)
    desk.run()
    grant_to, guest = workshop.organization(), workshop.user(pat=False)
    ids = {"projectId": desk.state.project_id}
    desk.api.do("ProjectService/CreateProjectGrant", **ids, grantedOrganizationId=grant_to.id, roleKeys=[ROLE])
    ids |= {"userId": guest.id, "organizationId": grant_to.id}
    desk.api.do("AuthorizationService/CreateAuthorization", **ids, roleKeys=[ROLE])
    words = f"1 of the role assignments of the project {desk.options.project_name}"
    eventually("it is counted", lambda: words in desk.plan_teardown().unseen)
    desk.api.do("ProjectService/DeactivateProjectGrant", projectId=ids["projectId"], grantedOrganizationId=grant_to.id)
    refusal(desk)
    desk.tear_down(with_additions=True)
    desk.is_gone()


class RefusingClient(CountingClient):
    """Answers some methods itself, as ZITADEL does for lack of a right."""

    def __init__(self, target: tuple[str, str], *refused: str, message: str, status: int = 403) -> None:
        super().__init__(target)
        self._refused, self._body, self._status = refused, message, status

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Response:
        if path.rpartition("/")[2] not in self._refused:
            return super().request(method, path, body, token=token)
        headers = {"content-type": "application/json"}
        return Response(status=self._status, headers=headers, body=self._body.encode(), seconds=0, url=path)


LACKING: list[tuple[int, str]] = [
    (403, '{"code":"permission_denied","message":"No matching permissions found (AUTH-AWfge)"}'),
    (404, '{"code":"not_found","message":"membership not found (AUTHZ-cdgFk)"}'),
    (404, '{"code":5,"message":"Not Found"}'),
]


@pytest.mark.parametrize(("status", "message"), LACKING)
def test_a_list_that_zitadel_refuses_is_said_and_stops_teardown(desk: Desk, status: int, message: str) -> None:
    desk.run()
    refused = ("ListProjectGrants", "ListAdministrators")
    client = RefusingClient(desk.target, *refused, message=message, status=status)
    with pytest.raises(ZdemoError, match="this administrator cannot see") as stopped:
        desk.tear_down(client)
    assert client.changes == []
    for words in (
        f"administrator roles of {desk.options.reader_name}",
        f"project grants of the project {desk.options.project_name}",
    ):
        assert words in stopped.value.message
    desk.tear_down(client, with_additions=True)
    desk.is_gone()


# --- what others do in the meantime


@pytest.mark.parametrize("with_additions", [False, True])
def test_what_is_added_after_the_plan_was_shown_stops_teardown(
    desk: Desk, workshop: Workshop, with_additions: bool
) -> None:
    desk.run()
    if with_additions:
        role(desk, workshop)
        eventually("it is listed", lambda: desk.plan_teardown().additions)
    client = CountingClient(desk.target)
    shown, words = desk.plan_teardown(client), application(desk, workshop)
    eventually("it is listed", lambda: words in [f"{a.what} {a.name}" for a in desk.plan_teardown().additions])
    with pytest.raises(ZdemoError, match="has changed since it was shown") as stopped:
        tear_down(SetupFiles(desk.path), shown, KeptReport(), with_additions=with_additions)
    assert f"{words} is new; nothing was removed" in stopped.value.message
    assert client.changes == []


def test_what_is_added_during_a_teardown_ends_it_and_what_was_removed_is_said(desk: Desk) -> None:
    desk.run()
    reader = f"service user {desk.options.reader_name} ({desk.state.reader_id})"
    act = partial(another_description_of_visitor, desk.api, desk.state.visitor_id)
    client = MeanwhileClient(desk.target, "DeleteUser", act)
    with pytest.raises(ZdemoError, match="has changed since it was shown") as stopped:
        desk.tear_down(client)
    assert f"its description is not {DESCRIPTION}; removed before that: {reader}" in stopped.value.message
    assert client.changes == ["DeleteUser"]
    assert desk.users() == [desk.state.visitor_id]
    assert desk.projects() == [desk.state.project_id]
    desk.api.do("UserService/UpdateUser", userId=desk.state.visitor_id, machine={"description": DESCRIPTION})
    eventually("the next one completes it", lambda: not desk.plan_teardown().doubtful)
    desk.tear_down()
    desk.is_gone()


def another_description_of_visitor(api: Api, user_id: str) -> None:
    api.do("UserService/UpdateUser", userId=user_id, machine={"description": "ours now"})
    api.shown("UserService/GetUserByID", "user", userId=user_id)
