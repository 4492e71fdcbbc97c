"""Answers that follow ZITADEL's source and have not been seen on a real ZITADEL; these run on the emulator only."""

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
from tests.support.workshop import HUMAN, User, Workshop
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, PROJECT_ROLES

pytestmark = pytest.mark.usefixtures("emulator_only")


@pytest.fixture
def user(workshop: Workshop) -> User:
    return workshop.user(pat=False)


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
    page = admin.post("ProjectService/ListProjects", f'{{"pagination": {{"limit": {number}}}}}')
    assert page.json()["pagination"]["appliedLimit"] == "1"


@pytest.mark.parametrize("number", ["1.5", '"1.5"', "-1", '"01"', '"1 "', "1e400", "true", '"1e99999999999999"'])
def test_any_other_number_is_no_count(admin: Api, number: str) -> None:
    page = admin.post("ProjectService/ListProjects", f'{{"pagination": {{"limit": {number}}}}}')
    assert page.status_code == 400


@pytest.mark.parametrize("first", ['"a"', "null"])
def test_a_field_is_given_once(admin: Api, first: str) -> None:
    twice = admin.post("ProjectService/GetProject", f'{{"projectId": {first}, "projectId": "b"}}')
    assert twice.status_code == 400


def test_an_unknown_field_may_be_given_twice(admin: Api) -> None:
    assert admin.post("ProjectService/ListProjects", '{"colour": 1, "colour": 2}').status_code == 200


def test_a_media_type_may_be_written_in_capitals(admin: Api) -> None:
    shown = admin.post("ProjectService/ListProjects", "{}", Content_Type="Application/JSON; Charset=UTF-8")
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "application/json; charset=utf-8")


def test_an_empty_protocol_version_counts_as_none(admin: Api) -> None:
    assert admin.post("ProjectService/ListProjects", "{}", Connect_Protocol_Version="").status_code == 200


def test_a_text_that_postgresql_cannot_store_is_an_error_of_the_server(admin: Api) -> None:
    refused = admin.ask("ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name="a\0b")
    assert (refused.status_code, refused.json()["code"]) == (500, "unknown")


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_the_health_of_an_api_is_only_read(server: Server, verb: str) -> None:
    refused = server.send(verb, "/management/v1/healthz", json={})
    assert answer(refused) == (405, {"code": 12, "message": "Method Not Allowed"})


# --- lists ---


def test_a_sorting_column_of_an_unknown_number_is_ignored(admin: Api) -> None:
    assert admin.ask("ProjectService/ListProjects", sortingColumn=99).status_code == 200
    assert admin.ask("UserService/ListUsers", sortingColumn=99).status_code == 200


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


def test_users_are_found_by_phone_and_by_emails(admin: Api, workshop: Workshop) -> None:
    human = HUMAN | {"phone": {"phone": "+41791234567"}}
    fields = {"organizationId": ORGANIZATION_ID, "username": workshop.name("human"), "human": human}
    made = admin.do("UserService/CreateUser", **fields)["id"]
    mine = {"inUserIdsQuery": {"userIds": [made, made, ""]}}
    for query in (
        {"phoneQuery": {"number": "+4179", "method": "TEXT_QUERY_METHOD_STARTS_WITH"}},
        {"inUserEmailsQuery": {"userEmails": ["absent@example.com", "ada@example.com"]}},
    ):
        assert [row["userId"] for row in admin.rows("UserService/ListUsers", queries=[query, mine])] == [made]


# --- refusals ---

INSTANCE, PROJECT = {"resource": {"instance": True}}, {"resource": {"projectId": PROJECT_ID}}
GRANT = {"projectId": PROJECT_ID, "grantedOrganizationId": ORGANIZATION_ID}
CREATE, UPDATE = "InternalPermissionService/CreateAdministrator", "InternalPermissionService/UpdateAdministrator"
METADATA = [{"key": "k", "value": "dg=="}]


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("UserService/SetUserMetadata", {"userId": NOBODY, "metadata": METADATA}, (400, "COMMAND-uXHNj")),
        ("UserService/RemoveSecret", {"userId": NOBODY}, (400, "COMMAND-x7s802")),
        ("ProjectService/CreateProjectGrant", GRANT, (400, "PROJECT-ckUpbvboAH")),
        ("ProjectService/UpdateProjectGrant", GRANT, (404, "PROJECT-D8JxR")),
        ("ProjectService/DeactivateProjectGrant", GRANT, (404, "PROJECT-D8JxR")),
        ("ProjectService/ActivateProjectGrant", GRANT, (404, "PROJECT-D8JxR")),
        (CREATE, INSTANCE | {"roles": ["NOPE"]}, (400, "INSTANCE-4m0fS")),
        (CREATE, INSTANCE | {"userId": NOBODY, "roles": ["IAM_OWNER"]}, (400, "INSTA-GSXOn")),
        (CREATE, INSTANCE | {"userId": ""}, (400, "INSTA-SDSfs")),
        (CREATE, INSTANCE | {"userId": ADMIN.id, "roles": ["IAM_OWNER"]}, (409, "INSTA-pFDwe")),
        (CREATE, PROJECT | {"roles": ["NOPE"]}, (400, "PROJECT-3m9ds")),
        (CREATE, PROJECT | {"roles": []}, (400, "PROJECT-W8m4l")),
        (CREATE, PROJECT | {"userId": NOBODY, "roles": ["PROJECT_OWNER"]}, (400, "COMMAND-uXHNj")),
        (UPDATE, INSTANCE | {"roles": ["IAM_OWNER"]}, (404, "INSTANCE-D8JxR")),
        (UPDATE, INSTANCE | {"roles": []}, (400, "INSTANCE-LiaZi")),
        (UPDATE, PROJECT | {"roles": ["PROJECT_OWNER"]}, (404, "PROJECT-D8JxR")),
        (UPDATE, PROJECT | {"roles": []}, (400, "PROJECT-LiaZi")),
    ],
)
def test_the_api_refuses(
    admin: Api, user: User, method: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert error_id(admin.ask(method, **({"userId": user.id} | fields))) == expected


@pytest.mark.parametrize("kind", [0, "APPLICATION_TYPE_UNSPECIFIED"])
def test_there_is_no_filter_for_applications_without_a_type(admin: Api, kind: Any) -> None:
    refused = admin.ask("ApplicationService/ListApplications", filters=[{"typeFilter": kind}])
    assert refused.status_code == 400
    assert refused.json()["message"].endswith("value must not be in list [0]")


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


def test_a_project_grant_is_switched_twice_and_takes_a_role_twice(admin: Api, workshop: Workshop) -> None:
    grant = {"projectId": workshop.project("r").id, "grantedOrganizationId": workshop.organization().id}
    admin.do("ProjectService/CreateProjectGrant", **grant, roleKeys=["r", "r"])
    for method in ("DeactivateProjectGrant", "DeactivateProjectGrant", "ActivateProjectGrant", "ActivateProjectGrant"):
        assert set(admin.do(f"ProjectService/{method}", **grant)) == {"changeDate"}


# --- administrators ---


def test_an_administrator_of_the_instance_may_be_without_roles(admin: Api, user: User) -> None:
    admin.do(CREATE, userId=user.id, **INSTANCE)


def test_a_user_is_made_administrator_of_a_project_once(admin: Api, user: User) -> None:
    fields = PROJECT | {"userId": user.id, "roles": ["PROJECT_OWNER"]}
    admin.do(CREATE, **fields)
    assert api_error(admin.ask(CREATE, **fields)) == (409, "Project member already exists (PROJECT-PtXi1)")
