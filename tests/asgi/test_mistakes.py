"""A guard in a wrong place, or none: each row is an app and requests, and no request without a token shows the text."""

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, WebSocket
from fastapi.testclient import TestClient
from flask import Flask
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from tests.asgi.asgi_apis import STAGE
from tests.support.apis import Endpoint
from tests.support.mistakes import NOT_OPEN, PREFLIGHT, TEXT, Mistake, arguments, ask, check, shows
from tests.support.wire import request
from zdemo.asgi import Introspection, protect, requires_token
from zdemo.emulator import READER
from zdemo.errors import GuardError, Refused
from zdemo.server import requires_token as flasks_requires_token

METHODS = ["GET", "HEAD", "POST", "DELETE", "TRACE", "OPTIONS", "BREW"]
needs: Any = requires_token  # without its types, which find some of these mistakes before
requires_reader: Any = requires_token(role="a")
READER_HEADERS = {"Authorization": f"Bearer {READER.pat}"}


def guarded(app: Any = None, *open_routes: str) -> Any:
    return protect(app or FastAPI(), *arguments(), open_routes=open_routes)


def view() -> PlainTextResponse:
    return PlainTextResponse(TEXT, headers={"X-Text": TEXT})


async def plain(_: Request) -> PlainTextResponse:
    return view()


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """An app of ASGI, without any framework."""
    await view()(scope, receive, send)


class Answering:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (bare if scope["type"] == "http" else self.app)(scope, receive, send)


def with_route(app: Any, endpoint: Any = plain, **options: Any) -> Any:
    app.router.routes.append(Route("/x", endpoint, **options))
    return app


def mounting(app: Any, path: str = "/", below: Any = bare) -> Any:
    app.mount(path, below)
    return app


async def made_inside(request: Request) -> PlainTextResponse:
    await needs(role="a")(request)
    return view()


def made_inside_without_async(_: Request) -> PlainTextResponse:
    needs(role="b")
    return view()


PLAIN = {"/plain": plain, "/sync": lambda _: view()}
WRONG = {"/made": made_inside, "/made-without-async": made_inside_without_async}


def with_list(a: Annotated[str, [Depends(requires_reader)]] = "") -> PlainTextResponse:  # noqa: ARG001  # the point
    return view()


FAST: dict[str, tuple[Any, list[Any]]] = {
    "/fast": (view, []),
    "/list": (with_list, []),
    "/returned": (view, [Depends(lambda: requires_reader)]),
}


@cache
def app_of_endpoints() -> Any:
    app, router = guarded(FastAPI(title=TEXT)), APIRouter(prefix="/nested")
    for path, endpoint in (PLAIN | WRONG).items():
        app.add_route(path, endpoint)
    for path, (endpoint, dependencies) in FAST.items():
        app.get(path, dependencies=dependencies, include_in_schema=False)(endpoint)
    router.get("/fast")(view)
    app.include_router(router)
    return app


def mounts() -> Any:
    inner = with_route(Starlette(routes=[Mount("/y", routes=[Route("/x", plain)])]))
    return guarded(Starlette(routes=[Host("api.example", inner), Mount("/in", inner)]))


def with_role(app: Any) -> Any:
    app.get("/x", dependencies=[requires_reader])(view)
    return app


def with_middleware(after: Callable[[Any], Any]) -> Any:
    app = guarded()
    after(app)
    return with_route(app)


def with_cors(app: Any) -> None:
    for layer in (CORSMiddleware, Answering, CORSMiddleware):
        app.add_middleware(layer, **({} if layer is Answering else {"allow_origins": ["*"]}))


def built_again(app: Any) -> None:
    TestClient(app).get("/x")
    app.middleware_stack = None
    app.add_middleware(Answering)


def wrapped(app: Any) -> None:
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: BaseHTTPMiddleware(build(), dispatch=lambda request, go: go(request))


def handling(app: Any) -> None:
    for status in (404, 405):
        app.add_exception_handler(status, lambda _request, _error: view())


def every_method() -> Any:
    return with_route(mounting(guarded(), "/mounted"), methods=METHODS)


def with_root_path(app: ASGIApp) -> ASGIApp:
    async def behind_a_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": "/open"}, receive, send)

    return behind_a_proxy


def opening(*open_routes: str) -> Any:
    return mounting(guarded(Starlette(), *open_routes))


