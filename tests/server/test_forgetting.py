"""``POST /-/forget``: who may give orders, what an order is, and what all workers of a server do then."""

import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_faults import PROJECT
from tests.support.apis import SCOPED, Api, Endpoint, running, settings_for
from tests.support.connection_faults import ACTIVE, INACTIVE, PAT_CLAIMS, WITHOUT_ROLE
from tests.support.served import Served, environment_for, served
from tests.support.upstream import Behaviour, Connection, Upstream, upstream
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wire import Reply, request
from zdemo.emulator import READER
from zdemo.guard import Refusal
from zdemo.introspection.forget import Forget
from zdemo.server import create_app
from zdemo.server.forgetting import STORE_UNCONFIRMED, WORKER_UNCONFIRMED, Forgetting
from zdemo.serving.bus import Bus
from zdemo.serving.loopback import is_local_program

USER = PAT_CLAIMS["sub"]
KEY = "0123456789abcdef"
BEARER_KEY = f"Authorization: Bearer {KEY}"
JSON = "Content-Type: application/json"
WORKERS = 4


def order(body: object, *fields: str, **options: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("/-/forget", JSON, *fields, method="POST", body=data, **options)


EVERYTHING = order({"everything": True})


@pytest.fixture(scope="module")
def local() -> Iterator[Api]:
    with running(create_app(settings_for("http://localhost:9"))) as api:
        yield api


@pytest.fixture(scope="module")
def keyed() -> Iterator[Api]:
    with running(create_app(replace(settings_for("http://localhost:9"), forget_key=KEY))) as api:
        yield api


class TestAdmission:
    @pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "LOCALHOST:80", "[::1]:5000"])
    def test_a_program_on_this_machine_may(self, local: Api, host: str) -> None:
        reply = local.send(order({"everything": True}, host=host))
        assert (reply.status, reply.json) == (200, {"forgotten": 0})

    @pytest.mark.parametrize(
        ("fields", "options"),
        [
            (("Origin: http://localhost:5000",), {}),
            (("Sec-Fetch-Site: same-origin",), {}),
            (("Sec-Fetch-Mode: cors",), {}),
            (("X-Forwarded-For: 127.0.0.1",), {}),
            (("Forwarded: for=127.0.0.1",), {}),
            (("Via: 1.1 proxy",), {}),
            (("X-Real-IP: 127.0.0.1",), {}),
            ((), {"host": "api.example.com"}),
            ((), {"host": "localhost.example.com"}),
            ((), {"version": "HTTP/1.0"}),
            ((BEARER_KEY,), {"host": "api.example.com"}),
        ],
    )
    def test_web_pages_and_what_comes_through_a_proxy_may_not(
        self, local: Api, fields: tuple[str, ...], options: dict[str, Any]
    ) -> None:
        reply = local.send(order({"everything": True}, *fields, **options))
        assert (reply.status, reply.json["error"]) == (403, "forbidden")
        assert "ZDEMO_FORGET_KEY" in reply.json["error_description"]

    @pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "localhost"])
    def test_other_machines_may_not(self, peer: str) -> None:
        environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "localhost:5000", "SERVER_PROTOCOL": "HTTP/1.1"}
        assert not is_local_program(environ)
        assert is_local_program(environ | {"REMOTE_ADDR": "127.0.0.1"})

    @pytest.mark.parametrize("host", ["127.0.0.1:5000", "api.example.com"])
    def test_the_key_admits_from_everywhere(self, keyed: Api, host: str) -> None:
        reply = keyed.send(order({"everything": True}, BEARER_KEY, "X-Forwarded-For: 192.0.2.1", host=host))
        assert (reply.status, reply.json) == (200, {"forgotten": 0})

    @pytest.mark.parametrize(
        "fields",
        [
            (),
            ("Authorization:",),
            ("Authorization: Bearer",),
            (f"Authorization: Bearer {KEY}x",),
            (f"Authorization: Bearer {KEY[:-1]}",),
            (f"Authorization: Basic {KEY}",),
            (f"Authorization: {KEY}",),
            ("Authorization: Bearer ÿ\xff",),
            (BEARER_KEY, BEARER_KEY),
        ],
    )
    def test_with_a_key_nobody_may_without_it(self, keyed: Api, fields: tuple[str, ...]) -> None:
        reply = keyed.send(order({"everything": True}, *fields))
        assert (reply.status, reply.json["error"]) == (403, "forbidden")
        assert KEY not in reply.body.decode()

    def test_other_methods_are_not_allowed(self, local: Api) -> None:
        assert local.get("/-/forget", None).status == 405


class TestOrder:
    @pytest.mark.parametrize("body", [{"user_id": USER}, {"token": READER.pat}, {"everything": True}])
    def test_an_order_names_a_user_or_a_token_or_everything(self, local: Api, body: dict[str, Any]) -> None:
        assert local.send(order(body)).json == {"forgotten": 0}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff",
            b"[" * 5000,
            b'{"user_id": "\\ud800"',
            [],
            None,
            {},
            {"user_id": ""},
            {"user_id": 1},
            {"user_id": "1" * 201},
            {"user_id": None},
            {"token": ["x"]},
            {"token_hash": "00" * 32},
            {"everything": 1},
            {"everything": False},
            {"user_id": "1", "everything": True},
            {"user_id": "1", "number": "7"},
        ],
    )
    def test_another_body_is_refused(self, local: Api, body: object) -> None:
        reply = local.send(order(body))
        assert (reply.status, reply.json["error"]) == (400, "bad_request")

    def test_a_form_is_refused(self, local: Api) -> None:
        body = b'{"everything": true}'
        reply = local.send(request("/-/forget", "Content-Type: text/plain", method="POST", body=body))
        assert (reply.status, reply.json["error"]) == (415, "unsupported_media_type")

    def test_a_large_body_is_refused(self, local: Api) -> None:
        assert local.send(order(b" " * 65537)).status == 413


