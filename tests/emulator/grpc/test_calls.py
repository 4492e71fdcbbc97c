"""gRPC on the emulator's port, by grpcio's client: answers, refusals, records, health and reflection."""

import threading
from typing import cast

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.emulator.grpc.client import GET, LENGTH, MANAGEMENT, MINE, UNREADABLE, USERS, Client, message
from tests.support.emulator_target import Server
from tests.support.waiting import eventually
from tests.support.zitadel_api import Api
from zdemo.emulator import ADMIN, READER, VISITOR, Emulator, emulate, known_start, new_fault
from zdemo.emulator.api import SERVICES

pytestmark = pytest.mark.usefixtures("emulator_only")

ADD = f"{USERS}/AddPersonalAccessToken"


def test_grpc_gives_the_answers_of_json_and_changes_the_same_objects(near: Server, client: Client) -> None:
    api = Api(near, ADMIN.pat)
    assert client.ask(GET, userId=READER.id) == api.users.GetUserByID(userId=READER.id).response.json()
    assert client.ask(MINE) == api.rest("GET", "/auth/v1/users/me").response.json()
    text = client.ask(ADD, userId=READER.id, expirationDate="2100-01-01T00:00:00Z")["token"]
    Api(near, text).rest("GET", "/auth/v1/users/me").has(user={"id": READER.id})


@pytest.mark.parametrize(
    ("token", "method", "content", "status"),
    [
        (None, GET, b"", "UNAUTHENTICATED auth header missing°"),
        ("wrong", GET, b"", "UNAUTHENTICATED Errors.Token.Invalid (AUTH-7fs1e)"),
        (ADMIN.pat, GET, message("5"), "NOT_FOUND User could not be found (QUERY-Dfbg2)"),
        (VISITOR.pat, f"{MANAGEMENT}/AddMachineUser", b"", "NOT_FOUND membership not found (AUTHZ-cdgFk)"),
        (ADMIN.pat, GET, b"", f"INVALID_ARGUMENT {LENGTH}°"),
        (None, MINE, b"\xff", f"INVALID_ARGUMENT {UNREADABLE}°"),
        (None, f"{USERS}/Paint", b"", f"UNIMPLEMENTED unknown method Paint for service {USERS}°"),
        (None, f"{MANAGEMENT}/Paint", b"", f"UNIMPLEMENTED unknown method Paint for service {MANAGEMENT}°"),
        (None, "paint.v9.Service/Paint", b"", "UNIMPLEMENTED unknown service paint.v9.Service°"),
    ],
)
def test_a_refusal_has_code_message_and_detail(
    own: Emulator, token: str | None, method: str, content: bytes, status: str
) -> None:
    with Client(own.port, token) as client:
        assert client.refused(method, content) == status


def test_a_call_is_recorded_as_a_request_and_its_answer_names_the_number(own: Emulator, client: Client) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        client.send(GET, message("5"))
    record = own.requests[-1]
    assert (record.method, record.path, record.status, record.user) == ("POST", f"/{GET}", 404, "zdemo-admin")
    assert record.reason == "User could not be found (QUERY-Dfbg2)"
    headers = dict(cast(grpc.Call, caught.value).initial_metadata())
    assert (headers["x-zdemo-request"], headers["x-zdemo-emulator"]) == (str(record.number), own.world.name)


def test_health_needs_no_token_and_knows_what_is_served(own: Emulator) -> None:
    with Client(own.port, None) as client:
        for content in (b"", message(USERS), message(MANAGEMENT)):
            assert client.send("grpc.health.v1.Health/Check", content) == b"\x08\x01"
        unknown = client.refused("grpc.health.v1.Health/Check", message("paint.v9.Service"))
    assert unknown == "NOT_FOUND unknown service°"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_describes_what_is_served(own: Emulator, version: str) -> None:
    with Client(own.port, None) as client:
        listing = client.channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
        (names,) = listing(iter([b"\x3a\x00"]), timeout=20)
        assert all(name.encode() in names for name in SERVICES)
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(client.channel))
        assert pool.FindMessageTypeByName("zitadel.user.v2.User").fields_by_name["state"].number == 2
        assert pool.FindMethodByName(f"{USERS}.GetUserByID").input_type.name == "GetUserByIDRequest"


def test_the_end_of_an_emulator_ends_its_calls_and_threads() -> None:
    before = set(threading.enumerate())
    with emulate() as own, Client(own.port) as client:
        client.ask(MINE)
        own.faults.add(new_fault("hang"))
        hanging = client.channel.unary_unary(f"/{MINE}").future(b"", metadata=client.login)
        eventually("the call hangs", lambda: len(own.requests) == 2)
    assert hanging.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    eventually("all threads end", lambda: set(threading.enumerate()) <= before)
    with emulate(known_start().world, port=own.port), Client(own.port) as client:
        assert client.ask(MINE)
