"""Single requests that change nothing: refusals of fields and objects, and unknown IDs that are accepted."""

import base64
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Api, Server, api_error, error_id
from tests.support.workshop import FOREVER, HUMAN

PAST = "2020-01-01T00:00:00Z"
LENGTH = "value length must be between 1 and 200 runes, inclusive"
TOO_EARLY = (400, "Errors.AuthNKey.ExpireBeforeNow (DOMAIN-dv3t5)")
USER_TAKEN = (409, "User already exists (V3-DKcYh)")
PROJECT_TAKEN = (409, "Project already exists on organization (V3-DKcYh)")
EMBEDDED = "embedded message failed validation | caused by"
ODD_CURVE = b"""-----BEGIN PUBLIC KEY-----
MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEJKpdEW/YionKKuZOhNGkwTe/EaVU/rTc
A8rFtQ==
-----END PUBLIC KEY-----
"""
PKCS1_KEY = b"""-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAMutQYMdwpp9jweugfdHGoJbX/PMHn7EYxuOvmCJo+E9Vg6g9wg8Dn6N
dYKmr5/j8IJehwFRVFuDL2mM2VZn02rIroPBFAsoBn5YpgX7rmpYKAmBmeRk3cuw
JQnEG+fQSYACA8n579lEdozxmQNKUdkSCIZmEbrBhvtGxTA01LLZAgMBAAE=
-----END RSA PUBLIC KEY-----
"""
NO_FILTER = (
    400,
    f"invalid ListProjectsRequest.Filters[0]: {EMBEDDED}: invalid ProjectSearchFilter.Filter: value is required",
)
Case = tuple[str, dict[str, Any], tuple[int, str]]  # method, fields, status with a message or an error's ID

BOT: dict[str, Any] = {"machine": {"name": "Bot"}}
HOME, ELSEWHERE = {"organizationId": "{organization.id}"}, {"organizationId": "{other_organization.id}"}
PROJECT, APP, KEY_APPLICATION = (
    {"projectId": "{project.id}"},
    {"projectId": "{project.id}", "applicationId": "{app.id}"},
    {"projectId": "{project.id}", "applicationId": "{key_app.id}"},
)
NO_PROJECT = {"projectId": NOBODY}
NO_APP = PROJECT | {"applicationId": NOBODY}
NO_USER = {"userId": NOBODY}
OVER_LIMIT = {"pagination": {"limit": 1001}}
VISITOR, A_HUMAN = {"userId": "{visitor.id}"}, {"userId": "{human}"}
ASSIGNMENT = VISITOR | PROJECT | HOME | {"roleKeys": ["admin"]}
ADMINISTRATOR = VISITOR | {"resource": HOME, "roles": ["ORG_OWNER"]}

