"""The management calls: what is asked of ZITADEL's v2 API, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.connection_faults import DATABASE_AWAY, FAULTS, WRONG_HOST
from tests.support.upstream import Behaviour, Received, answer, depending, json_body, refusing_port, upstream
from zdemo.emulator import Emulator, emulate
from zdemo.emulator.seed import ADMIN, ORGANIZATION_ID, PROJECT_ID, PROJECT_NAME, READER, VISITOR
from zdemo.errors import ManagementError, UnusableAnswer, ZdemoError, ZitadelUnavailable
from zdemo.management.client import PAGE_SIZE, ManagementClient
from zdemo.management.model import role_assignment


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulate() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[ManagementClient]:
    management = ManagementClient(emulator.url, ADMIN.pat, timeout_seconds=5)
    yield management
    management.close()


@pytest.mark.parametrize("name", ["reader", "Reader", READER.id])
def test_a_user_is_found_by_login_name_whatever_its_case_or_by_id(client: ManagementClient, name: str) -> None:
    user = client.user(name)
    assert user
    assert (user.id, user.login_name) == (READER.id, "reader")


@pytest.mark.parametrize("name", ["", "read", "nobody", "reader ", "*", "353545601679690242"])
def test_nothing_but_the_whole_name_finds_a_user(client: ManagementClient, name: str) -> None:
    try:
        assert client.user(name) is None
    except ManagementError as error:
        assert (name, error.code) == ("", "invalid_argument")  # noqa: PT017  # one of two outcomes


def test_project_roles_and_assignments_are_read(client: ManagementClient) -> None:
    assert client.project(PROJECT_ID) == (PROJECT_NAME, ORGANIZATION_ID)
    assert client.role_keys(PROJECT_ID) == ["read:messages", "admin"]
    (assignment,) = client.assignments(project_id=PROJECT_ID)
    assert (assignment.user.id, assignment.role_keys, assignment.active) == (READER.id, ("read:messages",), True)
    assert (assignment.project_id, assignment.organization_id) == (PROJECT_ID, ORGANIZATION_ID)
    assert client.assignments(user_id=VISITOR.id) == []
    assert client.assignments(user_id=READER.id, project_id="1") == []


def test_a_token_may_ask_for_its_own_assignments(emulator: Emulator) -> None:
    own = ManagementClient(emulator.url, READER.pat, timeout_seconds=5)
    assert [a.role_keys for a in own.assignments(user_id=READER.id)] == [("read:messages",)]
    own.close()


def test_a_row_without_anything_is_an_assignment_of_nothing() -> None:
    empty = role_assignment({})
    assert (empty.id, empty.active, empty.role_keys, empty.user.login_name) == ("", False, (), "")
    assert role_assignment({"user": None, "project": {}, "roles": [{}]}).role_keys == ("",)


def _pages(total: int) -> Behaviour:
    """A list of ``total`` rows, given out as ZITADEL does: page by page, ``totalResult`` absent beyond the end."""

    def choose(received: Received) -> Behaviour:
        asked = json.loads(received.body)["pagination"]
        begin = int(asked["offset"])
        rows = [{"key": str(n)} for n in range(begin, min(begin + asked["limit"], total))]
        page: dict[str, Any] = {"pagination": {"totalResult": str(total)} if rows else {}, "projectRoles": rows}
        return answer(json_body({name: value for name, value in page.items() if value}))

    return depending(choose)


@pytest.mark.parametrize(
    ("total", "requests"),
    [(0, 1), (1, 1), (PAGE_SIZE - 1, 1), (PAGE_SIZE, 1), (PAGE_SIZE + 1, 2), (2 * PAGE_SIZE + 5, 3)],
)
def test_lists_are_read_to_their_end_in_no_more_requests_than_needed(total: int, requests: int) -> None:
    with upstream(_pages(total)) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        assert client.role_keys("1") == [str(n) for n in range(total)]
        client.close()
        assert len(server.requests) == requests


def test_a_call_is_connect_with_json_and_the_token_in_the_header() -> None:
    with upstream(answer(json_body({"project": {"name": "x", "organizationId": "1"}}))) as server:
        client = ManagementClient(server.url, "the-token", timeout_seconds=5)
        client.project("7")
        client.close()
        (received,) = server.requests
    assert (received.method, received.target) == ("POST", "/zitadel.project.v2.ProjectService/GetProject")
    assert received.headers["authorization"] == "Bearer the-token"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["connect-protocol-version"] == "1"
    assert json.loads(received.body) == {"projectId": "7"}


def _error(text: str, status: int, code: str = "code") -> Behaviour:
    return answer(json_body({"code": code, "message": text}), status)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (_error("Errors.Token.Invalid (AUTH-7fs1e)", 401), ManagementError, "ZITADEL_ADMIN_PAT is not valid"),
        (_error("membership not found (AUTHZ-cdgFk)", 404), ManagementError, "no administrator"),
        (_error("No matching permissions found (AUTH-5mWD2)", 403), ManagementError, "too small"),
        (_error("Project not found (QUERY-fk2fs)", 404, "not_found"), ManagementError, "ZITADEL_PROJECT_ID"),
        (_error("Something else (X-1)", 400), ManagementError, "ZITADEL says: Something else (X-1)"),
        (_error("Errors.Limits.Instance.Blocked (LIMITS-molsj)", 429), ZitadelUnavailable, "429"),
        (FAULTS["502 as HTML"].behaviour, ZitadelUnavailable, "502"),
        (FAULTS["HTML"].behaviour, UnusableAnswer, "text/html"),
        (FAULTS["404, unknown path"].behaviour, UnusableAnswer, "404"),
        (FAULTS["array"].behaviour, UnusableAnswer, "200"),
        (FAULTS["302"].behaviour, UnusableAnswer, "302"),
        (_error("Method Not Allowed", 501), UnusableAnswer, "is not ZITADEL's v2 API"),
        (WRONG_HOST, UnusableAnswer, "ZITADEL_DOMAIN"),
        (DATABASE_AWAY, ZitadelUnavailable, "database"),
        (_error("unable to set instance using origin: ID=QUERY-1kIjX", 404), UnusableAnswer, "ZITADEL_DOMAIN"),
        (_error("unable to set instance using origin: ID=QUERY-d3fas", 404), ZitadelUnavailable, "database"),
    ],
)
def test_each_refusal_is_an_error_that_says_what_to_do(
    behaviour: Behaviour, kind: type[ZdemoError], words: str
) -> None:
    with upstream(behaviour) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        with pytest.raises(kind) as refused:
            client.project("1")
        client.close()
    assert words in refused.value.message
    assert refused.value.hint or "ZITADEL says" in words


def test_an_error_keeps_zitadels_own_words_for_whoever_asks(client: ManagementClient) -> None:
    with pytest.raises(ManagementError) as refused:
        client.project("1")
    assert (refused.value.status, refused.value.code, refused.value.error_id) == (404, "not_found", "QUERY-fk2fs")


def test_nobody_there_is_unavailable() -> None:
    with refusing_port() as port:
        client = ManagementClient(f"http://127.0.0.1:{port}", "token", timeout_seconds=5)
        with pytest.raises(ZitadelUnavailable, match="refuses connections"):
            client.project("1")
