"""Administrators in the v2 API: who may administer an organization, a project or the instance."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Api, api_error, error_id
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
    """The fields that name the test's own user and his organization."""
    return {"userId": own.id, "resource": {"organizationId": organization.id}}


def rows(admin: Api, user: User) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.do(LIST, filters=[{"inUserIdsFilter": {"ids": [user.id]}}]).get(
        "administrators", []
    )
    return found


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


def test_an_administrator_is_made_once(admin: Api, of_organization: dict[str, Any]) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    again = admin.ask(CREATE, **of_organization, roles=["ORG_USER_MANAGER"])
    assert api_error(again) == (409, "Errors.Org.Member.AlreadyExists (ORG-poWwe)")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"roles": ["NO_SUCH_ROLE"]}, (400, "Org-4N8es")),
        ({"roles": []}, (400, "ORG-4Mlfs")),
        ({"userId": NOBODY}, (400, "ORG-GoXOn")),
        ({"resource": None}, (400, "ADMIN-IbPp47HDP5")),
    ],
    ids=["unknown role", "no role", "unknown user", "no resource"],
)
def test_an_administrator_needs_a_user_a_resource_and_known_roles(
    admin: Api, of_organization: dict[str, Any], change: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error_id(admin.ask(CREATE, **(of_organization | {"roles": ["ORG_OWNER"]} | change))) == expected


@pytest.mark.parametrize("method", ["Create", "Update", "Delete"])
def test_an_empty_resource_breaks_a_rule(admin: Api, of_organization: dict[str, Any], method: str) -> None:
    refused = admin.ask(f"InternalPermissionService/{method}Administrator", **(of_organization | {"resource": {}}))
    message = (
        f"invalid {method}AdministratorRequest.Resource: embedded message failed validation | caused by: "
        "invalid ResourceType.Resource: value is required"
    )
    assert api_error(refused) == (400, message)
    assert "details" not in refused.json()


def test_an_update_replaces_the_roles_and_the_same_again_is_no_fault(
    admin: Api, own: User, of_organization: dict[str, Any]
) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    for _ in range(2):
        assert set(admin.do(UPDATE, **of_organization, roles=["ORG_USER_MANAGER"])) == {"changeDate"}
    wait_for_roles(admin, own, "ORG_USER_MANAGER")


def test_one_who_is_no_administrator_cannot_be_updated(admin: Api, of_organization: dict[str, Any]) -> None:
    assert error_id(admin.ask(UPDATE, **of_organization, roles=["ORG_OWNER"])) == (404, "Org-D8JxR")


def test_the_filter_by_role_is_refused_even_where_nobody_matches(admin: Api) -> None:
    filters = [{"inUserIdsFilter": {"ids": [NOBODY]}}, {"role": {"roleKey": "ORG_OWNER"}}]
    assert error_id(admin.ask(LIST, filters=filters)) == (400, "ORG-vR9nC")


def test_deleting_twice_is_no_fault(admin: Api, own: User, of_organization: dict[str, Any]) -> None:
    admin.do(CREATE, **of_organization, roles=["ORG_OWNER"])
    wait_for_roles(admin, own, "ORG_OWNER")
    assert set(admin.do(DELETE, **of_organization)) == {"deletionDate"}
    assert admin.ask(DELETE, **of_organization).status_code == 200
    eventually("he is no longer listed", lambda: rows(admin, own) == [])
