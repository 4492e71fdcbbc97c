"""What a token can do at the API: a PAT without any administrator role, and roles that are too small."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.emulator_target import Api, Server, api_error, error_id
from tests.support.oauth import GetToken, OAuth
from tests.support.waiting import eventually
from tests.support.workshop import FOREVER, App, Organization, Project, User, Workshop, later

NO_MEMBERSHIP = (404, "membership not found (AUTHZ-cdgFk)")
ROLE_TOO_SMALL = (403, "No matching permissions found (AUTH-AWfge)")
ZITADEL_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"

Appoint = Callable[[str], Api]


@pytest.fixture(scope="module")
def stranger(server: Server, visitor: User) -> Api:
    """The API as the PAT of a user without any administrator role calls it."""
    return Api(server, visitor.pat)


@pytest.fixture
def own(server: Server, workshop: Workshop) -> tuple[Api, User]:
    """The API as the PAT of a user of one test calls it, and the user."""
    user = workshop.user()
    return Api(server, user.pat), user


@pytest.fixture
def appoint(server: Server, admin: Api, workshop: Workshop, organization: Organization) -> Appoint:
    """Makes a new user administrator of the organization with this role; returns the API as that user calls it."""

    def make(role: str) -> Api:
        user = workshop.user()
        resource = {"organizationId": organization.id}
        admin.do("InternalPermissionService/CreateAdministrator", userId=user.id, resource=resource, roles=[role])
        api = Api(server, user.pat)
        eventually("the role has its effect", lambda: api.ask("ProjectService/ListProjects").status_code == 200)
        return api

    return make


def test_without_an_administrator_role_there_is_no_membership(stranger: Api, app: App, reader: User) -> None:
    refused: dict[str, dict[str, Any]] = {
        "ProjectService/ListProjects": {},
        "ProjectService/GetProject": {"projectId": app.project.id},
        "ProjectService/ListProjectRoles": {"projectId": app.project.id},
        "ProjectService/CreateProject": {"organizationId": app.project.organization.id, "name": "x"},
        "ProjectService/AddProjectRole": {"projectId": app.project.id, "roleKey": "x", "displayName": "X"},
        "ApplicationService/CreateApplication": {"projectId": app.project.id, "name": "x", "apiConfiguration": {}},
        "ApplicationService/GenerateClientSecret": app.ids,
        "UserService/GetUserByID": {"userId": reader.id},
        "UserService/CreateUser": {"organizationId": app.project.organization.id, "machine": {"name": "x"}},
        "UserService/AddPersonalAccessToken": {"userId": reader.id, "expirationDate": FOREVER},
        "AuthorizationService/CreateAuthorization": {
            "userId": reader.id,
            "projectId": app.project.id,
            "organizationId": app.project.organization.id,
        },
    }
    answers = {method: api_error(stranger.ask(method, **fields)) for method, fields in refused.items()}
    assert answers == dict.fromkeys(refused, NO_MEMBERSHIP)


def test_a_stranger_sees_one_user_in_the_list(stranger: Api, visitor: User) -> None:
    found = eventually(
        "the user is listed", lambda: stranger.do("UserService/ListUsers"), lambda found: found.get("result")
    )
    assert [user["userId"] for user in found["result"]] == [visitor.id]
    assert found["details"]["totalResult"] == "1"


@pytest.mark.usefixtures("app", "app_key")
@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("ApplicationService/ListApplications", "applications"),
        ("ApplicationService/ListApplicationKeys", "keys"),
        ("InternalPermissionService/ListAdministrators", "administrators"),
    ],
)
def test_some_lists_count_for_a_stranger_but_show_no_rows(stranger: Api, method: str, rows: str) -> None:
    found = eventually(
        "something is counted", lambda: stranger.do(method), lambda found: "totalResult" in found["pagination"]
    )
    assert int(found["pagination"]["totalResult"]) > 0
    assert rows not in found


def test_any_token_may_list_organizations_and_read_features(stranger: Api) -> None:
    assert stranger.ask("OrganizationService/ListOrganizations").status_code == 200
    assert stranger.ask("FeatureService/GetInstanceFeatures").status_code == 200


def test_the_features_are_for_an_owner_of_the_instance_to_set(appoint: Appoint) -> None:
    refused = appoint("ORG_OWNER").ask("FeatureService/SetInstanceFeatures", debugOidcParentError=False)
    assert error_id(refused) == (403, "AUTH-5mWD2")


def test_users_see_their_own_authorizations(
    own: tuple[Api, User], workshop: Workshop, project: Project, both: User
) -> None:
    api, user = own
    authorization = workshop.grant(user, project, "read:messages")
    two_users = [{"inUserIds": {"ids": [user.id, both.id]}}]
    list_method = "AuthorizationService/ListAuthorizations"
    rows = eventually("it is listed", lambda: api.rows(list_method, filters=two_users))
    assert [(row["id"], row["state"]) for row in rows] == [(authorization, "STATE_ACTIVE")]
    assert [role["key"] for role in rows[0]["roles"]] == ["read:messages"]


def test_users_see_and_change_themselves(own: tuple[Api, User]) -> None:
    api, user = own
    api.do("UserService/UpdateUser", userId=user.id, machine={"name": "My own name"})
    eventually(
        "the name shows",
        lambda: api.ask("UserService/GetUserByID", userId=user.id).json().get("user", {}),
        lambda shown: shown and shown["machine"]["name"] == "My own name",
    )


def test_a_pat_can_renew_itself(own: tuple[Api, User], oauth: OAuth, app: App) -> None:
    api, user = own
    assert user.first_pat is not None
    new = api.do("UserService/AddPersonalAccessToken", userId=user.id, expirationDate=FOREVER)
    assert oauth.active(app, new["token"])
    renewed = Api(api.server, new["token"])
    renewed.do("UserService/RemovePersonalAccessToken", userId=user.id, tokenId=user.first_pat.id)
    assert not oauth.active(app, user.pat)


def test_users_manage_their_own_secret_and_keys(own: tuple[Api, User]) -> None:
    api, user = own
    assert api.do("UserService/AddSecret", userId=user.id)["clientSecret"]
    api.do("UserService/RemoveSecret", userId=user.id)
    key = api.do("UserService/AddKey", userId=user.id, expirationDate=later(days=1))
    mine = [{"userIdFilter": {"id": user.id}}]
    eventually("the key is listed", lambda: api.do("UserService/ListKeys", filters=mine).get("result"))
    api.do("UserService/RemoveKey", userId=user.id, keyId=key["keyId"])


@pytest.mark.parametrize("method", ["DeleteUser", "DeactivateUser"])
def test_users_cannot_end_themselves_without_a_role(own: tuple[Api, User], method: str) -> None:
    api, user = own
    assert api_error(api.ask(f"UserService/{method}", userId=user.id)) == NO_MEMBERSHIP


def test_a_user_manager_makes_users_and_authorizations_but_no_projects(
    appoint: Appoint, workshop: Workshop, project: Project, organization: Organization
) -> None:
    manager = appoint("ORG_USER_MANAGER")
    username = workshop.name("managed")
    made = manager.do(
        "UserService/CreateUser", organizationId=organization.id, username=username, machine={"name": "x"}
    )["id"]
    workshop.remove_later("UserService/DeleteUser", userId=made)
    names = {"userId": made, "projectId": project.id, "organizationId": organization.id}
    manager.do("AuthorizationService/CreateAuthorization", **names, roleKeys=["read:messages"])
    manager.do("ProjectService/ListProjectRoles", projectId=project.id)
    refused: dict[str, dict[str, Any]] = {
        "ProjectService/CreateProject": {"organizationId": organization.id, "name": "x"},
        "ProjectService/AddProjectRole": {"projectId": project.id, "roleKey": "x", "displayName": "X"},
        "ApplicationService/CreateApplication": {"projectId": project.id, "name": "x", "apiConfiguration": {}},
    }
    answers = {method: api_error(manager.ask(method, **fields)) for method, fields in refused.items()}
    assert answers == dict.fromkeys(refused, ROLE_TOO_SMALL)


def test_an_owner_of_the_organization_does_everything_but_delete_an_application(
    appoint: Appoint, workshop: Workshop, organization: Organization
) -> None:
    owner = appoint("ORG_OWNER")
    project = owner.do("ProjectService/CreateProject", organizationId=organization.id, name=workshop.name("project"))[
        "projectId"
    ]
    workshop.remove_later("ProjectService/DeleteProject", projectId=project)
    owner.do("ProjectService/AddProjectRole", projectId=project, roleKey="r", displayName="R")
    app = owner.do(
        "ApplicationService/CreateApplication", projectId=project, name=workshop.name("app"), apiConfiguration={}
    )["applicationId"]
    deleted = owner.ask("ApplicationService/DeleteApplication", projectId=project, applicationId=app)
    assert deleted.status_code == 403
    owner.do("ProjectService/DeleteProject", projectId=project)


def test_a_removed_administrator_has_no_membership(server: Server, admin: Api, workshop: Workshop) -> None:
    user = workshop.user()
    names = {"userId": user.id, "resource": {"organizationId": workshop.home.id}}
    api = Api(server, user.pat)
    admin.do("InternalPermissionService/CreateAdministrator", **names, roles=["ORG_OWNER"])
    eventually("the role has its effect", lambda: api.ask("ProjectService/ListProjects").status_code == 200)
    admin.do("InternalPermissionService/DeleteAdministrator", **names)
    eventually(
        "the membership is gone",
        lambda: api.ask("ProjectService/ListProjects"),
        lambda response: response.status_code == 404 and api_error(response) == NO_MEMBERSHIP,
    )


def test_an_access_token_opens_the_api_only_with_zitadels_own_audience(
    server: Server, reader: User, reader_token: GetToken
) -> None:
    closed = Api(server, reader_token("openid"))
    assert error_id(closed.ask("UserService/GetUserByID", userId=reader.id)) == (401, "AUTH-7fs1e")
    opened = Api(server, reader_token("openid", ZITADEL_AUDIENCE))
    assert opened.do("UserService/GetUserByID", userId=reader.id)["user"]["userId"] == reader.id


def test_any_valid_token_may_ask_who_it_is(own: tuple[Api, User], organization: Organization) -> None:
    api, user = own
    me = eventually("the user can be read", lambda: api.rest("GET", "/auth/v1/users/me").json().get("user"))
    assert (me["id"], me["userName"]) == (user.id, user.username)
    assert me["details"]["resourceOwner"] == organization.id
    assert me["machine"]["name"] == user.name


def test_any_valid_token_may_ask_for_its_memberships(own: tuple[Api, User], appoint: Appoint) -> None:
    none = own[0].rest("POST", "/auth/v1/memberships/me/_search", {}).json()
    assert "result" not in none
    owner = appoint("ORG_OWNER")
    (membership,) = eventually(
        "the membership is listed",
        lambda: owner.rest("POST", "/auth/v1/memberships/me/_search", {}).json().get("result"),
    )
    assert membership["roles"] == ["ORG_OWNER"]
    assert "orgId" in membership


def test_any_valid_token_may_ask_for_its_permissions(own: tuple[Api, User], admin: Api) -> None:
    path = "/auth/v1/permissions/zitadel/me/_search"
    assert own[0].rest("POST", path, {}).json() == {}
    permissions = admin.rest("POST", path, {}).json()["result"]
    assert "project.create" in {permission.split(":")[0] for permission in permissions}


def test_events_show_how_a_pat_began_to_administrators_of_the_instance_alone(
    admin: Api, appoint: Appoint, own: tuple[Api, User]
) -> None:
    api, user = own
    assert user.first_pat is not None
    path = "/admin/v1/events/_search"
    query = {"aggregateId": user.id, "aggregateTypes": ["user"], "eventTypes": ["user.pat.added"], "limit": 5}
    assert api.rest("POST", path, query).status_code == 404
    refused = appoint("ORG_OWNER").rest("POST", path, query)
    assert (refused.status_code, refused.json()["message"]) == (403, "No matching permissions found (AUTH-5mWD2)")
    (event,) = admin.rest("POST", path, query).json()["events"]
    assert event["type"]["type"] == "user.pat.added"
    assert event["aggregate"]["id"] == user.id
    assert event["payload"]["tokenId"] == user.first_pat.id
