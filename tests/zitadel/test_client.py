"""The transport of the management API: the wire, pages, refusals, and answers of another shape."""

import json
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.support.connection_faults import FAULTS
from tests.support.upstream import Behaviour, Received, Upstream, answer, depending, json_body, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.errors import ManagementError, UnusableAnswer, ZdemoError, ZitadelUnavailable
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient

PAGE = resources.PAGE_SIZE


@contextmanager
def client_of(behaviour: Behaviour) -> Iterator[tuple[ManagementClient, Upstream]]:
    with (
        upstream(behaviour) as server,
        closing(ManagementClient(ZitadelAddress(server.url), "the-token", timeout_seconds=5)) as client,
    ):
        yield client, server


@pytest.mark.parametrize("knows_the_filter", [True, False])
def test_an_application_is_found_by_its_client_id_at_any_zitadel(knows_the_filter: bool) -> None:
    wanted, other = ({"applicationId": number, "apiConfiguration": {"clientId": number}} for number in ("7", "8"))

    def choose(received: Received) -> Behaviour:
        wants_one = json.loads(received.body)["filters"] == [{"clientIdFilter": {"clientId": "7"}}]
        if wants_one and not knows_the_filter:
            return _error("invalid ApplicationSearchFilter.Filter: value is required", 400, "invalid_argument")
        return answer(json_body({"applications": [wanted] if wants_one else [other, wanted]}))

    with client_of(depending(choose)) as (client, server):
        application = resources.find_application(client, "7")
        assert application is not None
        assert application.id == "7"
        assert len(server.requests) == (1 if knows_the_filter else 2)


def test_a_call_is_connect_with_json_and_the_token_in_the_header() -> None:
    with client_of(answer(json_body({"project": {"name": "x", "organizationId": "1"}}))) as (client, server):
        resources.get_project(client, "7")
        (received,) = server.requests
    assert (received.method, received.target) == ("POST", "/zitadel.project.v2.ProjectService/GetProject")
    assert received.headers["authorization"] == "Bearer the-token"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["connect-protocol-version"] == "1"
    assert json.loads(received.body) == {"projectId": "7"}


def _roles(total: int, visible: Container[int]) -> Behaviour:
    """As ZITADEL: it counts the rows and cuts the pages, and then leaves out what the caller may not see."""

    def choose(received: Received) -> Behaviour:
        page = json.loads(received.body)["pagination"]
        begin = int(page["offset"])
        place = range(begin, min(begin + page["limit"], total))
        rows = [{"key": str(n)} for n in place if n in visible]
        counted = {"totalResult": str(total)} if place else {}
        return answer(json_body({"pagination": counted | {"appliedLimit": str(page["limit"])}, "projectRoles": rows}))

    return depending(choose)


@pytest.mark.parametrize(
    ("total", "visible", "requests"),
    [
        *((total, range(total), n) for total, n in ((0, 1), (PAGE, 1), (PAGE + 1, 2), (2 * PAGE + 5, 3))),
        (2 * PAGE, [7, PAGE + 7], 2),  # the others are hidden
    ],
)
def test_lists_are_read_whole_in_as_few_requests_as_possible(total: int, visible: Sequence[int], requests: int) -> None:
    with client_of(_roles(total, visible)) as (client, server):
        assert list(resources.list_roles(client, "1")) == [str(n) for n in visible]
        assert len(server.requests) == requests


@pytest.mark.thorough
def test_a_list_that_does_not_end_is_left() -> None:
    endless = {"authorizations": [{"id": "1"}], "pagination": {"totalResult": "99999999999"}}
    with client_of(answer(json_body(endless))) as (client, server):
        with pytest.raises(UnusableAnswer, match=r"list does not end \(ListAuthorizations\): after 1000 pages"):
            resources.list_assignments(client, project_id="1")
        assert len(server.requests) == resources.MOST_PAGES


def _error(text: str, status: int, code: str = "code") -> Behaviour:
    return answer(json_body({"code": code, "message": text}), status)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (_error("Errors.Token.Invalid (AUTH-7fs1e)", 401), ManagementError, "the administrator's token is not valid"),
        (_error("membership not found (AUTHZ-cdgFk)", 404, "5"), ManagementError, "not an administrator"),
        (_error("No matching permissions found (AUTH-5mWD2)", 403), ManagementError, "user is not enough"),
        (_error("Something else (X-1)", 400), ManagementError, "ZITADEL says: Something else (X-1)"),
        (_error("Not Found", 404, "5"), ManagementError, "too old"),
        (FAULTS["404, unknown path"].behaviour, UnusableAnswer, "is not ZITADEL's v2 API (404, text/plain)"),
        (FAULTS["HTML"].behaviour, UnusableAnswer, "text/html"),
        (_error("unable to set instance: ID=QUERY-d3fas", 500, "internal"), ZitadelUnavailable, "database"),
    ],
)
def test_each_refusal_says_what_to_do(behaviour: Behaviour, kind: type[ZdemoError], words: str) -> None:
    with client_of(behaviour) as (client, _), pytest.raises(kind) as refused:
        resources.get_project(client, "1")
    assert words in refused.value.message
    assert refused.value.hint or "ZITADEL says" in words


Ask = Callable[[ManagementClient], Any]

ASSIGNMENTS: Ask = lambda client: resources.list_assignments(client, project_id="1")  # noqa: E731  # a row of tables
NO_LISTS: tuple[object, ...] = (5, ["text"])
SHAPES: list[tuple[Ask, dict[str, Any]]] = [
    *((ASSIGNMENTS, {"authorizations": value}) for value in NO_LISTS),
    *((ASSIGNMENTS, {"authorizations": [{"roles": value}]}) for value in NO_LISTS),
    *((ASSIGNMENTS, {"authorizations": [{}], "pagination": value}) for value in (5, {"totalResult": "²"})),
    (lambda client: resources.find_user(client, "reader"), {"result": [{"userId": "1", "details": "text"}]}),
    (lambda client: resources.list_roles(client, "1"), {"projectRoles": 5}),
    (lambda client: resources.get_project(client, "1"), {"project": 5, "message": "Something else (X-1)"}),
    (lambda client: resources.get_project(client, "1"), {"project": {"name": 5}}),
    (lambda client: resources.get_project(client, "1"), {}),
]


@pytest.mark.parametrize(("ask", "fields"), SHAPES, ids=[json.dumps(fields) for _, fields in SHAPES])
def test_json_of_another_shape_is_not_zitadels(ask: Ask, fields: dict[str, Any]) -> None:
    with client_of(answer(json_body(fields))) as (client, _), pytest.raises(UnusableAnswer) as refused:
        ask(client)
    assert refused.value.message == "the server at ZITADEL_DOMAIN is not ZITADEL's v2 API (200, application/json)"


def test_null_and_unknown_fields_are_absent() -> None:
    row = {"user": None, "roles": None, "state": None, "colours": 7}
    fields = {"authorizations": [row], "pagination": None, "projects": None, "extra": [5]}
    with client_of(answer(json_body(fields))) as (client, _):
        (assignment,) = resources.list_assignments(client, project_id="1")
    assert (assignment.role_keys, assignment.active, assignment.user_id) == ((), False, "")