# Texts like "{project.id}" stand for shared objects.
PROJECTS: list[Case] = [
    ("CreateProject", HOME | {"name": ""}, (400, f"invalid CreateProjectRequest.Name: {LENGTH}")),
    ("CreateProject", HOME | {"name": "x" * 201}, (400, f"invalid CreateProjectRequest.Name: {LENGTH}")),
    ("CreateProject", {"name": "x"}, (400, f"invalid CreateProjectRequest.OrganizationId: {LENGTH}")),
    ("CreateProject", HOME | {"name": "{project.name}"}, PROJECT_TAKEN),
    ("CreateProject", HOME | {"name": "{PROJECT_NAME}"}, PROJECT_TAKEN),
    ("CreateProject", HOME | PROJECT | {"name": "x"}, (409, "Errors.Project.AlreadyExisting (COMMAND-opamwu)")),
    ("GetProject", NO_PROJECT, (404, "QUERY-fk2fs")),
    ("UpdateProject", NO_PROJECT | {"name": "x"}, (404, "COMMAND-3M9sd")),
    ("DeactivateProject", NO_PROJECT, (404, "COMMAND-112M9")),
    ("ActivateProject", NO_PROJECT, (404, "COMMAND-3M9sd")),
    ("AddProjectRole", NO_PROJECT | {"roleKey": "r", "displayName": "R"}, (400, "COMMAND-EbFMN")),
    ("AddProjectRole", PROJECT | {"displayName": "R"}, (400, f"invalid AddProjectRoleRequest.RoleKey: {LENGTH}")),
    ("AddProjectRole", PROJECT | {"roleKey": "r"}, (400, f"invalid AddProjectRoleRequest.DisplayName: {LENGTH}")),
    ("AddProjectRole", PROJECT | {"roleKey": "admin", "displayName": "R"}, (409, "Role already exists (V3-DKcYh)")),
    ("AddProjectRole", PROJECT | {"roleKey": "ADMIN", "displayName": "R"}, (409, "Role already exists (V3-DKcYh)")),
    ("UpdateProjectRole", PROJECT | {"roleKey": "no"}, (404, "Role doesn't exist (COMMAND-vv8M9)")),
    ("ListProjects", OVER_LIMIT, (400, "Limit exceeded (QUERY-4M0fs)")),
    ("ListProjectRoles", PROJECT | OVER_LIMIT, (400, "QUERY-4M0fs")),
    ("ListProjects", {"filters": [{}]}, NO_FILTER),
    ("ListProjects", {"filters": [{"colourFilter": {"colour": "blue"}}]}, NO_FILTER),
]
APPLICATIONS: list[Case] = [
    (
        "CreateApplication",
        PROJECT | {"name": "x"},
        (400, "invalid CreateApplicationRequest.ApplicationType: value is required"),
    ),
    (
        "CreateApplication",
        PROJECT | {"apiConfiguration": {}},
        (400, f"invalid CreateApplicationRequest.Name: {LENGTH}"),
    ),
    ("CreateApplication", NO_PROJECT | {"name": "x", "apiConfiguration": {}}, (400, "COMMAND-EbFMN")),
    ("UpdateApplication", NO_APP | {"name": "x"}, (404, "COMMAND-28di9")),
    ("GetApplication", {"applicationId": NOBODY}, (404, "QUERY-pCP8P")),
    ("GetApplication", {"applicationId": "{app.client_id}"}, (404, "Errors.App.NotExisting (QUERY-pCP8P)")),
    ("GenerateClientSecret", NO_APP, (404, "COMMAND-Kd92s")),
    ("DeactivateApplication", NO_APP, (404, "COMMAND-ov9d3")),
    ("ReactivateApplication", NO_APP, (404, "COMMAND-ov9d3")),
    ("DeleteApplication", NO_APP, (404, "COMMAND-0po9s")),
    ("ListApplications", OVER_LIMIT, (400, "QUERY-4M0fs")),
    ("CreateApplicationKey", NO_APP | {"expirationDate": FOREVER}, (400, "COMMAND-sak25")),
    (
        "CreateApplicationKey",
        APP | {"expirationDate": FOREVER},
        (400, "Chosen Auth Method does not require a key (COMMAND-Dff54)"),
    ),
    ("CreateApplicationKey", KEY_APPLICATION, TOO_EARLY),
    ("CreateApplicationKey", KEY_APPLICATION | {"expirationDate": PAST}, TOO_EARLY),
    ("GetApplicationKey", {"keyId": NOBODY}, (404, "Errors.AuthNKey.NotFound (QUERY-Dgr3g)")),
    ("DeleteApplicationKey", KEY_APPLICATION | {"keyId": NOBODY}, (404, "Application key not found (COMMAND-4m77G)")),
]
USERS: list[Case] = [
    ("CreateUser", HOME | BOT | {"username": "{USERNAME}"}, USER_TAKEN),
    ("CreateUser", ELSEWHERE | BOT | {"username": "{visitor.username}"}, USER_TAKEN),
    ("CreateUser", HOME | VISITOR | BOT, (400, "Errors.User.AlreadyExisting (COMMAND-k2una)")),
    ("CreateUser", HOME, (400, "invalid CreateUserRequest.UserType: value is required")),
    (
        "CreateUser",
        HOME | {"machine": {}},
        (400, f"invalid CreateUserRequest.Machine: {EMBEDDED}: invalid CreateUserRequest_Machine.Name: {LENGTH}"),
    ),
    (
        "CreateUser",
        HOME | {"machine": {"name": "Bot", "accessTokenType": 7}},
        (
            400,
            f"invalid CreateUserRequest.Machine: {EMBEDDED}: "
            "invalid CreateUserRequest_Machine.AccessTokenType: value must be one of the defined enum values",
        ),
    ),
    ("CreateUser", {"organizationId": NOBODY} | BOT, (400, "Organisation not found (COMMAND-QXPGs)")),
    ("CreateUser", BOT, (400, f"invalid CreateUserRequest.OrganizationId: {LENGTH}")),
    ("CreateUser", HOME | {"human": HUMAN | {"password": {"password": "a"}}}, (400, "COMMA-HuJf6")),
    ("UpdateUser", VISITOR | {"username": "x"}, (501, "user type is not implemented ()")),
    ("GetUserByID", NO_USER, (404, "QUERY-Dfbg2")),
    *((f"{verb}UserMetadata", VISITOR, (400, "Metadata list is empty (META-9mm2d)")) for verb in ("Set", "Delete")),
    ("DeleteUserMetadata", VISITOR | {"keys": ["no"]}, (404, "One or more keys do not exist (META-2nnds)")),
    ("ListUserMetadata", VISITOR | OVER_LIMIT, (400, "QUERY-4M0fs")),
    ("ListPersonalAccessTokens", OVER_LIMIT, (400, "QUERY-4M0fs")),
    ("DeactivateUser", NO_USER, (404, "COMMAND-5gp2p62iin")),
    ("ReactivateUser", NO_USER, (404, "COMMAND-9hy5kzbuk6")),
    ("LockUser", NO_USER, (404, "COMMAND-450yxuqrh1")),
    ("UnlockUser", NO_USER, (404, "COMMAND-x377t913pw")),
    ("DeleteUser", NO_USER, (404, "COMMAND-bd4ir1mblj")),
    ("AddSecret", NO_USER, (400, "COMMAND-x8910n")),
    ("AddSecret", A_HUMAN, (400, "Errors.User.NotExisting (COMMAND-x8910n)")),
    ("AddKey", NO_USER | {"expirationDate": FOREVER}, (400, "COMMAND-bnipwm1")),
    ("AddKey", VISITOR | {"expirationDate": PAST}, TOO_EARLY),
    ("AddKey", NO_USER | {"expirationDate": PAST}, TOO_EARLY),
    *(
        ("AddKey", who | {"expirationDate": when, "publicKey": base64.b64encode(pem).decode()}, (400, "COMMAND-5F3h1"))
        for who, when, pem in (
            (VISITOR, FOREVER, b"no key"),
            (VISITOR, FOREVER, b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"),
            (VISITOR, FOREVER, PKCS1_KEY),
            (VISITOR, FOREVER, ODD_CURVE),
            (NO_USER, PAST, b"no key"),
        )
    ),
    ("RemoveKey", VISITOR | {"keyId": NOBODY}, (404, "Machine key not found (COMMAND-4m77G)")),
    ("AddPersonalAccessToken", NO_USER | {"expirationDate": FOREVER}, (400, "COMMAND-Dggw2")),
    (
        "AddPersonalAccessToken",
        VISITOR,
        (400, "invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required"),
    ),
    *(("AddPersonalAccessToken", who | {"expirationDate": PAST}, TOO_EARLY) for who in (VISITOR, NO_USER)),
    (
        "AddPersonalAccessToken",
        A_HUMAN | {"expirationDate": FOREVER},
        (400, "Not allowed for this user type (COMMAND-Df2f1)"),
    ),
    (
        "RemovePersonalAccessToken",
        VISITOR | {"tokenId": NOBODY},
        (404, "Personal Access Token not found (COMMAND-4m77G)"),
    ),
]
AUTHORIZATIONS: list[Case] = [
    ("CreateAuthorization", ASSIGNMENT | {"userId": "{reader.id}"}, (409, "User grant already exists (V3-DKcYh)")),
    ("CreateAuthorization", ASSIGNMENT | NO_USER, (400, "User could not be found (COMMAND-4f8sg)")),
    ("CreateAuthorization", ASSIGNMENT | NO_PROJECT, (400, "Project Grant not found (COMMAND-4m9ff)")),
    ("CreateAuthorization", ASSIGNMENT | {"organizationId": NOBODY}, (400, "Project Grant not found (COMMAND-4m9ff)")),
    ("CreateAuthorization", ASSIGNMENT | ELSEWHERE, (400, "Project Grant not found (COMMAND-4m9ff)")),
    ("CreateAuthorization", ASSIGNMENT | {"roleKeys": ["no"]}, (400, "Errors.Project.Role.NotFound (COMMAND-mm9F4)")),
    ("CreateAuthorization", ASSIGNMENT | {"roleKeys": ["Admin"]}, (400, "COMMAND-mm9F4")),
    (
        "CreateAuthorization",
        ASSIGNMENT | {"roleKeys": ["admin", "admin"]},
        (400, "invalid CreateAuthorizationRequest.RoleKeys[1]: repeated value must contain unique items"),
    ),
    *(
        (
            "CreateAuthorization",
            ASSIGNMENT | {f"{name[0].lower()}{name[1:]}": ""},
            (400, f"invalid CreateAuthorizationRequest.{name}: {LENGTH}"),
        )
        for name in ("UserId", "ProjectId", "OrganizationId")
    ),
    ("ListAuthorizations", OVER_LIMIT, (400, "QUERY-4M0fs")),
    ("UpdateAuthorization", {"id": NOBODY, "roleKeys": ["admin"]}, (404, "COMMAND-3M9sd")),
    ("DeactivateAuthorization", {"id": NOBODY}, (404, "COMMAND-3M9sd")),
    ("ActivateAuthorization", {"id": NOBODY}, (404, "COMMAND-Lp0gs")),
]
ADMINISTRATORS: list[Case] = [
    ("CreateAdministrator", ADMINISTRATOR | {"roles": ["NO_SUCH_ROLE"]}, (400, "Org-4N8es")),
    ("CreateAdministrator", ADMINISTRATOR | {"roles": []}, (400, "ORG-4Mlfs")),
    ("CreateAdministrator", ADMINISTRATOR | NO_USER, (400, "ORG-GoXOn")),
    ("CreateAdministrator", ADMINISTRATOR | {"resource": None}, (400, "ADMIN-IbPp47HDP5")),
    *(
        (
            f"{method}Administrator",
            ADMINISTRATOR | {"resource": {}},
            (
                400,
                f"invalid {method}AdministratorRequest.Resource: {EMBEDDED}: "
                "invalid ResourceType.Resource: value is required",
            ),
        )
        for method in ("Create", "Update", "Delete")
    ),
    ("UpdateAdministrator", ADMINISTRATOR, (404, "Org-D8JxR")),
    ("ListAdministrators", OVER_LIMIT, (400, "QUERY-4M0fs")),
]
CASES = [
    (f"{service}/{method}", fields, expected)
    for service, rows in (
        ("ProjectService", PROJECTS),
        ("ApplicationService", APPLICATIONS),
        ("UserService", USERS),
        ("AuthorizationService", AUTHORIZATIONS),
        ("InternalPermissionService", ADMINISTRATORS),
    )
    for method, fields, expected in rows
]


EXISTENCE_BEFORE_RIGHTS = (
    *("UpdateProject", "DeactivateProject", "AddProjectRole", "UpdateApplication", "GenerateClientSecret"),
    *("DeactivateUser", "AddSecret", "UpdateAuthorization"),
)


@pytest.fixture(scope="session")
def objects(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The shared objects that the cases name, and two of their names in capitals."""
    names = ("organization", "other_organization", "project", "app", "key_app", "visitor", "reader", "human")
    shared = {name: request.getfixturevalue(name) for name in names}
    capitals = {"PROJECT_NAME": shared["project"].name.upper(), "USERNAME": shared["visitor"].username.upper()}
    return shared | capitals


def filled_in(value: Any, objects: dict[str, Any]) -> Any:
    """Replace the names of objects in a request."""
    if isinstance(value, dict):
        return {name: filled_in(inner, objects) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled_in(inner, objects) for inner in value]
    return value.format(**objects) if isinstance(value, str) else value


@pytest.mark.parametrize(("method", "fields", "expected"), CASES)
def test_the_api_refuses(
    admin: Api, objects: dict[str, Any], method: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    refused = admin.ask(method, **filled_in(fields, objects))
    assert expected == (api_error(refused) if " " in expected[1] else error_id(refused))
    field_rule = "invalid " in expected[1]
    assert ("details" in refused.json()) is not field_rule, "only an error with an ID has details"


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [case for case in CASES if case[0].split("/")[1] in EXISTENCE_BEFORE_RIGHTS and NOBODY in case[1].values()],
)
def test_a_user_without_any_role_hears_that_an_id_is_unknown(
    server: Server, objects: dict[str, Any], method: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    stranger = Api(server, objects["visitor"].pat)
    assert error_id(stranger.ask(method, **filled_in(fields, objects))) == expected


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("ProjectService/DeleteProject", NO_PROJECT, {}),
        ("ProjectService/RemoveProjectRole", NO_PROJECT | {"roleKey": "r"}, {}),
        ("ProjectService/ListProjectRoles", NO_PROJECT, {"pagination": {"appliedLimit": "100"}}),
        ("AuthorizationService/DeleteAuthorization", {"id": NOBODY}, {"deletionDate": "0001-01-01T00:00:00Z"}),
    ],
)
def test_the_api_accepts_an_unknown_id(
    admin: Api, method: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert admin.do(method, **fields) == expected
