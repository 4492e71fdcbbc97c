"""``POST /-/forget``: who may give orders, what an order is, and what all workers of a server do then."""

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, Api, Endpoint, running, settings_for
from tests.support.connection_faults import ACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.served import environment_for, served
from tests.support.upstream import Upstream, upstream
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.emulator import READER
from zdemo.guard.forget import Forget
from zdemo.server import create_app
from zdemo.server.forgetting import WORKER_UNCONFIRMED, Forgetting
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
    *({"user_id": 1}, {"everything": False}, {"token": ["x"]}, {"token_hash": "00" * 32}),
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


def test_the_very_next_request_to_each_worker_is_refused_also_to_one_that_replaces_a_killed_one(tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, served(tmp_path, environment(up), "--workers", "2") as api:
        assert set(each_worker(api, up, 2)) == {200}
        killed = api.workers[0].pid
        os.kill(killed, signal.SIGKILL)
        eventually("it is replaced", lambda: [one for one in api.workers if one.pid != killed][1:])
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
