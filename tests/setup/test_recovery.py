"""A run that was cut off, and objects that were deleted by hand: the next run completes and repairs everything."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.desk import CountingClient, Cut, Desk
from tests.support.waiting import eventually
from zdemo.zitadel.records import Auth

CHANGES = [
    *("CreateUser", "CreateUser", "CreateProject", "AddProjectRole", "CreateApplication", "CreateAuthorization"),
    *("AddPersonalAccessToken", "AddPersonalAccessToken"),
]
WITH_KEY = [*CHANGES[:5], "CreateApplicationKey"]


def cuts(calls: list[str], *before: int, often: tuple[int, ...], first: tuple[Any, ...] = ()) -> list[Any]:
    """Cut after each of the calls, whose answer is lost, and before some; all but ``often`` are thorough."""
    return [
        pytest.param(*first, number, cut, marks=[pytest.mark.thorough] * (cut or number not in often))
        for number in range(1, len(calls) + 1)
        for cut in ((True, False) if number in before else (False,))
    ]


@pytest.mark.parametrize(
    ("auth", "number", "before"),
    [
        *cuts(CHANGES, 1, 6, 8, often=(8,), first=(Auth.BASIC,)),
        *(pytest.param(Auth.KEY, 6, before, marks=pytest.mark.thorough) for before in (True, False)),
    ],
)
def test_a_run_that_was_cut_off_is_completed_by_the_next(desk: Desk, auth: Auth, number: int, before: bool) -> None:
    client = CountingClient(desk.target, number, before=before)
    with pytest.raises(Cut):
        desk.run(client, auth=auth)
    assert client.changes == (CHANGES if auth is Auth.BASIC else WITH_KEY)[:number]
    created = {*desk.projects(), *desk.users()}
    assert created <= desk.recorded, "an ID was not recorded before its object was created"
    assert not desk.run(auth=auth).rotation
    desk.is_complete()
    assert desk.keys(desk.state.application_id) == [key.id for key in desk.state.keys][-1:]
    assert created <= {*desk.projects(), *desk.users()}, "an object was created twice"


ROTATIONS: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({}, {"rotate_secret": True}, ["GenerateClientSecret"]),
    ({}, {"auth": Auth.KEY}, ["UpdateApplication", "CreateApplicationKey"]),
    (
        {"auth": Auth.KEY},
        {"auth": Auth.BASIC, "rotate_secret": True},
        ["UpdateApplication", "GenerateClientSecret", "DeleteApplicationKey"],
    ),
]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("first", "change", "number", "before"),
    [
        row
        for index, (first, change, calls) in enumerate(ROTATIONS)
        for row in cuts(calls, 1, often=(1,) if index == 1 else (), first=(first, change))
    ],
)
def test_a_change_of_credentials_that_was_cut_off_is_completed_without_asking_again(
    desk: Desk, first: dict[str, Any], change: dict[str, Any], number: int, before: bool
) -> None:
    desk.run(**first)
    with pytest.raises(Cut):
        desk.run(CountingClient(desk.target, number, before=before), **change)
    assert not desk.run(auth=change.get("auth")).rotation
    desk.is_complete()
    assert len(desk.keys(desk.state.application_id)) == ("ZITADEL_KEY_FILE" in desk.env)
    assert ("CLIENT_SECRET" in desk.env) != ("ZITADEL_KEY_FILE" in desk.env)


def project(desk: Desk) -> dict[str, str]:
    return {"projectId": desk.state.project_id}


def app(desk: Desk) -> dict[str, str]:
    return {**project(desk), "applicationId": desk.state.application_id}


REMOVE_PAT = "UserService/RemovePersonalAccessToken"
DELETIONS: dict[str, tuple[str, Callable[[Desk], dict[str, str]]]] = {
    "role": ("ProjectService/RemoveProjectRole", lambda d: {**project(d), "roleKey": d.options.role}),
    "application": ("ApplicationService/DeleteApplication", app),
    "reader": ("UserService/DeleteUser", lambda d: {"userId": d.state.reader_id}),
    "visitor": ("UserService/DeleteUser", lambda d: {"userId": d.state.visitor_id}),
    "assignment": ("AuthorizationService/DeleteAuthorization", lambda d: {"id": d.state.assignment_id}),
    "reader's PAT": (REMOVE_PAT, lambda d: {"userId": d.state.reader_id, "tokenId": d.state.reader_pats[-1].id}),
    "visitor's PAT": (REMOVE_PAT, lambda d: {"userId": d.state.visitor_id, "tokenId": d.state.visitor_pats[-1].id}),
    "key": ("ApplicationService/DeleteApplicationKey", lambda d: {**app(d), "keyId": d.state.keys[-1].id}),
    "project": ("ProjectService/DeleteProject", project),
}
ROWS: list[tuple[Auth, tuple[str, ...]]] = [
    (Auth.BASIC, ("role", "visitor's PAT", "application", "reader")),
    (Auth.KEY, ("key", "assignment", "reader's PAT", "visitor")),
    (Auth.BASIC, ("visitor", "project")),  # all else goes with a project
]


@pytest.mark.thorough
@pytest.mark.parametrize(("auth", "names"), ROWS)
def test_what_was_deleted_by_hand_is_created_again(desk: Desk, auth: Auth, names: tuple[str, ...]) -> None:
    desk.run(auth=auth)
    before = desk.state
    for name in names:
        method, ids = DELETIONS[name]
        desk.api.do(method, **ids(desk))
    assert "project" not in names or not eventually("the project is gone", desk.projects, lambda left: not left)
    plan = eventually("the deletion shows", desk.plan, lambda plan: plan.changes)
    assert not plan.rotation
    desk.run()
    desk.is_complete()
    assert (desk.state.project_id == before.project_id) == ("project" not in names)
    desk.tear_down()
    desk.is_gone()


REMOVALS = ["DeleteUser", "DeleteUser", "DeleteProject"]


@pytest.mark.parametrize(("number", "before"), cuts(REMOVALS, 1, often=(2,)))
def test_a_teardown_that_was_cut_off_is_completed_by_the_next(desk: Desk, number: int, before: bool) -> None:
    text = desk.path.read_text()
    desk.run()
    client = CountingClient(desk.target, number, before=before)
    with pytest.raises(Cut):
        desk.tear_down(client)
    assert client.changes == REMOVALS[:number]
    desk.tear_down()
    assert desk.path.read_text() == text
    desk.is_gone()


def test_a_first_run_that_was_cut_off_can_be_torn_down(desk: Desk) -> None:
    text = desk.path.read_text()
    with pytest.raises(Cut):
        desk.run(CountingClient(desk.target, 3))
    desk.tear_down()
    assert desk.path.read_text() == text
    desk.is_gone()
