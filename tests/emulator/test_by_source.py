"""Answers that follow ZITADEL's source and have not been seen on a real ZITADEL; these run on the emulator only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.emulator_target import (
    INTROSPECT,
    NOBODY,
    USERINFO,
    Api,
    Server,
    answer,
    api_error,
    basic,
    bearer,
    error_id,
)
from tests.support.workshop import HUMAN, User, Workshop, find_organization, later
from zdemo.emulator import emulate
from zdemo.emulator.seed import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, PROJECT_ROLES, READER

MANY = 150_000  # comparing each with all before it would take minutes, and the client gives up long before


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with emulate() as emulator:
        server = Server(emulator.url)
        yield server
        server.close()


@pytest.fixture(scope="module")
def admin(server: Server) -> Api:
    return Api(server, ADMIN.pat)


@pytest.fixture(scope="module")
def workshop(admin: Api) -> Workshop:
    return Workshop(admin, find_organization(admin, ORGANIZATION_ID))


@pytest.fixture
def user(workshop: Workshop) -> User:
    return workshop.user(pat=False)


def post(admin: Api, method: str, text: str, **headers: str) -> Any:
    """A call whose JSON is written by hand."""
    path = f"/zitadel.project.v2.ProjectService/{method}"
    sent = bearer(str(admin.token)) | {"Content-Type": "application/json"}
    return admin.server.send(
        "POST", path, data=text, headers=sent | {name.replace("_", "-"): value for name, value in headers.items()}
    )


# --- the administrator of the first start ---


def test_the_administrators_token_has_no_scopes_as_one_of_the_first_start(server: Server) -> None:
    asked = server.post_form(INTROSPECT, [("token", ADMIN.pat)], basic(CLIENT_ID, CLIENT_SECRET))
    claims = asked.json()
    assert claims["active"] is True
    assert set(claims["scope"].split()) == {f"urn:zitadel:iam:org:project:role:{key}" for key in PROJECT_ROLES}
    assert not {"username", "name", "preferred_username", "urn:zitadel:iam:user:resourceowner:id"} & set(claims)
    userinfo = server.send("GET", USERINFO, headers=bearer(ADMIN.pat))
    assert answer(userinfo) == (200, {"sub": ADMIN.id})


def test_the_administrator_owns_the_instance_and_the_first_organization(admin: Api) -> None:
    found = admin.rest("POST", "/auth/v1/memberships/me/_search", {}).json()
    assert [row["roles"] for row in found["result"]] == [["IAM_OWNER"], ["ORG_OWNER"]]


# --- reading requests ---


@pytest.mark.parametrize("number", ["1", "1.0", "1e0", "10e-1", '"1"', '"1.0"', '"1e0"'])
def test_a_whole_number_may_be_written_in_any_way(admin: Api, number: str) -> None:
    page = post(admin, "ListProjects", f'{{"pagination": {{"limit": {number}}}}}')
    assert page.json()["pagination"]["appliedLimit"] == "1"


@pytest.mark.parametrize("number", ["1.5", '"1.5"', "-1", '"01"', '"1 "', "1e400", "true", '"1e99999999999999"'])
def test_any_other_number_is_no_count(admin: Api, number: str) -> None:
    page = post(admin, "ListProjects", f'{{"pagination": {{"limit": {number}}}}}')
    assert page.status_code == 400
    assert "invalid value for uint32 field limit" in page.json()["message"]


@pytest.mark.parametrize("first", ['"a"', "null"])
def test_a_field_is_given_once(admin: Api, first: str) -> None:
    twice = post(admin, "GetProject", f'{{"projectId": {first}, "projectId": "b"}}')
    assert twice.status_code == 400
    assert 'duplicate field "projectId"' in twice.json()["message"]


def test_an_unknown_field_may_be_given_twice(admin: Api) -> None:
    assert post(admin, "ListProjects", '{"colour": 1, "colour": 2}').status_code == 200


def test_a_media_type_may_be_written_in_capitals(admin: Api) -> None:
    shown = post(admin, "ListProjects", "{}", Content_Type="Application/JSON; Charset=UTF-8")
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "application/json; charset=utf-8")


def test_an_empty_protocol_version_counts_as_none(admin: Api) -> None:
    assert post(admin, "ListProjects", "{}", Connect_Protocol_Version="").status_code == 200


def test_a_text_that_postgresql_cannot_store_is_an_error_of_the_server(admin: Api) -> None:
    refused = admin.ask("ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name="a\0b")
    assert (refused.status_code, refused.json()["code"]) == (500, "unknown")


def test_a_long_list_of_ids_is_checked_in_time(admin: Api) -> None:
    ids = [str(number) for number in range(MANY)]
    assert admin.ask("ProjectService/ListProjects", filters=[{"inProjectIdsFilter": {"ids": ids}}]).status_code == 200


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_the_health_of_an_api_is_only_read(server: Server, verb: str) -> None:
    refused = server.send(verb, "/management/v1/healthz", json={})
    assert answer(refused) == (405, {"code": 12, "message": "Method Not Allowed"})


# --- lists ---


def test_a_sorting_column_of_an_unknown_number_is_ignored(admin: Api) -> None:
    assert admin.ask("ProjectService/ListProjects", sortingColumn=99).status_code == 200
    assert admin.ask("UserService/ListUsers", sortingColumn=99).status_code == 200


@pytest.mark.parametrize(("method", "found"), [(0, False), (1, True), (2, True), (3, False), (4, False)])
def test_time_filters_are_numbered_from_equals_on(admin: Api, user: User, method: int, found: bool) -> None:
    admin.do("UserService/AddPersonalAccessToken", userId=user.id, expirationDate=later(days=2))
    filters = [
        {"userIdFilter": {"id": user.id}},
        {"expirationDateFilter": {"timestamp": later(days=1), "method": method}},
    ]
    assert ("result" in admin.do("UserService/ListPersonalAccessTokens", filters=filters)) is found


def test_applications_are_sorted_by_number(admin: Api, workshop: Workshop) -> None:
    project = workshop.project()
    for name in ("b", "a", "c"):
        fields = {"projectId": project.id, "applicationId": {"b": "3", "a": "2", "c": "1"}[name], "name": name}
        admin.do("ApplicationService/CreateApplication", **fields, apiConfiguration={})
    filters = [{"projectIdFilter": {"projectId": project.id}}]
    orders = {
        number: "".join(
            row["name"]
            for row in admin.do(
                "ApplicationService/ListApplications", filters=filters, sortingColumn=number, pagination={"asc": True}
            )["applications"]
        )
        for number in (0, 1, 3)
    }
    assert orders == {0: "cab", 1: "abc", 3: "bac"}


def test_tokens_are_sorted_by_the_organization_of_their_user(admin: Api, workshop: Workshop) -> None:
    other = workshop.organization()
    ids = [workshop.user(organization=where).id for where in (other, workshop.home, other)]
    for column in (4, "PERSONAL_ACCESS_TOKEN_FIELD_NAME_ORGANIZATION_ID"):
        rows = admin.do("UserService/ListPersonalAccessTokens", sortingColumn=column, pagination={"asc": True})
        found = [row["organizationId"] for row in rows["result"] if row["userId"] in ids]
        assert found == sorted(found)


def test_users_are_found_by_phone_and_by_emails(admin: Api, workshop: Workshop) -> None:
    human = HUMAN | {"phone": {"phone": "+41791234567"}}
    fields = {"organizationId": ORGANIZATION_ID, "username": workshop.name("human"), "human": human}
    made = admin.do("UserService/CreateUser", **fields)["id"]
    for query in (
        {"phoneQuery": {"number": "+4179", "method": "TEXT_QUERY_METHOD_STARTS_WITH"}},
        {"inUserEmailsQuery": {"userEmails": ["absent@example.com", "ada@example.com"]}},
        {"inUserIdsQuery": {"userIds": [made, made, ""]}},
    ):
        assert [row["userId"] for row in admin.do("UserService/ListUsers", queries=[query])["result"]] == [made]


# --- refusals ---


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("UserService/SetUserMetadata", {"metadata": [{"key": "k", "value": "dg=="}]}, (400, "COMMAND-uXHNj")),
        ("UserService/RemoveSecret", {}, (400, "COMMAND-x7s802")),
    ],
)
def test_an_unknown_user_is_a_precondition(
    admin: Api, method: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error_id(admin.ask(method, userId=NOBODY, **fields)) == expected


@pytest.mark.parametrize("kind", [0, "APPLICATION_TYPE_UNSPECIFIED"])
def test_applications_of_no_type_cannot_be_asked_for(admin: Api, kind: Any) -> None:
    asked = admin.ask("ApplicationService/ListApplications", filters=[{"typeFilter": kind}])
    assert asked.status_code == 400
    assert asked.json()["message"].endswith("value must not be in list [0]")


def test_two_organizations_have_two_domains(admin: Api, workshop: Workshop) -> None:
    name = workshop.organization().name
    same_domain = admin.ask("OrganizationService/AddOrganization", name=name.replace("-", " ", 1))
    assert api_error(same_domain) == (409, "Domain already exists (V3-DKcYh)")


def test_a_role_whose_name_an_update_leaves_out_has_none(admin: Api, workshop: Workshop) -> None:
    project = workshop.project("r")
    admin.do("ProjectService/UpdateProjectRole", projectId=project.id, roleKey="r", group="g")
    (row,) = admin.do("ProjectService/ListProjectRoles", projectId=project.id)["projectRoles"]
    assert (row.get("displayName"), row["group"]) == (None, "g")


# --- project grants ---


def test_a_project_is_not_granted_to_its_own_organization(admin: Api) -> None:
    grant = {"projectId": PROJECT_ID, "grantedOrganizationId": ORGANIZATION_ID}
    refused = admin.ask("ProjectService/CreateProjectGrant", **grant)
    assert api_error(refused) == (400, "Project grant is invalid (PROJECT-ckUpbvboAH)")
    admin.do("ProjectService/DeleteProjectGrant", **grant)
    rows = admin.do("AuthorizationService/ListAuthorizations", filters=[{"inUserIds": {"ids": [READER.id]}}])
    assert len(rows["authorizations"]) == 1


def test_a_project_grant_is_switched_twice_and_takes_a_role_twice(admin: Api, workshop: Workshop) -> None:
    grant = {"projectId": workshop.project("r").id, "grantedOrganizationId": workshop.organization().id}
    admin.do("ProjectService/CreateProjectGrant", **grant, roleKeys=["r", "r"])
    for method in ("DeactivateProjectGrant", "DeactivateProjectGrant", "ActivateProjectGrant", "ActivateProjectGrant"):
        assert set(admin.do(f"ProjectService/{method}", **grant)) == {"changeDate"}


@pytest.mark.parametrize("method", ["UpdateProjectGrant", "DeactivateProjectGrant", "ActivateProjectGrant"])
def test_a_missing_project_grant_is_not_found(admin: Api, method: str) -> None:
    missing = {"projectId": PROJECT_ID, "grantedOrganizationId": ORGANIZATION_ID}
    assert error_id(admin.ask(f"ProjectService/{method}", **missing)) == (404, "PROJECT-D8JxR")


# --- administrators ---

INSTANCE, PROJECT = {"instance": True}, {"projectId": PROJECT_ID}


@pytest.mark.parametrize(
    ("method", "resource", "change", "expected"),
    [
        ("Create", INSTANCE, {"roles": ["NOPE"]}, (400, "INSTANCE-4m0fS")),
        ("Create", INSTANCE, {"userId": NOBODY, "roles": ["IAM_OWNER"]}, (400, "INSTA-GSXOn")),
        ("Create", INSTANCE, {"userId": ""}, (400, "INSTA-SDSfs")),
        ("Create", PROJECT, {"roles": ["NOPE"]}, (400, "PROJECT-3m9ds")),
        ("Create", PROJECT, {"roles": []}, (400, "PROJECT-W8m4l")),
        ("Create", PROJECT, {"userId": NOBODY, "roles": ["PROJECT_OWNER"]}, (400, "COMMAND-uXHNj")),
        ("Update", INSTANCE, {"roles": ["IAM_OWNER"]}, (404, "INSTANCE-D8JxR")),
        ("Update", INSTANCE, {"roles": []}, (400, "INSTANCE-LiaZi")),
        ("Update", PROJECT, {"roles": ["PROJECT_OWNER"]}, (404, "PROJECT-D8JxR")),
        ("Update", PROJECT, {"roles": []}, (400, "PROJECT-LiaZi")),
    ],
)
def test_each_resource_refuses_administrators_in_its_own_words(
    admin: Api,
    user: User,
    method: str,
    resource: dict[str, Any],
    change: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    fields = {"userId": user.id, "resource": resource} | change
    assert error_id(admin.ask(f"InternalPermissionService/{method}Administrator", **fields)) == expected


@pytest.mark.parametrize(
    ("resource", "role", "expected"),
    [
        (INSTANCE, "IAM_OWNER", "Errors.Instance.Member.AlreadyExists (INSTA-pFDwe)"),
        (PROJECT, "PROJECT_OWNER", "Project member already exists (PROJECT-PtXi1)"),
    ],
)
def test_one_is_made_administrator_of_a_resource_once(
    admin: Api, user: User, resource: dict[str, Any], role: str, expected: str
) -> None:
    fields = {"userId": user.id, "resource": resource, "roles": [role]}
    admin.do("InternalPermissionService/CreateAdministrator", **fields)
    assert api_error(admin.ask("InternalPermissionService/CreateAdministrator", **fields)) == (409, expected)


def test_an_administrator_of_the_instance_may_be_without_roles(admin: Api, user: User) -> None:
    admin.do("InternalPermissionService/CreateAdministrator", userId=user.id, resource=INSTANCE)