ROWS = {
    **{path: Mistake(app_of_endpoints, (path,)) for path in (*PLAIN, *FAST, "/nested/fast")},
    **{path: Mistake(app_of_endpoints, (path,), shows=False) for path in WRONG},
    "FastAPI's own pages": Mistake(app_of_endpoints, ("/docs", "/redoc", "/openapi.json")),
    "mounts": Mistake(mounts, (ask("/x", host="api.example"), "/in/x", "/in/y/x")),
    "a role in a mounted app without protect": Mistake(
        lambda: mounting(guarded(), "/in", with_role(FastAPI())), ("/in/x",), shows=False
    ),
    "a role in an app without protect": Mistake(lambda: with_role(FastAPI()), shows=False),
    "a protected app in one that is not": Mistake(
        lambda: mounting(FastAPI(), "/in", with_role(guarded())), ("/in/x",), role=True
    ),
    "a guard of an open path that nobody awaits": Mistake(
        lambda: with_route(guarded(Starlette(), "/x"), _forgets_await), shows=False
    ),
    "an awaited guard after that": Mistake(lambda: with_route(guarded(Starlette(), "/x"), _forgets_first), shows=False),
    "middleware that is put outermost": Mistake(
        lambda: with_middleware(lambda app: app.user_middleware.insert(0, Middleware(Answering)))
    ),
    "middleware for other origins": Mistake(lambda: with_middleware(with_cors), (ask("/x", PREFLIGHT[0]), "/x")),
    "a stack that is built again": Mistake(lambda: with_middleware(built_again)),
    "a stack that something wraps": Mistake(lambda: with_middleware(wrapped)),
    "handlers for unknown paths and methods": Mistake(
        lambda: with_middleware(handling), ("/nowhere", ask("/x", method="POST"))
    ),
    "each method": Mistake(every_method, tuple(ask("/x", method=method) for method in METHODS)),
    "half a preflight": Mistake(
        every_method,
        (
            ask("/x", PREFLIGHT[0], method="OPTIONS"),
            ask("/x", PREFLIGHT[1], method="OPTIONS"),
            ask("/x", "X-HTTP-Method-Override: OPTIONS", *PREFLIGHT),
        ),
    ),
    "a preflight": Mistake(
        every_method, tuple(ask(path, *PREFLIGHT, method="OPTIONS") for path in ("/x", "/mounted/")), shows=False
    ),
    "paths beside an open one": Mistake(
        lambda: opening("/open/*", "/literal"), (*NOT_OPEN, "/open", "/literal/", "//open/x", "/open//x", "/open/%2fx")
    ),
    "an app below the prefix that it opens": Mistake(
        lambda: Starlette(routes=[Mount("/open", opening("/open/*"))]), ("/open/x", "/open/open/../x")
    ),
    "a root path like an open one": Mistake(lambda: with_root_path(opening("/open/*")), ("/x", "/open/x")),
    "a parent that decides first": Mistake(
        lambda: guarded(Starlette(routes=[Mount("/open", opening("/x"))])), ("/open/x",)
    ),
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", ROWS)
def test_nobody_sees_the_text_without_a_token(name: str, api: Endpoint) -> None:
    STAGE.app = ROWS[name].build()
    check(api, ROWS[name])


def _protected(name: str, value: Any) -> None:
    protect(FastAPI(), *arguments(), **{name: value})


AT_IMPORT: dict[str, tuple[Callable[[], Any], str]] = {
    "a decorator with a role": (lambda: needs(role="a")(view), "await requires_reader(request)"),
    "a guard that is called again": (lambda: Depends(requires_reader()), "Depends(requires_token("),
    "what could be a token by position": (lambda: needs(READER.pat), "Depends(requires_token("),
    "roles and a request": (lambda: needs(Request({"type": "http"}), role="a"), "await requires_reader(request)"),
    "a guard of a part of a parameter": (
        lambda: _parameter(Annotated[str, requires_reader] | None),
        "write Annotated[",
    ),
    "a guard that a query replaces": (lambda: _parameter(Annotated[str, requires_reader, Query()]), "write Annotated["),
    "an Introspection without a guard": (lambda: _parameter(Introspection), "Depends(requires_token("),
    "an Introspection of an empty Depends": (
        lambda: _parameter(Annotated[Introspection, Depends()]),
        "Depends(requires_token(",
    ),
    "an Introspection as the response": (lambda: FastAPI().get("/", response_model=Introspection)(view), "return the"),
    "an app of Flask": (lambda: guarded(Flask(__name__)), "write from zdemo.server import protect"),
    "a guard of Flask": (
        lambda: TestClient(with_role(FastAPI(dependencies=[Depends(flasks_requires_token(role="a"))]))).get("/x"),
        "write from zdemo.asgi import requires_token",
    ),
    "a router": (lambda: guarded(APIRouter()), "write protect(app) with the app itself, not a router"),
    **{
        f"the argument {name}": (partial(_protected, name, value), hint)
        for name, value, hint in (
            ("open", ["/"], "did you mean open_routes?"),
            ("public", ["/"], "it takes open_routes, resource, role, threads"),
            ("any_of", ["a"], "write requires_token(any_of="),
            ("role", ["a"], "write requires_token(any_of="),
            ("threads", "128", "write threads=128"),
            ("cache_ttl", 5, "set ZDEMO_CACHE_TTL in the environment or .env"),
            ("env_file", ".env", "protect(app, dotenv_values(FILE))"),
        )
    },
    "a second protect": (lambda: guarded(guarded()), "call protect(app) once"),
    "a protect after the start": (lambda: guarded(_started()), "where the app is created"),
    "a rule of Flask": (lambda: guarded(None, "/open/<word>"), "/static/*"),
}


def _parameter(annotation: Any) -> None:
    def endpoint(a: Any) -> Any:
        return a

    endpoint.__annotations__["a"] = annotation
    FastAPI().get("/")(endpoint)


def _started() -> FastAPI:
    app = FastAPI()
    TestClient(app).get("/")
    return app


@pytest.mark.parametrize("name", AT_IMPORT)
def test_a_wrong_way_is_an_error_when_the_module_is_imported(name: str) -> None:
    call, hint = AT_IMPORT[name]
    with pytest.raises(GuardError) as wrong:
        call()
    assert hint in wrong.value.hint
    assert READER.pat not in f"{wrong.value} {wrong.value.hint}"


async def _forgets_await(request: Request) -> PlainTextResponse:
    requires_reader(request)
    return view()


async def _forgets_first(request: Request) -> PlainTextResponse:
    requires_reader(request)
    await requires_token(request)
    return view()


def _is_no_coroutine(request: Request) -> PlainTextResponse:
    requires_reader(request)
    return view()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("endpoint", [_forgets_await, _is_no_coroutine])
def test_a_role_counts_where_nobody_awaits_it(endpoint: Any, api: Endpoint) -> None:
    STAGE.app = with_route(guarded(Starlette()), endpoint)
    assert shows(api.get("/x"))
    assert not shows(api.get("/x", "visitor"))


def test_a_role_counts_in_middleware(api: Endpoint) -> None:
    async def asking(asked: Request, go: Any) -> Any:
        await requires_reader(asked)
        return await go(asked)

    STAGE.app = with_middleware(lambda app: app.add_middleware(BaseHTTPMiddleware, dispatch=asking))
    assert [api.get("/x", token).status for token in (None, "visitor", READER.pat)] == [401, 401, 200]


WEBSOCKETS = ("/fast", "/plain", "/class", "/router", "/in/plain")


def _with_websockets() -> Any:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(TEXT)
        await socket.close()

    class Talking(WebSocketEndpoint):
        async def on_connect(self, websocket: WebSocket) -> None:
            await talk(websocket)

    app, router = guarded(None, "/open"), APIRouter(dependencies=[Depends(requires_token)])
    app.websocket("/fast")(talk)
    router.websocket("/router")(talk)
    app.include_router(router)
    plain_routes = [WebSocketRoute("/plain", talk), WebSocketRoute("/class", Talking), WebSocketRoute("/open", talk)]
    app.router.routes += [*plain_routes, Mount("/in", routes=plain_routes)]
    return app


@pytest.mark.parametrize("denial", [True, False])
def test_a_websocket_needs_the_token_at_its_handshake(*, denial: bool) -> None:
    app = _with_websockets()

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = scope.get("extensions", {}) if denial else None
        await app({**scope, "extensions": extensions}, receive, send)

    client = TestClient(server)
    for path in (*WEBSOCKETS, "/open"):
        with client.websocket_connect(path, headers=READER_HEADERS) as admitted:
            assert admitted.receive_text() == TEXT
    with client.websocket_connect("/open") as anybody:
        assert anybody.receive_text() == TEXT
    for path in (*WEBSOCKETS, "/nowhere", "//open", "/open/"):
        for headers in ({}, {"Authorization": "Bearer unknown"}):
            with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(path, headers=headers):
                pass
            assert getattr(refused.value, "status_code", 401) == 401


def test_preflights_are_answered_and_other_origins_can_read_refusals(api: Endpoint) -> None:
    ask = request("/x", *PREFLIGHT, method="OPTIONS")
    STAGE.app = with_route(guarded())
    alone = api.send(ask)
    assert (alone.status, alone.one("access-control-allow-origin")) == (204, None)
    STAGE.app = app = with_route(guarded())
    app.add_middleware(Answering)
    app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    replies = [api.send(ask), api.send(request("/x", PREFLIGHT[0]))]
    assert [(reply.status, reply.one("access-control-allow-origin")) for reply in replies] == [
        (200, "https://app.example"),
        (401, "https://app.example"),
    ]


@pytest.mark.parametrize("before", [True, False])
def test_a_handler_of_the_app_answers_refusals(*, before: bool, api: Endpoint) -> None:
    app = FastAPI() if before else guarded()
    app.add_exception_handler(Refused, lambda _, error: PlainTextResponse(f"own: {error}", 418))
    STAGE.app = with_route(guarded(app) if before else app)
    assert [api.get("/x", token).status for token in (None, READER.pat)] == [418, 200]
    assert api.get("/x", None).body == b"own: no bearer token"


def test_unknown_paths_are_told_to_callers_with_a_token_alone(api: Endpoint) -> None:
    STAGE.app = guarded()
    statuses = [api.get(path, token).status for path in ("/x", "/docs") for token in (None, READER.pat)]
    assert statuses == [401, 404, 401, 200]
