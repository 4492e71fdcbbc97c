"""Faults, bad input and many streams: the client's answer, the records, and the other clients."""

import gzip
from contextlib import ExitStack

import pytest

from tests.emulator.grpc.client import GET, LENGTH, LIST, MANAGEMENT, MINE, UNREADABLE, USERS, Client, call, connected
from tests.support.emulator_target import Server
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import PROJECT_ID, Emulator, new_fault

pytestmark = pytest.mark.usefixtures("emulator_only")

KEY, CREATE = f"{USERS}/AddKey", "zitadel.application.v2.ApplicationService/CreateApplication"
YEAR = b"\x0a\x015\x12\x07\x08\xff\xff\xff\xff\xff\x2a"  # an expiration after the year 9999
LOST = "no message arrived, or gRPC refused it"
EMPTY = b"\0\0\0\0\0"  # a message without fields
ZEROS = gzip.compress(bytes(8_000_000))  # 8 kB
BOMB = b"\1" + len(ZEROS).to_bytes(4, "big") + ZEROS
WORD = (
    "ApiConfiguration: embedded message failed validation | caused by: invalid CreateAPIApplicationRequest."
    "AuthMethodType: value must be one of the defined enum values"
)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("reset", "UNAVAILABLE Socket closed°"),
        ("truncated", "UNAVAILABLE Socket closed°"),
        ("rate-limited", "RESOURCE_EXHAUSTED Errors.Limits.Instance.Blocked (LIMITS-molsj)°"),
        ("internal-error", "INTERNAL Errors.Internal°"),
        ("database-away", "INTERNAL unable to set instance using origin"),
        ("not-json", "UNKNOWN unexpected HTTP status 200 OK°"),
        ("redirect", "UNKNOWN unexpected HTTP status 302 Found°"),
    ],
)
def test_a_fault_gives_a_status(own: Emulator, client: Client, kind: str, status: str) -> None:
    own.faults.add(new_fault(kind, times=1))
    assert client.refused(MINE).startswith(status)
    assert own.requests[-1].reason == f"fault: {kind}"
    assert client.send(MINE), "the next call is answered"


def test_a_late_answer_comes_whole_or_the_deadline_ends_the_call_alone(own: Emulator, client: Client) -> None:
    for kind in ("slow", "drip"):
        own.faults.add(new_fault(kind, times=1, seconds=0))
        assert client.send(MINE)
    own.faults.add(new_fault("hang", path=f"/{LIST}"))
    hanging = client.channel.unary_unary(f"/{LIST}").future(b"", metadata=client.login)
    eventually("the call hangs", lambda: len(own.requests) == 3)
    assert client.refused(LIST, seconds=0.3) == "DEADLINE_EXCEEDED Deadline Exceeded°"
    assert client.send(MINE), "on the same connection"
    assert not hanging.done()
    own.faults.clear()
    assert hanging.result()


@pytest.mark.parametrize(
    ("body", "fields", "reason"),
    [
        (b"\0\0\0\0\x09a", {}, LOST),
        (b"\0\0\x50\0\0a", {}, LOST),  # 5 MiB are announced
        (b"\1\0\0\0\x01a", {"grpc-encoding": "gzip"}, LOST),
        (BOMB, {"grpc-encoding": "gzip"}, LOST),
        (EMPTY, {"grpc-timeout": "soon"}, LOST),
        (EMPTY, {":path": "/caf\u00e9"}, "the emulator does not serve this: unknown path"),
        (EMPTY, {":path": "//[::1"}, "the path has empty, . or .. segments"),
        (EMPTY, {":authority": "[::1"}, "no instance for host [::1"),
    ],
    ids=["cut", "large", "not gzip", "bomb", "timeout", "path", "no address", "no host"],
)
def test_a_broken_call_is_recorded_and_others_are_answered(
    own: Emulator, client: Client, body: bytes, fields: dict[str, str], reason: str
) -> None:
    with connected(own.port, call(own.port, GET, body, fields)):
        eventually("the call is recorded", lambda: len(own.requests) == 1)
        assert own.requests[-1].reason == reason
        assert client.send(MINE)


@pytest.mark.parametrize(
    ("method", "message", "status"),
    [
        (GET, b"\x0a\x015\xfa\x7f\x01a", "NOT_FOUND User could not be found (QUERY-Dfbg2)"),  # an unknown field
        (GET, b"\x08\x05", f"INVALID_ARGUMENT {LENGTH}°"),  # a number for a text
        (GET, b"\x0a\x01\xff", f"INVALID_ARGUMENT {UNREADABLE}°"),  # not UTF-8
        (GET, b"\x0a\x015\x0a", f"INVALID_ARGUMENT {UNREADABLE}°"),  # cut
        (LIST, b"\x1a\x00" * 6000, "RESOURCE_EXHAUSTED message has more than 5000 values°"),
        (KEY, YEAR, f"INVALID_ARGUMENT {UNREADABLE}°"),
        (CREATE, b"\x0a\x015\x1a\x01n\x32\x02\x08\x63", f"INVALID_ARGUMENT invalid CreateApplicationRequest.{WORD}°"),
        (f"{USERS}/DeleteUserMetadata", b"\x12\x01k", "FAILED_PRECONDITION User could not be found (COMMAND-uXHNj)"),
    ],
)
def test_a_message_with_bad_content_is_read_as_protobuf_reads_it(
    client: Client, method: str, message: bytes, status: str
) -> None:
    assert client.refused(method, message) == status
    assert client.send(LIST, b"\x10\x63"), "an unknown column to sort by is ignored"


def test_a_redirect_uri_that_is_none_makes_no_list_fail(client: Client) -> None:
    project, wrong = {"projectId": PROJECT_ID}, ["http://[::1/in", "/in"]
    client.ask(f"{MANAGEMENT}/AddOIDCApp", **project, name="typo", redirectUris=wrong)
    rows = client.ask(f"{MANAGEMENT}/ListApps", **project)["result"]
    assert [row["oidcConfig"]["redirectUris"] for row in rows if row["name"] == "typo"] == [wrong]


@pytest.mark.thorough
def test_a_thousand_calls_at_once_are_answered_beside_http_1_1(near: Server, client: Client) -> None:
    ask = client.channel.unary_unary(f"/{MINE}")
    calls = [ask.future(b"", metadata=client.login, timeout=3 * PATIENCE_SECONDS) for _ in range(1000)]
    assert near.get("/debug/healthz").status_code == 200
    assert len({call.result() for call in calls}) == 1


def test_stalled_clients_do_not_delay_others(own: Emulator, near: Server, client: Client) -> None:
    whole = call(own.port, MINE, b"", ended=False)
    with ExitStack() as connections:
        for start in (whole, whole[:16], whole[:24], whole[:16] + b"garbage") * 20:
            connections.enter_context(connected(own.port, start))
        assert client.send(MINE)
        assert near.get("/debug/healthz").status_code == 200
    eventually("all are recorded", lambda: [record.reason for record in own.requests].count(LOST) == 20)
