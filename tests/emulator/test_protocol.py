"""The API's protocols: Connect with JSON, its REST twin, and the errors that both give before a method is reached."""

import gzip
import json
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Api, Server, api_error, bearer, connect_path, error_id
from tests.support.waiting import eventually
from tests.support.workshop import Pat, Project, User, Workshop

LIST_PROJECTS = "ProjectService/ListProjects"
LIST = connect_path(LIST_PROJECTS)
JSON = {"Content-Type": "application/json"}
MALFORMED = "the body is not valid JSON for this method"
INVALID_TOKEN = "Errors.Token.Invalid (AUTH-7fs1e)"


def test_an_empty_body_is_not_an_empty_object(admin: Api) -> None:
    assert api_error(admin.post(LIST_PROJECTS, "")) == (400, MALFORMED)


@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', '{"filters": 5}', '{"pagination": {"limit": "x"}}'])
def test_a_body_that_is_no_request_is_refused(admin: Api, body: str) -> None:
    response = admin.post(LIST_PROJECTS, body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")
    assert response.json()["message"] == MALFORMED
    assert "details" not in response.json()


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; colour=blue"],
)
def test_another_content_type_is_415_without_a_body(server: Server, admin: Api, content_type: str | None) -> None:
    headers = bearer(str(admin.token)) | ({} if content_type is None else {"Content-Type": content_type})
    response = server.send("POST", LIST, data="{}", headers=headers)
    assert (response.status_code, response.content) == (415, b"")
    assert "application/json" in response.headers["Accept-Post"].split(", ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405_without_a_body(server: Server, method: str) -> None:
    response = server.send(method, LIST, headers=JSON)
    assert (response.status_code, response.content) == (405, b"")
    assert response.headers["Allow"] == "POST"


def test_an_unknown_method_of_a_known_service_is_a_plain_404(admin: Api) -> None:
    response = admin.ask("ProjectService/PaintProject")
    assert (response.status_code, response.text.strip()) == (404, "404 page not found")
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path",
    [
        "/zitadel.project.v2.PaintService/PaintProject",
        "/zitadel.management.v1.ManagementService/Healthz",
        "/v2/projects",
        "/v2/applications",
        "/no/such/path",
    ],
)
def test_any_other_unknown_path_is_a_404_of_the_rest_api(server: Server, path: str) -> None:
    response = server.send("POST", path, json={})
    assert (response.status_code, response.json()) == (404, {"code": 5, "message": "Not Found"})
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Connect_Protocol_Version": "1"},
        {"Content_Type": "application/json; charset=utf-8"},
        {"Content_Encoding": "gzip"},
        {"Transfer_Encoding": "chunked"},
    ],
    ids=["plain", "version", "charset", "gzip", "chunked"],
)
def test_a_body_is_read_in_all_its_forms(admin: Api, headers: dict[str, str]) -> None:
    content = json.dumps({"filters": [{"in_project_ids_filter": {"ids": [NOBODY], "colour": "blue"}}]}).encode()
    body = gzip.compress(content) if "Content_Encoding" in headers else content
    sent = {name: value for name, value in headers.items() if name != "Transfer_Encoding"}  # requests adds this one
    response = admin.post(LIST_PROJECTS, iter([body[:9], body[9:]]) if "Transfer_Encoding" in headers else body, **sent)
    assert (response.status_code, response.json()) == (200, {"pagination": {"appliedLimit": "100"}})
    assert response.headers["Content-Type"] == headers.get("Content_Type", "application/json")
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    assert "Set-Cookie" not in response.headers


def test_another_protocol_version_is_refused(admin: Api) -> None:
    response = admin.post(LIST_PROJECTS, "{}", Connect_Protocol_Version="2")
    assert api_error(response) == (400, 'Connect-Protocol-Version must be "1": got "2"')


def test_another_compression_is_not_implemented(admin: Api) -> None:
    response = admin.post(LIST_PROJECTS, "{}", Content_Encoding="br")
    assert api_error(response) == (501, 'unknown compression "br": supported encodings are gzip')
    assert response.json()["code"] == "unimplemented"


def test_an_error_is_never_gzipped(server: Server) -> None:
    response = server.send("POST", LIST, json={}, headers={"Accept-Encoding": "gzip"})
    assert response.status_code == 401
    assert "Content-Encoding" not in response.headers


def test_a_preflight_is_answered_without_a_token(server: Server) -> None:
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    response = server.send("OPTIONS", LIST, headers=asked)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


def test_an_unknown_word_of_an_enumeration_counts_as_its_default(workshop: Workshop, project: Project) -> None:
    app = workshop.app(project, apiConfiguration={"authMethodType": "NOPE"})
    assert len(app.secret) == 64


def test_without_an_authorization_header_it_says_so_and_gives_no_id(server: Server) -> None:
    response = Api(server, None).ask("ProjectService/ListProjects")
    assert response.status_code == 401
    assert response.json() == {"code": "unauthenticated", "message": "auth header missing"}


