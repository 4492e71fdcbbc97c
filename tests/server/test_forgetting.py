"""What makes the API forget, in all its workers: orders to ``POST /-/forget``, and events of ZITADEL's Actions v2.

The events are emulated after ZITADEL's sources and documentation.
"""

import hmac
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, Api, Endpoint, running, settings_for
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.served import environment_for, served
from tests.support.upstream import Upstream, upstream
from tests.support.waiting import eventually
from tests.support.wire import Reply, request
from zdemo.emulator import READER
from zdemo.guard.forget import Forget
from zdemo.guard.guard import Refusal
from zdemo.server import create_app
from zdemo.server.forgetting import (
    ANOTHER_TIME,
    EVENTS_PATH,
    FORGETTING,
    NO_SIGNATURE,
    NOT_SIGNED,
    WORKER_UNCONFIRMED,
    Forgetting,
    add_zitadel_events,
    checked_signature,
    order_of_event,
)
from zdemo.serving.bus import Bus
from zdemo.serving.loopback import is_local_program

USER = PAT_CLAIMS["sub"]
KEY = "0123456789abcdef"
BEARER_KEY = f"Authorization: Bearer {KEY}"
JSON = "Content-Type: application/json"


def order(body: object, *fields: str, **options: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("/-/forget", JSON, *fields, method="POST", body=data, **options)


@pytest.fixture(scope="module")
def local() -> Iterator[Api]:
    with running(create_app(settings_for("http://localhost:9"))) as api:
        yield api


@pytest.fixture(scope="module")
def keyed() -> Iterator[Api]:
    with running(create_app(replace(settings_for("http://localhost:9"), forget_key=KEY))) as api:
        yield api


FORWARDED = "X-Forwarded-For: 192.0.2.1"
ADMISSION: list[tuple[bool, tuple[str, ...], dict[str, Any], int]] = [  # with a key, fields, options, status
    *((False, (), {"host": host}, 200) for host in ("127.0.0.1:5000", "LOCALHOST:80", "[::1]:5000")),
    (False, (), {"host": "localhost.example.com"}, 403),
    (False, (), {"version": "HTTP/1.0"}, 403),
    (False, ("Origin: http://localhost:5000",), {}, 403),
    (False, ("Sec-Fetch-Site: same-origin",), {}, 403),
    (False, (FORWARDED,), {}, 403),
    (False, ("Forwarded: for=127.0.0.1",), {}, 403),
    (False, ("Via: 1.1 proxy",), {}, 403),
    (False, ("X-Real-IP: 127.0.0.1",), {}, 403),
    (True, (BEARER_KEY,), {}, 200),
    (True, (BEARER_KEY, FORWARDED), {"host": "api.example.com"}, 200),
    (True, (), {}, 403),
    *((True, (f"Authorization:{value}",), {}, 403) for value in (f" Basic {KEY}", f" Bearer {KEY}x", " Bearer \xff")),
    (True, (BEARER_KEY, BEARER_KEY), {}, 403),
]


@pytest.mark.parametrize(("has_key", "fields", "options", "status"), ADMISSION)
def test_a_program_on_this_machine_may_give_orders_or_whoever_has_the_key(
    has_key: bool, fields: tuple[str, ...], options: dict[str, Any], status: int, local: Api, keyed: Api
) -> None:
    reply = (keyed if has_key else local).send(order({"everything": True}, *fields, **options))
    assert reply.status == status
    assert KEY not in reply.body.decode()
    if status == 403:
        assert reply.json["error"] == "forbidden"
        assert "ZDEMO_FORGET_KEY" in reply.json["error_description"]
    else:
        assert reply.json == {"forgotten": 0}


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "localhost"])
def test_other_machines_may_not(peer: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "localhost:5000", "SERVER_PROTOCOL": "HTTP/1.1"}
    assert not is_local_program(environ)
    assert is_local_program(environ | {"REMOTE_ADDR": "127.0.0.1"})


GOOD: list[object] = [{"user_id": USER}, {"token": READER.pat}, {"everything": True}]
BAD: list[object] = [
    *(b"", b"\xff", b"[" * 5000, [], {}),
    *({"user_id": 1}, {"everything": False}, {"token": ["x"]}, {"token": "Bearer x"}, {"token_hash": "00" * 64}),
    *({"user_id": "1", "everything": True}, {"user_id": "1", "number": "7"}),
]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        *((order(body), 200) for body in GOOD),
        *((order(body), 400) for body in BAD),
        (order(b" " * 65537), 413),
        (request("/-/forget", "Content-Type: text/plain", method="POST", body=b'{"everything": true}'), 415),
        (request("/-/forget"), 405),
    ],
)
def test_an_order_names_a_user_or_a_token_or_everything(data: bytes, status: int, local: Api) -> None:
    assert local.send(data).status == status


def environment(up: Upstream, **more: str) -> dict[str, str]:
    return {**environment_for(up.url), "ZITADEL_PROJECT_ID": PROJECT, "ZDEMO_CACHE_TTL": "3600", **more}


