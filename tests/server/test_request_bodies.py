"""Clients that send their bodies slowly, or never to the end."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from tests.server.test_forgetting import EVENTS_KEY, JSON, signature
from tests.support.apis import PRIVATE, PUBLIC, THREADS, Api, plain_api
from tests.support.rows import BEARER, CHUNKED, FORM, check_body
from tests.support.upstream import LOOPBACK
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS, chunked, converse, request
from zdemo.config.settings import Settings
from zdemo.guard.flask_guard import BODY_READER
from zdemo.server.request_bodies import BodyReader

SLOW = {
    "a length": request(PUBLIC, "Content-Length: 100") + b"abc",
    "a form": request(PRIVATE, BEARER, FORM, "Content-Length: 100") + b"access_token=",
    "chunks": request(PUBLIC, CHUNKED) + b"5\r\nabc",
    "a byte more than allowed": request(PUBLIC, "Content-Length: 65537") + b"abc",
}
READ = ("a form", "chunks")  # the bodies that must be read
COMPLETE = request(PUBLIC, CHUNKED, body=chunked(b"abc"))


@pytest.fixture(scope="module")
def hasty(settings: Settings) -> Iterator[Api]:
    with plain_api(settings) as running:
        running.app.extensions[BODY_READER] = BodyReader(slots=max(1, THREADS // 16), read_seconds=0.3)
        yield running


@contextmanager
def slow_clients(port: int, data: bytes, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((LOOPBACK, port), PATIENCE_SECONDS))
            sock.sendall(data)
            clients.append(sock)
        yield clients


def test_a_body_over_the_limit_is_refused_with_a_time_to_try_again(settings: Settings) -> None:
    with plain_api(settings) as api:
        with slow_clients(api.port, SLOW["chunks"], THREADS):
            reply = eventually("bodies are being read", lambda: api.send(COMPLETE), lambda reply: reply.status == 413)
        assert reply.one("retry-after") == "1"
        check_body(reply, "request_entity_too_large")
        eventually("their slots are free again", lambda: api.send(COMPLETE), lambda reply: reply.status == 200)


def test_slow_bodies_elsewhere_keep_no_order_to_forget_out(settings: Settings) -> None:
    order, event = b'{"everything":true}', b'{"aggregateID":"1","aggregateType":"user","event_type":"user.locked"}'
    signed = f"ZITADEL-Signature: {signature(event)}"
    with plain_api(replace(settings, events_key=EVENTS_KEY)) as api, slow_clients(api.port, SLOW["chunks"], THREADS):
        eventually("bodies are being read", lambda: api.send(COMPLETE), lambda reply: reply.status == 413)
        assert api.send(request("/-/forget", JSON, method="POST", body=order)).status == 200
        assert api.send(request("/-/zitadel-events", signed, method="POST", body=event)).status == 200


@pytest.mark.parametrize("name", READ)
def test_a_body_that_does_not_come_in_time_is_refused_and_its_threads_are_free_again(name: str, hasty: Api) -> None:
    with slow_clients(hasty.port, SLOW[name], THREADS) as clients:
        replies = [converse(client, b"") for client in clients]
        assert {reply.status for reply in replies} <= {408, 413}
        late = next(reply for reply in replies if reply.status == 408)
        assert set(late.all("connection")) == {"close"}
        check_body(late, "request_timeout", description="the request body did not arrive in time")
        eventually("no thread reads", lambda: [t for t in threading.enumerate() if t.name == "body"], lambda t: not t)
        eventually("bodies are read again", lambda: hasty.send(COMPLETE), lambda reply: reply.status == 200)


def test_a_body_that_comes_in_drops_has_the_same_time(hasty: Api) -> None:
    with slow_clients(hasty.port, request(PUBLIC, "Transfer-Encoding: chunked"), 1) as [client]:
        while not select.select([client], [], [], 0.02)[0]:
            client.sendall(b"1\r\na\r\n")
        assert converse(client, b"").status == 408
