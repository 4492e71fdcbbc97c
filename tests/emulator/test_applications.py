"""API applications, their secrets and their keys in the v2 API."""

import re
from typing import Any

import pytest

from tests.support.emulator_target import Api, api_error
from tests.support.waiting import eventually
from tests.support.workshop import KEY_APP, WEB_APP, App, Project, Workshop, decoded, later

CREATE = "ApplicationService/CreateApplication"


@pytest.fixture
def own(workshop: Workshop) -> App:
    """A Basic application of one test, alone in its project."""
    return workshop.app(workshop.project())


@pytest.fixture
def own_key_app(workshop: Workshop) -> App:
    """A key application of one test, alone in its project."""
    return workshop.app(workshop.project(), apiConfiguration=KEY_APP)


def shown(admin: Api, app: App) -> dict[str, Any]:
    """The application as GetApplication shows it, once it does."""
    return admin.shown("ApplicationService/GetApplication", "application", applicationId=app.id)


@pytest.mark.parametrize(
    ("configuration", "has_secret"),
    [
        ({"apiConfiguration": {}}, True),
        ({"apiConfiguration": {"authMethodType": "API_AUTH_METHOD_TYPE_BASIC"}}, True),
        ({"apiConfiguration": KEY_APP}, False),
        ({"oidcConfiguration": WEB_APP}, True),
    ],
    ids=["no method", "Basic", "key", "confidential OIDC"],
)
def test_creating_shows_the_secret_if_there_is_one(
    admin: Api, workshop: Workshop, project: Project, configuration: dict[str, Any], has_secret: bool
) -> None:
    made = admin.do(CREATE, projectId=project.id, name=workshop.name("app"), **configuration)
    (kind,) = configuration
    assert set(made) == {"applicationId", "creationDate", kind}
    assert set(made[kind]) == {"clientId"} | ({"clientSecret"} if has_secret else set())
    assert re.fullmatch(r"[A-Za-z0-9]{64}", made[kind].get("clientSecret", "x" * 64))


def test_a_name_is_taken_within_its_project_whatever_its_case(admin: Api, own: App, project: Project) -> None:
    taken = admin.ask(CREATE, projectId=own.project.id, name=own.name.upper(), apiConfiguration={})
    assert api_error(taken) == (409, "Application already exists (V3-DKcYh)")
    assert admin.ask(CREATE, projectId=project.id, name=own.name, apiConfiguration={}).status_code == 200


def test_a_basic_application_shows_no_method(admin: Api, app: App) -> None:
    found = shown(admin, app)
    fields = ("applicationId", "creationDate", "changeDate", "state", "name", "apiConfiguration", "projectId")
    assert set(found) == set(fields)
    assert (found["applicationId"], found["name"], found["projectId"]) == (app.id, app.name, app.project.id)
    assert found["state"] == "APPLICATION_STATE_ACTIVE"
    assert found["apiConfiguration"] == {"clientId": app.client_id}


def test_a_key_application_shows_its_method(admin: Api, key_app: App) -> None:
    assert shown(admin, key_app)["apiConfiguration"] == {"clientId": key_app.client_id} | KEY_APP


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ([], True),
        ([{"typeFilter": "APPLICATION_TYPE_API"}], True),
        ([{"typeFilter": "APPLICATION_TYPE_OIDC"}], False),
        ([{"stateFilter": "APPLICATION_STATE_ACTIVE"}], True),
        ([{"stateFilter": "APPLICATION_STATE_INACTIVE"}], False),
        ([{"nameFilter": {"name": "no-such-name"}}], False),
    ],
    ids=["project", "API", "OIDC", "active", "inactive", "name"],
)
def test_applications_are_found_by_filters(workshop: Workshop, extra: list[dict[str, Any]], found: bool) -> None:
    app = workshop.app(workshop.project())
    shown(workshop.admin, app)
    filters = [{"projectIdFilter": {"projectId": app.project.id}}, *extra]
    rows = workshop.admin.rows("ApplicationService/ListApplications", filters=filters)
    assert [row["applicationId"] for row in rows] == ([app.id] if found else [])


def test_an_application_is_found_by_its_client_id(admin: Api, own: App) -> None:
    shown(admin, own)
    for filter_, found in (
        ({"clientIdFilter": {"clientId": own.client_id}}, [own.id]),
        ({"clientIdFilter": {"clientId": own.id}}, []),
        ({"entityIdFilter": {"entityId": own.client_id}}, []),
    ):
        rows = admin.rows("ApplicationService/ListApplications", filters=[filter_])
        assert [row["applicationId"] for row in rows] == found


