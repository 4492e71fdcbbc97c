"""The guard on apps of all kinds: each way of writing it, and everything else stays that app's own."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

import pytest
from fastapi import Body, Depends, FastAPI, Response
from fastapi.testclient import TestClient
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request

from tests.asgi.asgi_apis import on_uvicorn
from tests.support.apis import Endpoint
from tests.support.rows import CHUNKED, FORM, INVALID_REQUEST
from tests.support.upstream import LOOPBACK
from tests.support.wire import bearer, chunked, converse, request
from zdemo.asgi import Introspection, protect, requires_token
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR
from zdemo.errors import Refused

Reader = Annotated[Introspection, Depends(requires_token(role="read:messages"))]
AnyCaller = Annotated[Introspection, Depends(requires_token)]


async def first(request: Request) -> bytes:
    """Read the body before the guard runs, as FastAPI does with the forms that it reads."""
    return await request.body()


def _routes(app: FastAPI) -> None:
    @app.get("/who")
    async def who(introspection: AnyCaller) -> dict[str, Any]:
        return {"sub": introspection.text("sub"), "roles": sorted(introspection.roles())}

    @app.get("/items/{item}")
    def item(item: int, response: Response, _: Reader) -> dict[str, int]:
        response.headers.update({"X-Own": "yes", "Cache-Control": "public, max-age=60", "Vary": "Accept-Language"})
        return {"item": item}

    @app.get("/response", dependencies=[requires_token])
    def response() -> Response:
        return Response("made", 202, {"Cache-Control": "public"}, "text/x-own")

    @app.post("/json")
    def json(body: Annotated[dict[str, str], Body()], _: Reader) -> dict[str, str]:
        return body

    @app.post("/form")
    def form(read: Annotated[bytes, Depends(first)], _: Reader) -> Response:
        return Response(read)

    @app.post("/raw")
    async def raw(request: Request, _: Introspection = requires_token(role="read:messages")) -> Response:  # noqa: B008  # as FastAPI's users write it
        return Response(await request.body())

    @app.get("/optional")
    async def optional(request: Request) -> str:
        try:
            return (await requires_token(request)).text("sub")
        except Refused:
            return "nobody"

    @app.get("/open")
    def open_to_all() -> str:
        return "open"


@pytest.fixture(scope="module")
def fastapi(settings: Settings) -> Iterator[Endpoint]:
    app = FastAPI()

    @app.middleware("http")
    async def signed(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["X-Signed"] = "own"
        return response

    _routes(protect(app, settings, open_routes=["/open", "/optional"]))
    with on_uvicorn(app) as api:
        yield api


def test_the_handler_receives_zitadels_answer(fastapi: Endpoint) -> None:
    assert fastapi.get("/who").json == {"sub": READER.id, "roles": ["read:messages"]}
    assert fastapi.get("/who", VISITOR.pat).json == {"sub": VISITOR.id, "roles": []}
    assert [fastapi.get("/optional", token).json for token in (READER.pat, None)] == [READER.id, "nobody"]
    assert fastapi.get("/open", None).json == "open"
    assert [fastapi.get("/who", token).one("x-signed") for token in (READER.pat, None)] == ["own", None]


def test_an_answer_that_depends_on_the_caller_is_not_for_caches(fastapi: Endpoint) -> None:
    item, response, free = fastapi.get("/items/7"), fastapi.get("/response"), fastapi.get("/open")
    assert (item.json, item.one("x-own"), item.all("vary")) == (
        {"item": 7},
        "yes",
        ["Accept-Language", "Authorization"],
    )
    assert (response.status, response.body, response.one("content-type")) == (202, b"made", "text/x-own; charset=utf-8")
    assert [reply.all("cache-control") for reply in (item, response, free)] == [["no-store"], ["no-store"], []]
    assert free.all("vary") == []


def test_a_body_still_reaches_the_handler(fastapi: Endpoint) -> None:
    def post(path: str, *fields: str, body: bytes) -> bytes:
        return fastapi.send(request(path, bearer(READER.pat), *fields, method="POST", body=body)).body

    assert post("/json", "Content-Type: application/json", body=b'{"a":"b"}') == b'{"a":"b"}'
    assert post("/raw", FORM, body=b"a=b&c=d") == b"a=b&c=d"
    assert post("/raw", FORM, CHUNKED, body=chunked(b"a=" + b"b" * 100_000, b"&c")) == b"a=" + b"b" * 100_000 + b"&c"
    assert post("/form", FORM, body=b"a=b") == b"a=b"


@pytest.mark.parametrize("path", ["/form", "/raw"])
def test_a_second_token_in_a_form_is_seen_whoever_reads_it_first(path: str, fastapi: Endpoint) -> None:
    for fields, body in (((), b"a=b&access_token=c"), ((CHUNKED,), chunked(b"a=b&acc", b"ess_token=c"))):
        reply = fastapi.send(request(path, bearer(READER.pat), FORM, *fields, method="POST", body=body))
        assert (reply.status, reply.one("www-authenticate")) == (400, INVALID_REQUEST)


def test_a_form_that_never_comes_delays_only_its_own_request(settings: Settings) -> None:
    app = protect(FastAPI(), settings)
    app.state.zdemo = replace(app.state.zdemo, form_seconds=0.5)
    _routes(app)
    with on_uvicorn(app) as api, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((LOOPBACK, api.port), 20)) for _ in range(50)]
        for client in clients:
            client.sendall(request("/who", bearer(READER.pat), FORM, "Content-Length: 10"))
        assert api.get("/who").status == 200
        assert converse(clients[0], b"").status == 200


def test_a_users_own_tests_need_no_extra_steps(settings: Settings) -> None:
    """With or without the app's start."""
    app = protect(FastAPI(), settings)
    _routes(app)
    headers = {"Authorization": f"Bearer {READER.pat}"}
    client = TestClient(app)
    assert [client.get("/who", headers=headers).status_code for _ in range(2)] == [200, 200]
    with client as started:
        assert started.get("/who", headers=headers).status_code == 200