def each_worker(api: Endpoint, up: Upstream, count: int) -> list[int]:
    """Ask until each worker had to ask ZITADEL, and return the statuses. A connection goes to any worker."""
    before, statuses = len(up.requests), []

    def ask() -> int:
        statuses.append(api.get(SCOPED).status)
        return len(up.requests) - before

    eventually("each worker has asked", lambda: max(ask() for _ in range(10)), lambda asked: asked == count)
    return statuses


@pytest.mark.thorough
def test_the_very_next_request_to_each_worker_is_refused_also_to_one_that_replaces_a_killed_one(tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, served(tmp_path, environment(up), "--workers", "2") as api:
        assert set(each_worker(api, up, 2)) == {200}
        killed = api.workers[0].pid
        os.kill(killed, signal.SIGKILL)
        eventually("it is replaced", lambda: [worker for worker in api.workers if worker.pid != killed][1:])
        each_worker(api, up, 1)
        up.now(WITHOUT_ROLE)
        confirmed = eventually(
            "both confirm", lambda: api.send(order({"user_id": "another"})), lambda reply: reply.status == 200
        )
        assert confirmed.json == {"forgotten": 0}
        assert {api.get(SCOPED).status for _ in range(20)} == {200}
        assert api.send(order({"user_id": USER})).json == {"forgotten": 2}
        assert set(each_worker(api, up, 2)) == {401}


def test_an_order_that_another_worker_does_not_confirm_has_no_result() -> None:
    hub, pipe = multiprocessing.Pipe()  # nobody reads at the other end
    order = Forget(everything=True)
    obeyed: list[Forget] = []
    bus = Bus(pipe, others=1)

    def obey(order: Forget) -> int:
        obeyed.append(order)
        return 1

    forgetting = Forgetting(obey, lambda _: True, bus, confirm_seconds=0.1)
    assert forgetting.everywhere(order) is WORKER_UNCONFIRMED
    assert obeyed == [order]
    hub.close()


EVENTS_KEY = "98KmsU67"  # ZITADEL's documentation has keys of this form
NOW = 1_764_200_000
BODY = b'{"aggregateID":"1","aggregateType":"user","event_type":"user.locked"}'
RIGHT = "e59dc5ab91f761abeb54cc0f8729e5cc8a6b10975531f8ee119320c6f9054ab2"


def event(kind: str, aggregate: str = "user", aggregate_id: str = USER, **payload: Any) -> dict[str, Any]:
    """Return what counts of an event of ZITADEL (internal/repository/execution/queue.go); ``userID`` caused it."""
    about = {"aggregateID": aggregate_id, "aggregateType": aggregate, "userID": "336392597046755331"}
    return {**about, "event_type": kind, "event_payload": payload or None}


LOCKED = json.dumps(event("user.locked")).encode()


def signature(body: bytes, key: str = EVENTS_KEY, at: int | None = None) -> str:
    at = int(time.time()) if at is None else at
    return f"t={at},v1={hmac.new(key.encode(), b'%d.%s' % (at, body), sha256).hexdigest()}"


def send(api: Api, body: bytes, *fields: str) -> Reply:
    return api.send(request(EVENTS_PATH, JSON, *fields, method="POST", body=body))


SIGNATURES: list[tuple[str, float, object]] = [  # header field, age, result; None is the right signature
    ("t={now},v1={right}", 0, None),
    ("t={now},v1={right}", 300, None),
    ("t={now},v1={right}", -300, None),
    ("t={now},v1={wrong},v1={right}", 0, None),
    ("t={now}, v1={right}, v2=unknown", 0, None),
    ("t={now},v1={right}", 301, ANOTHER_TIME),
    ("t={now},v1={right}", -301, ANOTHER_TIME),
    ("", 0, NO_SIGNATURE),
    *(
        (header, 0, NOT_SIGNED)
        for header in (
            "t={now},v1={right}x",
            "t={now},v1=\xff\u20ac",
            "t={now},v2={right}",
            "t={now},t={now},v1={right}",
            "t={later},v1={right}",
            "t=" + "9" * 400 + ",v1={right}",
        )
    ),
    ("t={now},v1={right}x", 301, NOT_SIGNED),
]


@pytest.mark.parametrize(("header", "age", "result"), SIGNATURES)
def test_the_targets_key_signs_time_and_body(header: str, age: float, result: object) -> None:
    """The right signature is that of: printf '%s' "$t.$body" | openssl dgst -sha256 -hmac "$key"."""
    text = header.format(now=NOW, later=NOW + 1, right=RIGHT, wrong="0" * 64)
    assert checked_signature(text, BODY, EVENTS_KEY, now=NOW + age) == (RIGHT if result is None else result)


@pytest.mark.parametrize(("body", "key"), [(BODY + b" ", EVENTS_KEY), (BODY, "another"), (BODY, "")])
def test_another_body_or_key_does_not_count(body: bytes, key: str) -> None:
    assert checked_signature(f"t={NOW},v1={RIGHT}", body, key, now=NOW) is NOT_SIGNED


OF_THE_USER, OF_ALL = Forget(user_id=USER), Forget(everything=True)
GRANT = ("usergrant", "300000000000000077")
EVENTS: list[tuple[dict[str, Any], Forget]] = [
    (event("user.locked"), OF_THE_USER),
    (event("user.pat.removed", tokenId="300000000000000099"), OF_THE_USER),
    (event("user.grant.added", *GRANT, userId=USER, roleKeys=["read:messages"]), OF_THE_USER),
    (event("org.member.added", "org", "300000000000000001", userId=USER, roles=["ORG_OWNER"]), OF_THE_USER),
    (event("user.grant.removed", *GRANT), OF_ALL),
    (event("project.role.removed", "project", "300000000000000010", key="read:messages"), OF_ALL),
    (event("user.grant.added", *GRANT) | {"event_payload": "e30="}, OF_ALL),
    (event("user.grant.added", *GRANT, userId=""), OF_ALL),
]
NO_EVENTS = [
    *(b"", b"[]", b"{}", b"[" * 9999, b"\xff"),
    b'{"event_type": 1, "aggregateType": "user", "aggregateID": "1"}',
    b'{"fullMethod": "/zitadel.user.v2.UserService/DeleteUser"}',
]


@pytest.mark.parametrize(
    ("body", "order"),
    [*((json.dumps(event).encode(), order) for event, order in EVENTS), *((b, None) for b in NO_EVENTS)],
)
def test_an_event_is_about_the_user_that_it_names_and_else_about_everything(body: bytes, order: Forget | None) -> None:
    assert order_of_event(body) == order


@contextmanager
def api_of(up: Upstream, key: str | None = EVENTS_KEY) -> Iterator[Api]:
    settings = replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600, events_key=key)
    with running(create_app(settings)) as api:
        yield api


