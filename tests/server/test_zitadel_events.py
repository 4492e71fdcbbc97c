"""``POST /-/zitadel-events``: calls of ZITADEL's Actions v2, emulated after ZITADEL's sources and documentation."""

import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask

from tests.server.test_faults import PROJECT
from tests.server.test_openapi import check_described, document_of
from tests.support.apis import SCOPED, Api, running, settings_for
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.upstream import Upstream, upstream
from tests.support.wire import Reply, request
from zdemo.guard.forget import Forget
from zdemo.guard.guard import Refusal
from zdemo.server import create_app
from zdemo.server.forgetting import (
    ANOTHER_TIME,
    FORGETTING,
    NO_SIGNATURE,
    NOT_SIGNED,
    WORKER_UNCONFIRMED,
    Forgetting,
    checked_signature,
    order_of_event,
    zitadel_events_route,
)
from zdemo.serving.bus import Bus

KEY = "98KmsU67"  # ZITADEL's documentation has keys of this form
USER = PAT_CLAIMS["sub"]
NOW = 1_764_200_000
BODY = b'{"aggregateID":"1","aggregateType":"user","event_type":"user.locked"}'
RIGHT = "e59dc5ab91f761abeb54cc0f8729e5cc8a6b10975531f8ee119320c6f9054ab2"


def event(kind: str, aggregate: str = "user", aggregate_id: str = USER, **payload: Any) -> dict[str, Any]:
    """Return an event as ZITADEL sends it (internal/repository/execution/queue.go)."""
    return {
        "aggregateID": aggregate_id,
        "aggregateType": aggregate,
        "resourceOwner": "336392597046099971",
        "instanceID": "336392597046034435",
        "version": "v2",
        "sequence": 7,
        "event_type": kind,
        "created_at": "2026-11-26T08:55:36.156333Z",
        "userID": "336392597046755331",
        "event_payload": payload or None,
    }


def signature(body: bytes, key: str = KEY, at: int | None = None) -> str:
    at = int(time.time()) if at is None else at
    return f"t={at},v1={hmac.new(key.encode(), b'%d.%s' % (at, body), sha256).hexdigest()}"


def send(api: Api, body: bytes, *fields: str) -> Reply:
    data = request("/-/zitadel-events", "Content-Type: application/json", *fields, method="POST", body=body)
    reply = api.send(data)
    check_described(data, reply, document_of(api))
    return reply


def call(api: Api, content: dict[str, Any]) -> Reply:
    """Do as ZITADEL does."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return send(api, body, f"ZITADEL-Signature: {signature(body)}")


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
    assert checked_signature(text, BODY, KEY, now=NOW + age) == (RIGHT if result is None else result)


@pytest.mark.parametrize(("body", "key"), [(BODY + b" ", KEY), (BODY, "another"), (BODY, "")])
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
    ("body", "order"), [*((json.dumps(one).encode(), order) for one, order in EVENTS), *((b, None) for b in NO_EVENTS)]
)
def test_an_event_is_about_the_user_that_it_names_and_else_about_everything(body: bytes, order: Forget | None) -> None:
    assert order_of_event(body) == order


@contextmanager
def api_of(up: Upstream, key: str | None = KEY) -> Iterator[Api]:
    settings = replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=3600, events_key=key)
    with running(create_app(settings)) as api:
        yield api


@pytest.mark.parametrize("content", [event("user.locked"), event("user.grant.removed", *GRANT)])
def test_the_next_request_after_the_call_asks_zitadel(content: dict[str, Any]) -> None:
    with upstream(ACTIVE) as up, api_of(up) as api:
        assert api.get(SCOPED).status == 200
        up.now(WITHOUT_ROLE)
        assert call(api, content).json == {"forgotten": 1}
        assert api.get(SCOPED).status == 401


def test_a_call_without_a_right_signature_changes_nothing() -> None:
    body = json.dumps(event("user.locked")).encode()
    with upstream(ACTIVE) as up, api_of(up) as api:
        assert api.get(SCOPED).status == 200
        up.now(WITHOUT_ROLE)
        for header in ((), (signature(body, "another"),), (signature(body, at=int(time.time()) - 400),)):
            reply = send(api, body, *(f"ZITADEL-Signature: {value}" for value in header))
            assert (reply.status, reply.json["error"]) == (403, "forbidden")
            assert KEY not in reply.body.decode()
        for other, status in ((b"{}", 400), (b" " * 65537, 413)):
            assert send(api, other, f"ZITADEL-Signature: {signature(other)}").status == status
        assert api.get(SCOPED).status == 200


def test_a_call_that_somebody_repeats_makes_nothing_forget_again() -> None:
    body = json.dumps(event("user.locked")).encode()
    signed = signature(body)
    with upstream(ACTIVE) as up, api_of(up) as api:
        assert api.get(SCOPED).status == 200
        assert send(api, body, f"ZITADEL-Signature: {signed}").json == {"forgotten": 1}
        assert api.get(SCOPED).status == 200
        for again in (signed, f"{signed},v2=another", f"v1=0, {signed}"):
            assert send(api, body, f"ZITADEL-Signature: {again}").json == {"forgotten": 0}
        asked = len(up.requests)
        assert api.get(SCOPED).status == 200
        assert len(up.requests) == asked


def test_a_call_that_was_not_confirmed_is_followed_when_it_comes_again() -> None:
    counts: Iterator[int | Refusal] = iter([WORKER_UNCONFIRMED, 1, 2, 3])

    class Unconfirmed(Forgetting):
        def everywhere(self, _order: Forget) -> int | Refusal:
            return next(counts)

    app = Flask(__name__)
    forgetting = Unconfirmed(lambda _: 0, lambda _: True, Bus())
    app.register_blueprint(zitadel_events_route(forgetting, KEY, sleep=lambda _: None))
    body = json.dumps(event("user.locked")).encode()
    data = request("/-/zitadel-events", f"ZITADEL-Signature: {signature(body)}", method="POST", body=body)
    with running(app) as receiver:
        assert [receiver.send(data).status, receiver.send(data).json] == [503, {"forgotten": 5}]


def test_an_answer_that_lags_behind_the_event_is_forgotten_too() -> None:
    """ZITADEL's answers show a change a moment after the event that tells of it."""
    app = Flask(__name__)
    with upstream(ACTIVE) as up, api_of(up) as api:

        def meanwhile(_seconds: float) -> None:
            assert api.get(SCOPED).status == 200
            up.now(WITHOUT_ROLE)

        app.register_blueprint(zitadel_events_route(api.app.extensions[FORGETTING], KEY, sleep=meanwhile))
        with running(app) as receiver:
            body = json.dumps(event("user.locked")).encode()
            data = request("/-/zitadel-events", f"ZITADEL-Signature: {signature(body)}", method="POST", body=body)
            assert receiver.send(data).json == {"forgotten": 1}
        assert api.get(SCOPED).status == 401
