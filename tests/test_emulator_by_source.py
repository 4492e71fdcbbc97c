"""What the emulator answers by ZITADEL's source or for a developer's sake: nobody has asked a real ZITADEL.

What a real one is known to answer is tested in ``tests/emulator``, which runs against either.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.server import Api, Server, answer, bearer
from tests.emulator.workshop import User, Workshop, find_organization
from zdemo.emulator import emulate
from zdemo.emulator.known import (
    ADMIN,
    ORGANIZATION_ID,
)

MANY = 30_000
SECONDS_FOR_MANY = 3


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


def test_a_long_list_of_ids_keeps_nobody_waiting(admin: Api) -> None:
    ids = [str(number) for number in range(MANY)]
    start = time.monotonic()
    assert admin.ask("ProjectService/ListProjects", filters=[{"inProjectIdsFilter": {"ids": ids}}]).status_code == 200
    assert time.monotonic() - start < SECONDS_FOR_MANY


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_the_health_of_an_api_is_only_read(server: Server, verb: str) -> None:
    refused = server.send(verb, "/management/v1/healthz", json={})
    assert answer(refused) == (405, {"code": 12, "message": "Method Not Allowed"})
