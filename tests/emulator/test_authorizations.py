"""Authorizations, that is: role assignments, in the v2 API."""

from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Api
from tests.support.oauth import OAuth
from tests.support.waiting import eventually
from tests.support.workshop import Project, User, Workshop

LIST = "AuthorizationService/ListAuthorizations"
NONE = {"pagination": {"appliedLimit": "100"}}


@pytest.fixture
def own(workshop: Workshop, project: Project) -> tuple[User, str]:
    """A user of one test and the ID of the user's authorization for ``read:messages``."""
    user = workshop.user(pat=False)
    return user, workshop.grant(user, project, "read:messages")


def row(admin: Api, authorization: str) -> dict[str, Any]:
    """The authorization as the list shows it, once it does."""
    filters = [{"authorizationIds": {"ids": [authorization]}}]
    return eventually("it is listed", lambda: admin.rows(LIST, filters=filters))[0]


def keys(authorization: dict[str, Any]) -> set[str]:
    return {role["key"] for role in authorization.get("roles", [])}


def test_a_row_names_project_organization_and_user(oauth: OAuth, project: Project, own: tuple[User, str]) -> None:
    user, authorization = own
    login_name = oauth.login_name(user)
    found = row(oauth.admin, authorization)
    shown_user = found.pop("user")
    shown_user.pop("displayName", None)
    assert shown_user == {"id": user.id, "preferredLoginName": login_name, "organizationId": project.organization.id}
    assert found.pop("creationDate")
    assert found.pop("changeDate")
    assert found == {
        "id": authorization,
        "project": {"id": project.id, "name": project.name, "organizationId": project.organization.id},
        "organization": {"id": project.organization.id, "name": project.organization.name},
        "state": "STATE_ACTIVE",
        "roles": [{"key": "read:messages", "displayName": "Role read:messages"}],
    }


def test_an_authorization_without_roles_shows_none(admin: Api, workshop: Workshop, project: Project) -> None:
    names = {"userId": workshop.user(pat=False).id, "projectId": project.id, "organizationId": project.organization.id}
    made = admin.do("AuthorizationService/CreateAuthorization", **names, roleKeys=[])
    assert set(made) == {"id", "creationDate"}
    assert "roles" not in row(admin, made["id"])


def test_an_update_replaces_all_roles_and_the_same_again_is_no_fault(admin: Api, own: tuple[User, str]) -> None:
    for _ in range(2):
        changed = admin.do("AuthorizationService/UpdateAuthorization", id=own[1], roleKeys=["admin"])
        assert set(changed) == {"changeDate"}
    eventually("the role shows", lambda: keys(row(admin, own[1])) == {"admin"})


def test_an_update_without_roles_empties_it(admin: Api, own: tuple[User, str]) -> None:
    admin.do("AuthorizationService/UpdateAuthorization", id=own[1], roleKeys=[])
    found = eventually("the roles are gone", lambda: row(admin, own[1]), lambda found: not keys(found))
    assert found["state"] == "STATE_ACTIVE"


def test_an_update_works_while_it_is_inactive(admin: Api, own: tuple[User, str]) -> None:
    admin.do("AuthorizationService/DeactivateAuthorization", id=own[1])
    admin.do("AuthorizationService/UpdateAuthorization", id=own[1], roleKeys=["admin"])
    found = eventually("the role shows", lambda: row(admin, own[1]), lambda found: keys(found) == {"admin"})
    assert found["state"] == "STATE_INACTIVE"


@pytest.mark.parametrize(("changes", "state"), [(["Deactivate"], "INACTIVE"), (["Deactivate", "Activate"], "ACTIVE")])
def test_deactivating_and_activating_twice_is_no_fault(
    admin: Api, own: tuple[User, str], changes: list[str], state: str
) -> None:
    for change in changes:
        for _ in range(2):
            changed = admin.do(f"AuthorizationService/{change}Authorization", id=own[1])
            assert set(changed) == {"changeDate"}
    eventually(f"the state is {state}", lambda: row(admin, own[1])["state"] == f"STATE_{state}")


def test_deleting_again_answers_with_the_old_date(admin: Api, own: tuple[User, str]) -> None:
    first = admin.do("AuthorizationService/DeleteAuthorization", id=own[1])
    assert set(first) == {"deletionDate"}
    assert admin.do("AuthorizationService/DeleteAuthorization", id=own[1]) == first


def test_removing_the_last_role_leaves_an_active_authorization_without_roles(admin: Api, workshop: Workshop) -> None:
    project = workshop.project("r")
    authorization = workshop.grant(workshop.user(pat=False), project, "r")
    eventually("the role shows", lambda: keys(row(admin, authorization)) == {"r"})
    admin.do("ProjectService/RemoveProjectRole", projectId=project.id, roleKey="r")
    found = eventually("the role is gone", lambda: row(admin, authorization), lambda found: not keys(found))
    assert found["state"] == "STATE_ACTIVE"


@pytest.mark.parametrize(
    ("narrower", "found"),
    [
        ({}, True),
        ({"state": {"state": "STATE_ACTIVE"}}, True),
        ({"state": {"state": "STATE_INACTIVE"}}, False),
        ({"roleKey": {"key": "read:messages"}}, True),
        ({"roleKey": {"key": "admin"}}, False),
        ({"projectId": {"id": NOBODY}}, False),
        ({"organizationId": {"id": NOBODY}}, False),
        ({"userOrganizationId": {"id": NOBODY}}, False),
        ({"projectName": {"name": "no-such-project"}}, False),
        ({"userPreferredLoginName": {"loginName": "no-such-user"}}, False),
    ],
    ids=str,
)
def test_authorizations_are_found_by_filters(
    admin: Api, own: tuple[User, str], narrower: dict[str, Any], found: bool
) -> None:
    user, authorization = own
    row(admin, authorization)
    filters = [{"inUserIds": {"ids": [user.id]}}] + ([narrower] if narrower else [])
    listed = admin.do(LIST, filters=filters)
    if found:
        assert [shown["id"] for shown in listed["authorizations"]] == [authorization]
    else:
        assert listed == NONE


@pytest.mark.parametrize("ending", ["project", "user"])
def test_an_authorization_ends_with_its_project_or_its_user(admin: Api, workshop: Workshop, ending: str) -> None:
    project, user = workshop.project("r"), workshop.user(pat=False)
    authorization = workshop.grant(user, project, "r")
    row(admin, authorization)
    if ending == "project":
        admin.do("ProjectService/DeleteProject", projectId=project.id)
    else:
        admin.do("UserService/DeleteUser", userId=user.id)
    filters = [{"authorizationIds": {"ids": [authorization]}}]
    eventually("it is gone", lambda: admin.do(LIST, filters=filters) == NONE)
