"""Projects and their roles in the v2 API."""

from datetime import datetime

import pytest

from tests.support.emulator_target import Api, api_error
from tests.support.waiting import eventually
from tests.support.workshop import Organization, Project, Workshop


@pytest.fixture
def own(workshop: Workshop) -> Project:
    """A project of one test, with the role ``r``."""
    return workshop.project("r")


def shown(admin: Api, project: Project) -> dict[str, str]:
    """The project as GetProject shows it, once it does."""
    return admin.shown("ProjectService/GetProject", "project", projectId=project.id)


def test_a_project_leaves_out_its_flags_that_are_off(admin: Api, project: Project, organization: Organization) -> None:
    found = shown(admin, project)
    assert set(found) == {"projectId", "organizationId", "creationDate", "changeDate", "name", "state"}
    assert (found["projectId"], found["organizationId"]) == (project.id, organization.id)
    assert (found["name"], found["state"]) == (project.name, "PROJECT_STATE_ACTIVE")


def test_a_project_shows_its_flags_that_are_on(admin: Api, workshop: Workshop) -> None:
    assert shown(admin, workshop.project(projectRoleAssertion=True))["projectRoleAssertion"]


def test_a_trailing_space_makes_another_name(workshop: Workshop, own: Project, organization: Organization) -> None:
    made = workshop.admin.do("ProjectService/CreateProject", organizationId=organization.id, name=own.name + " ")
    workshop.remove_later("ProjectService/DeleteProject", projectId=made["projectId"])
    assert set(made) == {"projectId", "creationDate"}
    assert made["projectId"].isdigit()
    assert made["creationDate"].endswith("Z")


def test_another_organization_may_use_the_name(
    admin: Api, workshop: Workshop, other_organization: Organization, own: Project
) -> None:
    made = admin.do("ProjectService/CreateProject", organizationId=other_organization.id, name=own.name)
    workshop.remove_later("ProjectService/DeleteProject", projectId=made["projectId"])


def test_a_project_is_renamed_and_the_same_name_again_is_no_fault(admin: Api, workshop: Workshop, own: Project) -> None:
    name = workshop.name("renamed")
    for _ in range(2):
        changed = admin.do("ProjectService/UpdateProject", projectId=own.id, name=name)
        assert set(changed) == {"changeDate"}
    eventually("the new name shows", lambda: shown(admin, own)["name"] == name)


def test_what_an_update_leaves_out_stays(admin: Api, own: Project) -> None:
    admin.do("ProjectService/UpdateProject", projectId=own.id, projectRoleAssertion=True)
    eventually("the flag shows", lambda: shown(admin, own).get("projectRoleAssertion"))
    assert shown(admin, own)["name"] == own.name


def test_a_project_is_deactivated_and_activated_once(admin: Api, own: Project) -> None:
    for method, state, message in (
        ("DeactivateProject", "INACTIVE", "Project is not active (COMMAND-mki55)"),
        ("ActivateProject", "ACTIVE", "Project is not deactivated (COMMAND-5M9bs)"),
    ):
        assert set(admin.do(f"ProjectService/{method}", projectId=own.id)) == {"changeDate"}
        again = admin.ask(f"ProjectService/{method}", projectId=own.id)
        assert (api_error(again), again.json()["code"]) == ((400, message), "failed_precondition")
        eventually(f"the state is {state}", lambda: shown(admin, own)["state"], f"PROJECT_STATE_{state}".__eq__)


def test_deleting_again_answers_with_the_old_date(admin: Api, own: Project) -> None:
    made = datetime.fromisoformat(shown(admin, own)["creationDate"])
    first = admin.do("ProjectService/DeleteProject", projectId=own.id)
    assert set(first) == {"deletionDate"}
    assert datetime.fromisoformat(first["deletionDate"]) >= made
    assert admin.do("ProjectService/DeleteProject", projectId=own.id) == first
    admin.gone("ProjectService/GetProject", projectId=own.id)


def roles(admin: Api, project: Project) -> list[dict[str, str]]:
    return admin.rows("ProjectService/ListProjectRoles", projectId=project.id)


def test_a_role_leaves_out_its_group_when_empty(admin: Api, own: Project) -> None:
    (role,) = eventually("the role is listed", lambda: roles(admin, own))
    assert set(role) == {"projectId", "key", "creationDate", "changeDate", "displayName"}
    assert (role["projectId"], role["key"], role["displayName"]) == (own.id, "r", "Role r")


def test_a_group_that_an_update_leaves_out_is_cleared(admin: Api, own: Project) -> None:
    role = {"projectId": own.id, "roleKey": "r", "displayName": "New"}
    for _ in range(2):
        assert set(admin.do("ProjectService/UpdateProjectRole", **role, group="g")) == {"changeDate"}
    eventually("the group shows", lambda: [row.get("group") for row in roles(admin, own)] == ["g"])
    admin.do("ProjectService/UpdateProjectRole", **role)
    (row,) = eventually("the group is gone", lambda: roles(admin, own), lambda rows: rows and "group" not in rows[0])
    assert row["displayName"] == "New"


def test_removing_a_role_twice_is_no_fault(admin: Api, own: Project) -> None:
    for _ in range(2):
        removed = admin.do("ProjectService/RemoveProjectRole", projectId=own.id, roleKey="r")
        assert set(removed) == {"removalDate"}
    eventually("the role is gone", lambda: roles(admin, own) == [])