def environment(up: Upstream, **more: str) -> dict[str, str]:
    return {**environment_for(up.url), "ZITADEL_PROJECT_ID": PROJECT, "ZDEMO_CACHE_TTL": "3600", **more}


def once(asked: threading.Event, answered: threading.Event, behaviour: Behaviour) -> Behaviour:
    """Say that the question has come, and answer when the test says so."""

    def behave(connection: Connection) -> bool:
        asked.set()
        return answered.wait(DEADLINE_SECONDS) and behaviour(connection)

    return behave


def each_worker(api: Endpoint, up: Upstream, count: int) -> list[int]:
    """Ask until each worker had to ask ZITADEL, and return the statuses. A connection goes to any worker."""
    before, statuses = len(up.requests), []

    def ask() -> int:
        statuses.append(api.get(SCOPED).status)
        return len(up.requests) - before

    eventually("each worker has asked", lambda: max(ask() for _ in range(10)), lambda asked: asked == count)
    return statuses


@pytest.mark.parametrize(
    ("count", "body"),
    [
        (1, {"user_id": USER}),
        (WORKERS, {"user_id": USER}),
        (WORKERS, {"token": READER.pat}),
        (WORKERS, {"everything": True}),
    ],
)
def test_the_very_next_request_to_each_worker_is_refused(count: int, body: dict[str, Any], tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, served(tmp_path, environment(up), "--workers", str(count)) as api:
        assert set(each_worker(api, up, count)) == {200}
        up.now(WITHOUT_ROLE)
        assert api.send(order(body)).json == {"forgotten": count}
        assert set(each_worker(api, up, count)) == {401}


def test_another_users_answers_stay(tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, served(tmp_path, environment(up), "--workers", "2") as api:
        each_worker(api, up, 2)
        up.now(WITHOUT_ROLE)
        assert api.send(order({"user_id": "1"})).json == {"forgotten": 0}
        assert {api.get(SCOPED).status for _ in range(20)} == {200}


def test_a_flood_of_orders_about_others_does_not_make_the_api_ask_about_a_known_token(tmp_path: Path) -> None:
    with (
        upstream(ACTIVE) as up,
        served(tmp_path, environment(up), "--workers", "2") as api,
        ThreadPoolExecutor(16) as pool,
    ):
        each_worker(api, up, 2)
        asked = len(up.requests)
        flood = [pool.submit(api.send, order({"user_id": f"user {number}"})) for number in range(500)]
        while not all(one.done() for one in flood):
            assert api.get(SCOPED).status == 200
        assert {one.result().status for one in flood} <= {200, 413}, "413: too many bodies are being read"
        assert len(up.requests) == asked


def test_an_answer_that_was_on_its_way_is_not_kept(tmp_path: Path) -> None:
    asked, answered = threading.Event(), threading.Event()
    with upstream(INACTIVE) as up, served(tmp_path, environment(up)) as api, ThreadPoolExecutor(1) as pool:
        up.now(once(asked, answered, ACTIVE), WITHOUT_ROLE)  # the start has asked about a token of its own
        before = pool.submit(api.get, SCOPED)
        assert asked.wait(DEADLINE_SECONDS)
        assert api.send(order({"user_id": USER})).json == {"forgotten": 0}
        assert api.get(SCOPED).status == 401
        answered.set()
        assert before.result().status == 200
        assert api.get(SCOPED).status == 401
        assert [one.form["token"] for one in up.requests].count(READER.pat) == 2


def test_a_worker_that_replaces_a_killed_one_obeys_too(tmp_path: Path) -> None:
    with upstream(ACTIVE) as up, served(tmp_path, environment(up), "--workers", "2") as api:
        each_worker(api, up, 2)
        killed = api.workers[0].pid
        os.kill(killed, signal.SIGKILL)
        eventually("it is replaced", lambda: [one for one in api.workers if one.pid != killed][1:])
        each_worker(api, up, 1)
        up.now(WITHOUT_ROLE)
        assert eventually("both confirm", lambda: _order(api), lambda reply: reply.status == 200)
        assert set(each_worker(api, up, 2)) == {401}


def _order(api: Served) -> Reply:
    return api.send(EVERYTHING)


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


@pytest.mark.parametrize(
    ("order", "count", "line"),
    [
        (Forget(user_id=USER), 1, f"forgot 1 answer about user {USER}"),
        (Forget.naming(token=READER.pat), 2, "forgot 2 answers about a token"),
        (Forget(everything=True), 0, "forgot 0 answers: all that there were"),
    ],
)
def test_the_log_says_what_was_forgotten(
    caplog: pytest.LogCaptureFixture, order: Forget, count: int, line: str
) -> None:
    caplog.set_level(logging.INFO, "zdemo")
    Forgetting(lambda _: count, lambda _: True, Bus()).everywhere(order)
    assert caplog.messages == [line]


@pytest.mark.parametrize(("published", "result"), [(True, 7), (False, STORE_UNCONFIRMED)])
def test_an_order_that_the_store_does_not_take_has_no_result(published: bool, result: int | Refusal) -> None:
    assert Forgetting(lambda _: 7, lambda _: published, Bus()).everywhere(Forget(everything=True)) == result
