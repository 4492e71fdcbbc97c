"""Administrators in the v2 API: who may administer an organization, a project or the instance."""

from typing import Any

import pytest

from tests.support.emulator_target import Api, api_error
from tests.support.waiting import eventually
from tests.support.workshop import Organization, Project, User, Workshop

CREATE = "InternalPermissionService/CreateAdministrator"
UPDATE = "InternalPermissionService/UpdateAdministrator"
DELETE = "InternalPermissionService/DeleteAdministrator"
LIST = "InternalPermissionService/ListAdministrators"


@pytest.fixture
def own(workshop: Workshop) -> User:
    return workshop.user(pat=False)


@pytest.fixture
def of_organization(own: User, organization: Organization) -> dict[str, Any]:
    """The fields that name the test's own user and the user's organization."""
    return {"userId": own.id, "resource": {"organizationId": organization.id}}


def rows(admin: Api, user: User) -> list[dict[str, Any]]:
    return admin.rows(LIST, filters=[{"inUserIdsFilter": {"ids": [user.id]}}])


def wait_for_roles(admin: Api, user: User, *roles: str) -> dict[str, Any]:
    found = eventually(
        f"the roles are {roles}",
        lambda: rows(admin, user),
        lambda found: len(found) == 1 and set(found[0].get("roles", [])) == set(roles),
    )
    return found[0]


def test_an_administrator_of_an_organization_is_listed_with_it(
    admin: Api, own: User, of_organization: dict[str, Any], organization: Organization
) -> None:
    assert set(admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])) == {"creationDate"}
    row = wait_for_roles(admin, own, "ORG_OWNER")
    assert row["user"]["id"] == own.id
    assert row["organization"] == {"id": organization.id, "name": organization.name}
    assert "instance" not in row


def test_an_administrator_of_a_project_is_listed_with_it(admin: Api, own: User, project: Project) -> None:
    admin.do(CREATE, userId=own.id, resource={"projectId": project.id}, roles=["PROJECT_OWNER"])
    row = wait_for_roles(admin, own, "PROJECT_OWNER")
    assert row["project"]["id"] == project.id


def test_an_administrator_of_the_instance_is_listed_so(admin: Api, own: User) -> None:
    admin.do(CREATE, userId=own.id, resource={"instance": True}, roles=["IAM_OWNER_VIEWER"])
    assert wait_for_roles(admin, own, "IAM_OWNER_VIEWER")["instance"] is True


@pytest.mark.parametrize(("role", "found"), [("ORG_OWNER", True), ("ORG_OWNER_VIEWER", False), ("ORG_OWN", False)])
def test_administrators_are_found_by_role(
    admin: Api, own: User, of_organization: dict[str, Any], role: str, found: bool
) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_USER_MANAGER", "ORG_OWNER"])
    wait_for_roles(admin, own, "ORG_USER_MANAGER", "ORG_OWNER")
    filters = [{"inUserIdsFilter": {"ids": [own.id]}}, {"role": {"roleKey": role}}]
    assert [row["user"]["id"] for row in admin.rows(LIST, filters=filters)] == [own.id] * found


def test_an_administrator_is_made_once(admin: Api, of_organization: dict[str, Any]) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    again = admin.ask(CREATE, **of_organization, roles=["ORG_USER_MANAGER"])
    assert api_error(again) == (409, "Errors.Org.Member.AlreadyExists (ORG-poWwe)")


def test_an_update_replaces_the_roles_and_the_same_again_is_no_fault(
    admin: Api, own: User, of_organization: dict[str, Any]
) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    for _ in range(2):
        assert set(admin.do(UPDATE, **of_organization, roles=["ORG_USER_MANAGER"])) == {"changeDate"}
    wait_for_roles(admin, own, "ORG_USER_MANAGER")


def test_deleting_twice_is_no_fault(admin: Api, own: User, of_organization: dict[str, Any]) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    wait_for_roles(admin, own, "ORG_OWNER")
    assert set(admin.do(DELETE, **of_organization)) == {"deletionDate"}
    assert admin.ask(DELETE, **of_organization).status_code == 200
    eventually("the administrator has left the list", lambda: rows(admin, own) == [])
