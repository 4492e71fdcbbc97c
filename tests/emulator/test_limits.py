"""What the emulator limits: the size and number of bodies, what is in them, and the effect of a defect of its own."""

import gzip
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.emulator_target import INTROSPECT, Server, answer, basic, oauth_refusal
from tests.support.upstream import LOOPBACK
from tests.support.waiting import eventually
from tests.support.wire import converse, exchange, request
from tests.support.zitadel_api import Api
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER
from zdemo.emulator.api.protocols import MOST_VALUES
from zdemo.emulator.incoming.body import FREE_BYTES, LARGEST_BODY_BYTES, MOST_LARGE_BODIES
from zdemo.emulator.oidc.client_authentication import MOST_PARAMETERS
from zdemo.emulator.oidc.responses import FORM

CONNECT = "/zitadel.project.v2.ProjectService/ListProjects"
REST = "/v2/users"
JSON_TYPE = "application/json"
JSON = {"Content-Type": JSON_TYPE}
UNREADABLE_FORM = oauth_refusal("invalid_request", "error parsing form")
TOO_LARGE = f"message is larger than configured max {LARGEST_BODY_BYTES}"
BOMB_BYTES = 64 * 1024 * 1024
PATIENCE_SECONDS = 10
CLIENT = basic(CLIENT_ID, CLIENT_SECRET)


pytestmark = pytest.mark.usefixtures("emulator_only")


def pieces(size: int) -> Iterator[bytes]:
    yield b"{"
    for _ in range(size // 65536):
        yield b" " * 65536
    yield b"}"


@pytest.mark.thorough
@pytest.mark.parametrize(("path", "code"), [(CONNECT, "resource_exhausted"), (REST, 8)])
def test_a_message_may_be_as_large_as_the_limit_and_no_larger(server: Server, path: str, code: str | int) -> None:
    just = b"{}".ljust(LARGEST_BODY_BYTES)
    assert server.send("POST", path, data=just, headers=JSON).status_code == 401, "it is read, and has no token"
    bomb = gzip.compress(b" " * BOMB_BYTES)
    assert len(bomb) < LARGEST_BODY_BYTES
    packed = {**JSON, "Content-Encoding": "gzip"}
    for data, headers in ((just + b" ", JSON), (pieces(BOMB_BYTES), JSON), (bomb, packed)):
        response = server.send("POST", path, data=data, headers=headers)
        assert answer(response) == (429, {"code": code, "message": TOO_LARGE})


def fields(content_type: str, *others: str) -> list[str]:
    return [f"Content-Type: {content_type}", f"Authorization: {CLIENT['Authorization']}", *others]


@pytest.mark.parametrize(("path", "content_type"), [(INTROSPECT, FORM), (CONNECT, JSON_TYPE), (REST, JSON_TYPE)])
@pytest.mark.parametrize("kind", ["announced", "chunked"])
def test_a_body_that_is_too_large_is_refused_before_it_has_arrived(
    server: Server, path: str, content_type: str, kind: str
) -> None:
    announced = kind == "announced"
    length = f"Content-Length: {BOMB_BYTES}" if announced else "Transfer-Encoding: chunked"
    head = request(path, *fields(content_type, length), method="POST", host=server.host, close=False)
    sent = b"" if announced else b"%x\r\n" % BOMB_BYTES + b" " * (LARGEST_BODY_BYTES + 100_000)
    reply = exchange(server.port, head + sent)
    assert (reply.status, reply.json.get("error")) in [(400, "invalid_request"), (429, None)]
    assert reply.one("connection") == "close"


def test_large_unfinished_bodies_get_so_much_memory_and_no_more(near: Server) -> None:
    largest = LARGEST_BODY_BYTES
    head = request(INTROSPECT, *fields(FORM, f"Content-Length: {largest}"), method="POST", host=near.host)
    with ExitStack() as stack:
        held = []
        for _ in range(MOST_LARGE_BODIES + 6):
            held.append(sock := stack.enter_context(socket.create_connection((LOOPBACK, near.port))))
            sock.settimeout(PATIENCE_SECONDS)
            with suppress(ConnectionError):  # refused while it was sent
                sock.sendall(head + b"a" * (largest - 1))
        ready, _, _ = select.select(held, [], [], PATIENCE_SECONDS)
        assert converse(ready[0], b"").status == 503
        form = [("token", "x"), ("padding", "a" * (FREE_BYTES // 2))]
        assert answer(near.post_form(INTROSPECT, form, CLIENT)) == (200, {"active": False})
    form = [("token", "x"), ("padding", "a" * 1_000_000)]
    eventually("the memory is free again", lambda: near.post_form(INTROSPECT, form, CLIENT).status_code == 200)


def test_a_form_has_a_hundred_parameters_and_the_size_of_the_limit_at_most(server: Server) -> None:
    form = [("token", READER.pat), *[("a", "b")] * (MOST_PARAMETERS - 1)]
    query = "&".join(["a=b"] * (MOST_PARAMETERS + 1))
    for refused in (
        server.post_form(INTROSPECT, [*form, ("a", "b")], CLIENT),
        server.post_form(f"{INTROSPECT}?{query}", form, CLIENT),
        server.post_form(INTROSPECT, [("token", READER.pat), ("a", "b" * LARGEST_BODY_BYTES)], CLIENT),
    ):
        assert answer(refused) == UNREADABLE_FORM
    assert server.post_form(INTROSPECT, form, CLIENT).json()["active"] is True


def test_a_message_has_so_many_values_at_most(admin: Api) -> None:
    ids = [str(number) for number in range(MOST_VALUES - 10)]
    admin.projects.ListProjects(filters=[{"inProjectIdsFilter": {"ids": ids}}]).has()
    for content in (b"[]," * MOST_VALUES + b"[]", b"{}," * MOST_VALUES + b"{}", b"1," * MOST_VALUES + b"1"):
        large = admin.post("ProjectService/ListProjects", b'{"filters": [' + content + b"]}")
        large.refused(429, f"message has more than {MOST_VALUES} values")
