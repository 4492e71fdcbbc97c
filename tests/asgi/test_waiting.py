"""While ZITADEL is slow or hangs: who waits, in which threads, and who does not."""

import socket
from contextlib import ExitStack
from dataclasses import replace

import anyio
from anyio import to_thread
from fastapi import Depends, FastAPI

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import Time, settings_for
from tests.support.introspector_doubles import ACTIVE, INACTIVE, Hanging, Scripted
from tests.support.upstream import LOOPBACK
from tests.support.waiting import eventually
from tests.support.wire import bearer, converse, request
from zdemo.asgi import protect, requires_token
from zdemo.guard.asgi.guarded_call import IntrospectionPool
from zdemo.guard.build import Limits, build_introspector
from zdemo.zitadel.introspection_answer import Introspection

THREADS = 32
LIMITS = Limits.of(THREADS)
MOST_ASKING = LIMITS.flights - LIMITS.reserved_flights  # about unknown tokens at the same time
KNOWN = "a-known-token"
SETTINGS = settings_for("http://127.0.0.1:9", project_id=None)


class Switched:
    """An introspector that answers at once, until the test lets it hang."""

    def __init__(self) -> None:
        self.hanging = Hanging()
        self.hangs = False
        self._at_once = Scripted()

    def introspect(self, token: str) -> Introspection:
        return (self.hanging if self.hangs else self._at_once).introspect(token)


def test_a_zitadel_that_hangs_blocks_nobody_else() -> None:
    zitadel = Switched()
    introspector = build_introspector(SETTINGS, threads=THREADS, client=zitadel)
    app = protect(FastAPI(), SETTINGS, introspector, open_routes=["/default-threads"], threads=THREADS)
    app.get("/private", dependencies=[Depends(requires_token)])(lambda: "private")
    app.get("/sync")(lambda: "sync")

    @app.get("/default-threads")
    async def default_threads() -> float:
        return to_thread.current_default_thread_limiter().borrowed_tokens

    with on_uvicorn(app) as api, ExitStack() as stack:
        stack.callback(zitadel.hanging.let_go)
        assert api.get("/private", KNOWN).status == 200
        zitadel.hangs = True
        clients = [stack.enter_context(socket.create_connection((LOOPBACK, api.port), 30)) for _ in range(200)]
        for number, client in enumerate(clients):
            client.sendall(request("/private", bearer(f"unknown-{number}")))
        zitadel.hanging.call(0)
        for _ in range(3):
            assert [api.get(path, KNOWN).body for path in ("/private", "/sync")] == [b'"private"', b'"sync"']
        assert api.get("/default-threads", None).json == 0.0
        zitadel.hanging.let_go()
        replies = [converse(client, b"") for client in clients]
    assert {(reply.status, reply.one("retry-after")) for reply in replies} == {(503, "1")}


def test_a_known_token_has_a_thread_where_unknown_ones_have_taken_all() -> None:
    zitadel, clocks = Switched(), Time()
    introspector = build_introspector(
        SETTINGS, threads=THREADS, client=zitadel, clock=clocks.monotonic, wall_clock=clocks.wall
    )
    introspector.introspect(KNOWN)
    clocks.ahead_seconds = SETTINGS.cache_ttl_seconds
    zitadel.hangs = True
    pool = IntrospectionPool(introspector, threads=2)  # one place for each kind

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(pool.introspect, f"unknown-{number}")
            await to_thread.run_sync(zitadel.hanging.call, 0)
            group.start_soon(pool.introspect, KNOWN)
            call = await to_thread.run_sync(zitadel.hanging.call, 1)
            call.set_result(ACTIVE)
            assert len(zitadel.hanging.calls) == 2
            group.cancel_scope.cancel()
            zitadel.hanging.let_go()

    anyio.run(main)


def test_a_request_that_is_cancelled_leaves_at_once_and_leaves_no_slot_behind() -> None:
    hanging = Hanging()
    introspector = build_introspector(SETTINGS, threads=THREADS, client=hanging)
    pool = IntrospectionPool(introspector, threads=THREADS)

    async def cancel_all() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for number in range(MOST_ASKING):
                    group.start_soon(pool.introspect, f"token-{number}")
                await to_thread.run_sync(hanging.call, MOST_ASKING - 1)
                group.cancel_scope.cancel()
        for call in hanging.calls:
            call.set_result(INACTIVE)

    anyio.run(cancel_all)
    assert introspector.counters.refused == 0
    eventually("the last threads end", lambda: introspector.counters.in_flight == 0)


def test_a_token_that_expires_while_its_body_comes_is_refused() -> None:
    moments = iter((99.0, 100.0))  # when the headers are there, and when FastAPI has read the body
    introspection = Introspection(active=True, expires_at=100)
    app = protect(FastAPI(), SETTINGS, Scripted(introspection))
    app.state.zdemo = replace(app.state.zdemo, now=moments.__next__)
    app.get("/private", dependencies=[Depends(requires_token)])(lambda: "private")
    with on_uvicorn(app) as api:
        assert api.get("/private", KNOWN).status == 401
