"""Which IDs, names and keys can be used again once their object is deleted, and which cannot."""

from typing import Any

import pytest

from tests.support.emulator_target import Api, api_error
from tests.support.workshop import App, Project, Workshop

APPLICATION_TAKEN = (409, "Application already exists (V3-DKcYh)")
ROLE_TAKEN = (409, "Role already exists (V3-DKcYh)")
ROLE = {"roleKey": "read:messages", "displayName": "Read messages"}


@pytest.fixture
def app(workshop: Workshop) -> App:
    """An API application of one test, alone in a project with one role."""
    return workshop.app(workshop.project("read:messages"))


@pytest.fixture
def project_again(admin: Api, app: App) -> Project:
    """The application's project, deleted and created again with its ID and its name."""
    project = app.project
    admin.do("ProjectService/DeleteProject", projectId=project.id)
    fields = {"organizationId": project.organization.id, "name": project.name, "projectId": project.id}
    assert admin.do("ProjectService/CreateProject", **fields)["projectId"] == project.id
    return project


def create(admin: Api, project_id: str, name: str, application_id: str | None = None) -> tuple[int, Any]:
    """Status of CreateApplication, and its error message or its answer."""
    chosen = {} if application_id is None else {"applicationId": application_id}
    made = admin.ask(
        "ApplicationService/CreateApplication", projectId=project_id, name=name, apiConfiguration={}, **chosen
    )
    return api_error(made) if made.status_code != 200 else (200, made.json())


@pytest.mark.parametrize("rename", [False, True], ids=["same name", "other name"])
def test_the_id_of_a_deleted_application_is_free(admin: Api, workshop: Workshop, app: App, rename: bool) -> None:
    admin.do("ApplicationService/DeleteApplication", **app.ids)
    status, made = create(admin, app.project.id, workshop.name("app") if rename else app.name, app.id)
    assert (status, made["applicationId"]) == (200, app.id)
    assert made["apiConfiguration"]["clientId"] != app.client_id


def test_the_id_of_a_deleted_user_is_free(admin: Api, workshop: Workshop) -> None:
    user = workshop.user(pat=False)
    admin.do("UserService/DeleteUser", userId=user.id)
    assert workshop.user(pat=False, userId=user.id).id == user.id


def test_an_application_of_a_deleted_project_keeps_its_id_taken(admin: Api, app: App, project_again: Project) -> None:
    assert create(admin, project_again.id, app.name, app.id) == APPLICATION_TAKEN


def test_a_project_that_is_created_again_cannot_have_its_former_names(
    admin: Api, app: App, project_again: Project
) -> None:
    """In ZITADEL's source, deleting a project frees its own name, but neither application names nor role keys."""
    assert create(admin, project_again.id, app.name) == APPLICATION_TAKEN
    assert api_error(admin.ask("ProjectService/AddProjectRole", projectId=project_again.id, **ROLE)) == ROLE_TAKEN


def test_a_project_with_a_new_id_can_have_all_names(admin: Api, workshop: Workshop, app: App) -> None:
    admin.do("ProjectService/DeleteProject", projectId=app.project.id)
    new = workshop.project("read:messages")
    admin.do("ProjectService/UpdateProject", projectId=new.id, name=app.project.name)
    assert create(admin, new.id, app.name)[0] == 200


def test_the_id_of_an_application_that_exists_is_accepted_under_another_name(workshop: Workshop, app: App) -> None:
    status, made = create(workshop.admin, app.project.id, workshop.name("app"), app.id)
    assert (status, made["applicationId"]) == (200, app.id)
    assert made["apiConfiguration"]["clientId"] != app.client_id
    assert made["apiConfiguration"]["clientSecret"] != app.secret