def test_a_call_without_a_right_signature_changes_nothing() -> None:
    with upstream(ACTIVE) as up, api_of(up) as api:
        assert api.get(SCOPED).status == 200
        up.now(WITHOUT_ROLE)
        for header in ((), (signature(LOCKED, "another"),), (signature(LOCKED, at=int(time.time()) - 400),)):
            reply = send(api, LOCKED, *(f"ZITADEL-Signature: {value}" for value in header))
            assert (reply.status, reply.json["error"]) == (403, "forbidden")
            assert EVENTS_KEY not in reply.body.decode()
        for other, status in ((b"{}", 400), (b" " * 65537, 413)):
            assert send(api, other, f"ZITADEL-Signature: {signature(other)}").status == status
        assert api.get(SCOPED).status == 200


def test_the_next_request_after_a_call_asks_zitadel_unless_somebody_repeats_the_call() -> None:
    signed = signature(LOCKED)
    with upstream(ACTIVE) as up, api_of(up) as api:
        assert api.get(SCOPED).status == 200
        up.now(WITHOUT_ROLE)
        assert send(api, LOCKED, f"ZITADEL-Signature: {signed}").json == {"forgotten": 1}
        assert api.get(SCOPED).status == 401
        asked = len(up.requests)
        for again in (signed, f"{signed},v2=another", f"v1=0, {signed}"):
            assert send(api, LOCKED, f"ZITADEL-Signature: {again}").json == {"forgotten": 0}
        assert api.get(SCOPED).status == 401
        assert len(up.requests) == asked


def test_a_call_that_was_not_confirmed_is_followed_when_it_comes_again() -> None:
    counts: Iterator[int | Refusal] = iter([WORKER_UNCONFIRMED, 1, 2, 3])

    class Unconfirmed(Forgetting):
        def everywhere(self, _order: Forget) -> int | Refusal:
            return next(counts)

    app = Flask(__name__)
    forgetting = Unconfirmed(lambda _: 0, lambda _: True, Bus())
    add_zitadel_events(app, forgetting, EVENTS_KEY, sleep=lambda _: None)
    data = request(EVENTS_PATH, f"ZITADEL-Signature: {signature(LOCKED)}", method="POST", body=LOCKED)
    with running(app) as receiver:
        assert [receiver.send(data).status, receiver.send(data).json] == [503, {"forgotten": 5}]


def test_an_answer_that_lags_behind_the_event_is_forgotten_too() -> None:
    """ZITADEL's answers show a change a moment after the event that tells of it."""
    app = Flask(__name__)
    with upstream(ACTIVE) as up, api_of(up) as api:

        def meanwhile(_seconds: float) -> None:
            assert api.get(SCOPED).status == 200
            up.now(WITHOUT_ROLE)

        add_zitadel_events(app, api.app.extensions[FORGETTING], EVENTS_KEY, sleep=meanwhile)
        with running(app) as receiver:
            data = request(EVENTS_PATH, f"ZITADEL-Signature: {signature(LOCKED)}", method="POST", body=LOCKED)
            assert receiver.send(data).json == {"forgotten": 1}
        assert api.get(SCOPED).status == 401
