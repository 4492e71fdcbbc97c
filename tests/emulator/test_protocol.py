"""The API's protocols: Connect with JSON, its REST twin, and the errors that both give before a method is reached."""

import gzip
import json

import pytest

from tests.support.emulator_target import NOBODY, Server, answer, bearer
from tests.support.workshop import Fresh, Pat
from tests.support.zitadel_api import Api, connect_path

LIST_PROJECTS = "ProjectService/ListProjects"
LIST = connect_path(LIST_PROJECTS)
JSON = {"Content-Type": "application/json"}
NOT_FOUND = (404, {"code": 5, "message": "Not Found"})


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', '{"filters": 5}', '{"pagination": {"limit": "x"}}'])
def test_a_body_that_is_not_a_message_is_refused(server: Server, admin: Api, body: str) -> None:
    answer = admin.post(LIST_PROJECTS, body)
    answer.refused(400)
    assert answer.response.json()["code"] == "invalid_argument"
    if body:
        twin = server.send("POST", "/v2/users", data=body.replace("filters", "queries").replace("pagination", "query"))
        assert (twin.status_code, twin.json()["code"]) == (400, 3)


def test_another_content_type_is_415_without_a_body(server: Server, admin: Api) -> None:
    for media in ("", "text/plain", "application/x-www-form-urlencoded", "application/json; colour=blue"):
        headers = bearer(str(admin.token)) | ({"Content-Type": media} if media else {})
        response = server.send("POST", LIST, data="{}", headers=headers)
        assert (response.status_code, response.content) == (415, b"")
        assert "application/json" in response.headers["Accept-Post"].split(", ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(server: Server, admin: Api, method: str) -> None:
    response = server.send(method, LIST, headers=JSON)
    assert (response.status_code, response.content, response.headers["Allow"]) == (405, b"", "POST")
    assert answer(admin.rest(method, "/v2/users").response) == (405, {"code": 12, "message": "Method Not Allowed"})


def test_an_unknown_path_is_a_404_and_an_unknown_method_of_a_known_service_a_plain_one(admin: Api) -> None:
    for path in ("/zitadel.project.v2.PaintService/Paint", "/v2/projects", "/v2/applications", "/no/such/path"):
        response = admin.rest("POST", path, {}).response
        assert answer(response) == NOT_FOUND
        assert response.headers["Content-Type"] == "application/json"
    response = admin.ask("ProjectService/PaintProject").response
    assert (response.status_code, response.text.strip()) == (404, "404 page not found")
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "headers",
    [
        {"Connect_Protocol_Version": "1"},
        {"Content_Type": "application/json; charset=utf-8"},
        *({f"{name}_Encoding": coding} for name, coding in (("Content", "gzip"), ("Transfer", "chunked"))),
    ],
    ids=str,
)
def test_a_body_is_read_in_all_its_forms(admin: Api, headers: dict[str, str]) -> None:
    body = json.dumps({"filters": [{"in_project_ids_filter": {"ids": [NOBODY], "colour": "blue"}}]}).encode()
    body = gzip.compress(body) if "Content_Encoding" in headers else body
    sent = {name: value for name, value in headers.items() if name != "Transfer_Encoding"}  # requests adds this one
    content = iter([body[:9], body[9:]]) if "Transfer_Encoding" in headers else body
    response = admin.post(LIST_PROJECTS, content, **sent).response
    assert (response.status_code, response.json()) == (200, {"pagination": {"appliedLimit": "100"}})
    assert response.headers["Content-Type"] == headers.get("Content_Type", "application/json")
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Connect_Protocol_Version": "2"}, 400, "invalid_argument"),
        ({"Content_Encoding": "br"}, 501, "unimplemented"),
        ({"Content_Encoding": "gzip"}, 400, "invalid_argument"),
    ],
)
def test_another_protocol_is_refused(admin: Api, headers: dict[str, str], status: int, code: str) -> None:
    response = admin.post(LIST_PROJECTS, "{}", **headers).response
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_rest_call_without_a_body_takes_a_list_from_repeated_parameters(admin: Api, fresh: Fresh) -> None:
    path, values = f"/v2/users/{fresh.user.id}/metadata", [{"key": key, "value": "AA=="} for key in "abc"]
    admin.rest("POST", path, {"metadata": values}).only("setDate")
    admin.rest("DELETE", f"{path}?keys=a&keys=c").only("deletionDate")
    admin.rest("POST", f"{path}/search").has(metadata=[{"key": "b", "value": "AA=="}])
    organization = fresh.organization
    admin.rest("POST", f"/v2/organizations/{organization.id}", {"name": f"{organization.name} 2"}).only("changeDate")


def test_without_an_authorization_header_it_says_so_and_gives_no_id(server: Server) -> None:
    api = Api(server, None)
    response = api.post("ProjectService/GetProject", '{"projectId": ""}', Accept_Encoding="gzip").response
    assert response.json() == {"code": "unauthenticated", "message": "auth header missing"}
    assert (response.status_code, "Content-Encoding" in response.headers) == (401, False)
    twin = api.rest("POST", "/v2/users", {}).response
    assert answer(twin) == (401, {"code": 16, "message": "auth header missing"})
    assert twin.headers["WWW-Authenticate"] == "auth header missing"


def test_bad_credentials_are_told_by_their_raw_key(server: Server, admin: Api, deleted_pat: Pat) -> None:
    for header in ("bearer {}", "Basic {}", "{}"):
        admin.post(LIST_PROJECTS, "{}", Authorization=header.format(admin.token)).refused(401, id="AUTH-toLo1")
    for token in ("garbage", deleted_pat.token):
        answer = Api(server, token).projects.ListProjects()
        answer.refused(401, "Errors.Token.Invalid", id="AUTH-7fs1e")
        assert answer.response.json()["code"] == "unauthenticated"


def test_an_error_with_an_id_repeats_it_in_a_detail(admin: Api) -> None:
    body = admin.projects.GetProject(projectId=NOBODY).response.json()
    (detail,) = body.pop("details")
    assert body == {"code": "not_found", "message": "Project not found (QUERY-fk2fs)"}
    assert not detail.pop("value").endswith("=")
    debug = {"id": "QUERY-fk2fs", "message": "Project not found"}
    assert detail == {"type": "zitadel.v1.ErrorDetail", "debug": debug}
    debug = {"id": "QUERY-Dfbg2", "message": "User could not be found"}
    details = [{"@type": "type.googleapis.com/zitadel.v1.ErrorDetail", **debug}]
    twin = {"code": 5, "message": "User could not be found (QUERY-Dfbg2)", "details": details}
    assert answer(admin.rest("GET", f"/v2/users/{NOBODY}").response) == (404, twin)
