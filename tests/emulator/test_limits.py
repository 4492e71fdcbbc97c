"""What the emulator limits: the size of bodies, the depth of queries, and the effect of a defect of its own."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.emulator_target import INTROSPECT, NOBODY, Api, Server, answer, api_error, basic, oauth_refusal
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, World, emulate, known_world
from zdemo.emulator.api.request_bodies import LARGEST_MESSAGE_BYTES
from zdemo.emulator.oidc.forms import LARGEST_FORM_BYTES

CONNECT = "/zitadel.project.v2.ProjectService/ListProjects"
REST = "/v2/users"
JSON = {"Content-Type": "application/json"}
TOO_LARGE = (429, f"message is larger than configured max {LARGEST_MESSAGE_BYTES}")
BOMB_BYTES = 64 * 1024 * 1024
PATIENCE_SECONDS = 10
CLIENT = basic(CLIENT_ID, CLIENT_SECRET)


pytestmark = pytest.mark.usefixtures("emulator_only")


# --- large bodies


def pieces(size: int) -> Iterator[bytes]:
    """A chunked body."""
    yield b"{"
    for _ in range(size // 65536):
        yield b" " * 65536
    yield b"}"


@pytest.mark.parametrize("path", [CONNECT, REST])
def test_a_message_may_be_as_large_as_with_grpc_and_no_larger(server: Server, path: str) -> None:
    just = b"{}".ljust(LARGEST_MESSAGE_BYTES)
    assert server.send("POST", path, data=just, headers=JSON).status_code == 401, "it is read, and has no token"
    assert api_error(server.send("POST", path, data=just + b" ", headers=JSON)) == TOO_LARGE


def test_each_protocol_has_its_own_code_for_a_message_that_is_too_large(server: Server) -> None:
    codes = [
        server.send("POST", path, data=pieces(BOMB_BYTES), headers=JSON).json()["code"] for path in (CONNECT, REST)
    ]
    assert codes == ["resource_exhausted", 8]


@pytest.mark.parametrize("path", [CONNECT, REST])
def test_a_small_body_that_unpacks_to_a_large_one_is_no_message(server: Server, path: str) -> None:
    bomb = gzip.compress(b" " * BOMB_BYTES)
    assert len(bomb) < LARGEST_MESSAGE_BYTES
    assert api_error(server.send("POST", path, data=bomb, headers={**JSON, "Content-Encoding": "gzip"})) == TOO_LARGE


@pytest.mark.parametrize("members", [1, 2])
def test_a_gzipped_message_is_read_to_its_last_byte(admin: Api, members: int) -> None:
    text = b'{"filters": [{"inProjectIdsFilter": {"ids": ["' + NOBODY.encode() + b'"]}}]}'
    packed = gzip.compress(text) if members == 1 else gzip.compress(text[:9]) + gzip.compress(text[9:])
    headers = {**JSON, "Content-Encoding": "gzip", "Authorization": f"Bearer {admin.token}"}
    assert admin.server.send("POST", CONNECT, data=packed, headers=headers).json() == {
        "pagination": {"appliedLimit": "100"}
    }
    assert admin.server.send("POST", CONNECT, data=packed[:-1], headers=headers).json()["code"] == "invalid_argument"


@pytest.mark.parametrize("size", [LARGEST_FORM_BYTES + 1, BOMB_BYTES])
def test_a_form_that_is_too_large_is_unreadable_and_the_connection_lives_on(server: Server, size: int) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded"} | CLIENT
    form = f"token={READER.pat}".encode()
    refused = server.send("POST", INTROSPECT, data=form + b"&".ljust(size - len(form), b"x"), headers=sent)
    assert answer(refused) == oauth_refusal("invalid_request", "error parsing form")
    assert server.send("POST", INTROSPECT, data=form, headers=sent).json()["active"] is True


# --- deep queries


def nested(depth: int, kind: str = "orQuery") -> dict[str, Any]:
    """A query that matches the reader, inside so many others."""
    query: dict[str, Any] = {"userNameQuery": {"userName": READER.username}}
    for _ in range(depth):
        query = {kind: {"query": query} if kind == "notQuery" else {"queries": [query]}}
    return query


@pytest.mark.parametrize("kind", ["orQuery", "andQuery", "notQuery"])
def test_queries_are_nested_to_20_levels(admin: Api, kind: str) -> None:
    (row,) = admin.do("UserService/ListUsers", queries=[nested(20, kind)])["result"]
    assert row["userId"] == READER.id


@pytest.mark.parametrize("kind", ["orQuery", "andQuery", "notQuery"])
def test_deeper_queries_are_refused(admin: Api, kind: str) -> None:
    refused = admin.ask("UserService/ListUsers", queries=[nested(21, kind)])
    assert api_error(refused) == (400, "Too many query nesting levels (Max 20) (USER-zsQ97)")


@pytest.mark.parametrize("depth", [30, 40, 100, 150, 200, 240])
def test_far_deeper_queries_are_invalid_too(admin: Api, depth: int) -> None:
    refused = admin.ask("UserService/ListUsers", queries=[nested(depth)])
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_argument")


# --- defects of the emulator


class Broken(dict[str, Any]):
    """A table that fails when it is read."""

    def get(self, *_: Any) -> Any:
        raise RuntimeError("broken by the test")

    values = get


class Unread(logging.Handler):
    """A log that blocks until it is released, like a pipe without a reader."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reached, self.read = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - the signature of its class
        self.reached.set()
        self.read.wait()


def broken_world() -> World:
    world = known_world()
    world.applications = Broken()
    return world


def test_a_blocked_log_holds_up_the_failing_request_alone() -> None:
    log, pipe = logging.getLogger("zdemo.emulator"), Unread()
    with emulate(broken_world()) as emulator, ThreadPoolExecutor(1) as beside:
        log.addHandler(pipe)
        try:
            failing = beside.submit(Server(emulator.url).post_form, INTROSPECT, [("token", "x")], CLIENT)
            assert pipe.reached.wait(PATIENCE_SECONDS)
            assert Server(emulator.url).get("/debug/healthz").text == "ok"
            pipe.read.set()
            assert failing.result().status_code == 500
        finally:
            pipe.read.set()
            log.removeHandler(pipe)