@pytest.mark.parametrize("header", ["bearer {}", "Basic {}", "{}"])
def test_the_scheme_is_bearer_exactly(admin: Api, header: str) -> None:
    response = admin.post(LIST_PROJECTS, "{}", Authorization=header.format(admin.token))
    assert error_id(response) == (401, "AUTH-toLo1")


def test_a_bad_token_is_told_by_its_raw_key(server: Server, deleted_pat: Pat) -> None:
    for token in ("garbage", deleted_pat.token):
        response = Api(server, token).ask("ProjectService/ListProjects")
        assert api_error(response) == (401, INVALID_TOKEN)
        assert response.json()["code"] == "unauthenticated"


def test_an_error_with_an_id_repeats_it_in_a_detail(admin: Api) -> None:
    body = admin.ask("ProjectService/GetProject", projectId=NOBODY).json()
    assert body["code"] == "not_found"
    assert body["message"] == "Project not found (QUERY-fk2fs)"
    (detail,) = body["details"]
    assert detail["type"] == "zitadel.v1.ErrorDetail"
    assert detail["debug"] == {"id": "QUERY-fk2fs", "message": "Project not found"}
    assert not detail["value"].endswith("=")


def test_checks_come_in_this_order(server: Server, visitor: User, project: Project) -> None:
    anybody, stranger = Api(server, None), Api(server, visitor.pat)
    unreadable = server.send("POST", LIST, data="{", headers=JSON)
    assert unreadable.status_code == 400, "the body comes before authentication"
    assert anybody.ask("ProjectService/GetProject", projectId="").status_code == 401, "then authentication"
    assert stranger.ask("ProjectService/UpdateProject", projectId="").status_code == 400, "then the fields"
    unknown = error_id(stranger.ask("ProjectService/UpdateProject", projectId=NOBODY))
    assert unknown == (404, "COMMAND-3M9sd"), "then whether the object exists"
    assert error_id(stranger.ask("ProjectService/UpdateProject", projectId=project.id)) == (404, "AUTHZ-cdgFk")


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GetProject", {"projectId": ""}),
        ("ListProjects", {"pagination": {"limit": 1001}}),
        ("ListProjectRoles", {"projectId": ""}),
    ],
)
def test_methods_that_read_projects_check_membership_before_the_fields(
    server: Server, visitor: User, method: str, fields: dict[str, Any]
) -> None:
    refused = Api(server, visitor.pat).ask(f"ProjectService/{method}", **fields)
    assert api_error(refused) == (404, "membership not found (AUTHZ-cdgFk)")


def test_an_unknown_organization_in_the_header_is_refused(admin: Api) -> None:
    response = admin.ask("ProjectService/ListProjects", {"x-zitadel-orgid": NOBODY})
    assert api_error(response) == (403, "Organisation doesn't exist (AUTH-Bs7Ds)")


def test_an_organization_in_the_header_does_not_narrow_a_list(admin: Api, project: Project, workshop: Workshop) -> None:
    other = workshop.organization()
    mine = [{"inProjectIdsFilter": {"ids": [project.id]}}]
    listed = admin.ask("ProjectService/ListProjects", {"x-zitadel-orgid": other.id}, filters=mine)
    assert [row["projectId"] for row in listed.json()["projects"]] == [project.id]


def test_the_rest_twin_numbers_its_errors_and_adds_a_challenge(server: Server) -> None:
    response = Api(server, None).rest("POST", "/v2/users", {})
    assert (response.status_code, response.json()) == (401, {"code": 16, "message": "auth header missing"})
    assert response.headers["WWW-Authenticate"] == "auth header missing"


def test_the_rest_twin_shows_a_user(admin: Api, visitor: User) -> None:
    shown = eventually("the user can be read", lambda: admin.rest("GET", f"/v2/users/{visitor.id}").json().get("user"))
    assert (shown["userId"], shown["username"]) == (visitor.id, visitor.username)


def test_an_error_of_the_rest_twin_has_its_id_in_a_detail(admin: Api) -> None:
    response = admin.rest("GET", f"/v2/users/{NOBODY}")
    assert response.status_code == 404
    assert response.json() == {
        "code": 5,
        "message": "User could not be found (QUERY-Dfbg2)",
        "details": [
            {
                "@type": "type.googleapis.com/zitadel.v1.ErrorDetail",
                "id": "QUERY-Dfbg2",
                "message": "User could not be found",
            }
        ],
    }


def test_the_rest_twin_takes_an_empty_body_and_any_content_type(server: Server, admin: Api) -> None:
    assert server.send("POST", "/v2/users", headers=bearer(str(admin.token))).status_code == 200
    headers = bearer(str(admin.token)) | {"Content-Type": "text/plain"}
    assert server.send("POST", "/v2/users", data="{}", headers=headers).status_code == 200


def test_the_rest_twin_refuses_half_a_body(server: Server, admin: Api) -> None:
    response = server.send("POST", "/v2/users", data="{", headers=JSON | bearer(str(admin.token)))
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert response.json()["message"] == MALFORMED


def test_another_method_on_a_rest_path_is_405(admin: Api) -> None:
    response = admin.rest("GET", "/v2/users")
    assert (response.status_code, response.json()) == (405, {"code": 12, "message": "Method Not Allowed"})