def test_an_update_without_a_change_is_refused(admin: Api, own: App) -> None:
    again = admin.ask("ApplicationService/UpdateApplication", **own.ids, name=own.name)
    assert api_error(again) == (400, "No changes (COMMAND-2m8vx)")


def test_an_application_is_renamed(admin: Api, workshop: Workshop, own: App) -> None:
    name = workshop.name("renamed")
    assert set(admin.do("ApplicationService/UpdateApplication", **own.ids, name=name)) == {"changeDate"}
    eventually("the new name shows", lambda: shown(admin, own)["name"] == name)


def test_a_new_secret_is_another_one(admin: Api, own: App) -> None:
    made = admin.do("ApplicationService/GenerateClientSecret", **own.ids)
    assert set(made) == {"clientSecret", "creationDate"}
    assert (len(made["clientSecret"]), made["clientSecret"] == own.secret) == (64, False)


def test_an_application_is_deactivated_and_reactivated_once(admin: Api, own: App) -> None:
    for method, state, date, message in (
        ("DeactivateApplication", "INACTIVE", "deactivationDate", "Application is not active (COMMAND-dsh35)"),
        ("ReactivateApplication", "ACTIVE", "reactivationDate", "Application is not inactive (COMMAND-1n8cM)"),
    ):
        assert set(admin.do(f"ApplicationService/{method}", **own.ids)) == {date}
        assert api_error(admin.ask(f"ApplicationService/{method}", **own.ids)) == (400, message)
        eventually(f"the state is {state}", lambda: shown(admin, own)["state"], f"APPLICATION_STATE_{state}".__eq__)


def test_an_application_is_deleted_once(admin: Api, own: App) -> None:
    assert set(admin.do("ApplicationService/DeleteApplication", **own.ids)) == {"deletionDate"}
    again = admin.ask("ApplicationService/DeleteApplication", **own.ids)
    assert api_error(again) == (404, "Application doesn't exist (COMMAND-0po9s)")


def test_a_key_comes_as_the_base64_of_its_file(admin: Api, own_key_app: App) -> None:
    made = admin.do("ApplicationService/CreateApplicationKey", **own_key_app.ids, expirationDate=later(days=1))
    assert set(made) == {"keyId", "creationDate", "keyDetails"}
    file = decoded(made["keyDetails"])
    assert list(file) == ["type", "keyId", "key", "appId", "clientId"]
    assert (file["type"], file["keyId"]) == ("application", made["keyId"])
    assert (file["appId"], file["clientId"]) == (own_key_app.id, own_key_app.client_id)
    assert file["key"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")


def test_keys_are_listed_without_their_secrets_until_they_are_deleted(workshop: Workshop, own_key_app: App) -> None:
    key_id = workshop.app_key(own_key_app)["keyId"]
    filters = [{"applicationIdFilter": {"applicationId": own_key_app.id}}]

    def listed() -> list[dict[str, str]]:
        return workshop.admin.rows("ApplicationService/ListApplicationKeys", filters=filters)

    (row,) = eventually("the key is listed", listed)
    assert set(row) == {"keyId", "applicationId", "projectId", "creationDate", "organizationId", "expirationDate"}
    assert (row["keyId"], row["applicationId"]) == (key_id, own_key_app.id)
    deleted = workshop.admin.do("ApplicationService/DeleteApplicationKey", **own_key_app.ids, keyId=key_id)
    assert set(deleted) == {"deletionDate"}
    eventually("the key is gone", lambda: listed() == [])


def test_a_key_is_shown_by_its_id(admin: Api, app_key: dict[str, str]) -> None:
    method = "ApplicationService/GetApplicationKey"
    admin.shown(method, "keyId", keyId=app_key["keyId"])
    assert set(admin.do(method, keyId=app_key["keyId"])) == {"keyId", "creationDate", "expirationDate"}


def test_a_deleted_project_takes_its_applications_along(admin: Api, own: App) -> None:
    shown(admin, own)
    admin.do("ProjectService/DeleteProject", projectId=own.project.id)
    admin.gone("ApplicationService/GetApplication", applicationId=own.id)
