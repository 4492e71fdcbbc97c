"""Answers of the management API that are JSON and yet none of ZITADEL's: other types, and lists without an end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.upstream import Behaviour, Received, answer, depending, json_body, upstream
from zdemo.errors import UnusableAnswer
from zdemo.management import resources as calls
from zdemo.management.client import MOST_PAGES, ManagementClient

Ask = Callable[[ManagementClient], Any]

ASSIGNMENTS: Ask = lambda client: client.assignments(project_id="1")  # noqa: E731
USER: Ask = lambda client: client.user("reader")  # noqa: E731
PROJECT: Ask = lambda client: client.project("1")  # noqa: E731
ROLES: Ask = lambda client: client.role_keys("1")  # noqa: E731
PATS: Ask = lambda client: calls.pats(client, "1")  # noqa: E731
KEYS: Ask = lambda client: calls.keys(client, "1")  # noqa: E731
NAMED: Ask = lambda client: calls.user_named(client, "reader", "")  # noqa: E731
GOT: Ask = lambda client: calls.found(client, "UserService/GetUserByID", "user", userId="1")  # noqa: E731
NO_LISTS: tuple[object, ...] = (5, "text", True, {"a": "b"}, [5], ["text"], [[]], [None])
NO_OBJECTS: tuple[object, ...] = (5, "text", True, ["text"], [{}])
SHAPES: list[tuple[Ask, dict[str, Any]]] = [
    *((ASSIGNMENTS, {"authorizations": value}) for value in NO_LISTS),
    *((ASSIGNMENTS, {"authorizations": [{"roles": value}]}) for value in NO_LISTS),
    *((ASSIGNMENTS, {"authorizations": [{"user": value}]}) for value in NO_OBJECTS),
    *((ASSIGNMENTS, {"authorizations": [{}], "pagination": value}) for value in NO_OBJECTS),
    *((USER, {"result": value}) for value in NO_LISTS),
    *((PROJECT, {"project": value}) for value in NO_OBJECTS),
    *((ROLES, {"projectRoles": value}) for value in NO_LISTS),
    *((PATS, {"result": value}) for value in NO_LISTS),
    *((KEYS, {"keys": value}) for value in NO_LISTS),
    *((NAMED, {"result": [{"userId": "1", "details": value}]}) for value in NO_OBJECTS),
    *((GOT, {"user": value}) for value in NO_OBJECTS),
]


@pytest.mark.parametrize(("ask", "said"), SHAPES, ids=[json.dumps(said) for _, said in SHAPES])
def test_what_has_another_shape_is_not_zitadels(ask: Ask, said: dict[str, Any]) -> None:
    with upstream(answer(json_body(said))) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        with pytest.raises(UnusableAnswer) as refused:
            ask(client)
        client.close()
    assert refused.value.message == "what answers at ZITADEL_DOMAIN is not ZITADEL's v2 API (200, application/json)"


def test_a_message_beside_it_is_not_what_zitadel_says() -> None:
    with upstream(answer(json_body({"project": 5, "message": "Something else (X-1)"}))) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        with pytest.raises(UnusableAnswer, match="is not ZITADEL's v2 API"):
            client.project("1")
        client.close()


def test_what_is_null_or_of_no_use_is_absent() -> None:
    row = {"user": None, "roles": None, "state": 5, "colours": 7}
    said = {"authorizations": [row], "pagination": {"totalResult": "²"}, "projects": None, "extra": [5]}
    with upstream(answer(json_body(said))) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        (assignment,) = client.assignments(project_id="1")
        client.close()
    assert (assignment.role_keys, assignment.active, assignment.user.id) == ((), False, "")


@pytest.mark.parametrize("said", [5, "text", [5], ["text"], {"a": 5}, [{"roles": 5, "orgId": "1"}]])
def test_memberships_of_another_shape_are_none(said: object) -> None:
    """They are shown only, and from an API of another version."""

    def choose(received: Received) -> Behaviour:
        if received.target == calls.MY_MEMBERSHIPS:
            return answer(json_body({"result": said}))
        return answer(json_body({"sub": "1", "user": {"username": "ada"}}))

    with upstream(depending(choose)) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        found = calls.administrator(client)
        client.close()
    assert (found.login_name, found.roles) == ("ada", ())


def test_a_list_that_does_not_end_is_left() -> None:
    said = {"authorizations": [{"id": "1"}], "pagination": {"totalResult": "99999999999"}}
    with upstream(answer(json_body(said))) as server:
        client = ManagementClient(server.url, "token", timeout_seconds=5)
        with pytest.raises(UnusableAnswer, match=r"list does not end \(ListAuthorizations\): after 1000 pages"):
            client.assignments(project_id="1")
        client.close()
        assert len(server.requests) == MOST_PAGES
