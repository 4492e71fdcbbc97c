"""A guard in a wrong place, or none: each row is an app and requests, and no request without a token shows the text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Security, WebSocket
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from tests.support.apis import Endpoint
from tests.support.asgi_apis import on_uvicorn
from tests.support.mistakes import ORIGIN, PREFLIGHT, SETTINGS, TEXT, Mistakes, TwoTokens, ask, check, shows
from tests.support.wire import request
from zdemo.asgi import Introspection, protect, requires_token
from zdemo.emulator import READER
from zdemo.errors import GuardError, Refused

ROWS = Mistakes()
needs: Any = requires_token  # without its types, which find some of these mistakes before
requires_reader: Any = requires_token(role="a")
GUARDED: Any = {"dependencies": [Depends(requires_reader)]}
READER_HEADERS = {"Authorization": f"Bearer {READER.pat}"}


def guarded(app: Any = None, *open_routes: str) -> Any:
    return protect(app or FastAPI(), SETTINGS, TwoTokens(), open_routes=open_routes)


def view() -> PlainTextResponse:
    return PlainTextResponse(TEXT, headers={"X-Text": TEXT})


async def plain(_: Request) -> PlainTextResponse:
    return view()


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """An app of ASGI, without any framework."""
    await view()(scope, receive, send)


class Answering:
    """A middleware that answers by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (bare if scope["type"] == "http" else self.app)(scope, receive, send)


async def answer(_request: Request, _call_next: Any) -> PlainTextResponse:
    return view()


def with_route(app: Any, endpoint: Any = plain, path: str = "/x", **options: Any) -> Any:
    app.router.routes.append(Route(path, endpoint, **options))
    return app


# --- no guard, or one that nothing runs


@ROWS.row("/x", "/plain", "/nested/x", "/nested/plain", ask("/plain", method="HEAD"))
def routes_without_a_guard() -> Any:
    app, router = guarded(), APIRouter(prefix="/nested")
    for each, path in ((app, "/plain"), (router, "/nested/plain")):
        each.get("/x")(view)
        each.add_route(path, plain)
    app.include_router(router)
    return app


@ROWS.row("/plain", "/late", "/files/word.txt", "/mounted/x", "/bare/x", "/fast/x", "/front/word.txt")
def what_a_guarded_router_does_not_reach() -> Any:
    return not_reached(Path())


def not_reached(folder: Path) -> Any:
    app, late = guarded(FastAPI(**GUARDED)), FastAPI()
    router, below = APIRouter(**GUARDED), APIRouter()
    router.add_route("/plain", plain)
    router.mount("/files", StaticFiles(directory=folder))
    router.mount("/mounted", Starlette(routes=[Route("/x", plain)]))
    router.mount("/bare", bare)
    late.get("/x")(view)
    router.mount("/fast", late)
    below.get("/late")(view)
    app.include_router(router)
    app.include_router(below)
    app.frontend("/front", directory=folder)
    return app


@ROWS.row("/x", "/y")
def dependencies_that_come_late() -> Any:
    app, router = guarded(), APIRouter()
    router.get("/y")(view)
    app.get("/x")(view)
    app.include_router(router)
    for late in (app.router, router):
        late.dependencies.append(Depends(needs(role="b")))
    return app


@ROWS.row("/x", "/y", "/z/")
def routes_that_come_after_the_first_request() -> Any:
    app = guarded()
    TestClient(app).get("/x")
    app.get("/x")(view)
    app.add_route("/y", plain)
    app.mount("/z", bare)
    return app


@ROWS.row()
def a_guard_in_a_list() -> Any:
    app = guarded()

    def wrong(a: Annotated[str, [Depends(requires_reader)]] = "") -> PlainTextResponse:  # noqa: ARG001  # the point
        return view()

    app.get("/x")(wrong)
    return app


@ROWS.row()
def a_guard_after_yield() -> Any:
    async def late(request: Request) -> AsyncIterator[None]:
        yield
        with suppress(Refused):
            await requires_reader(request)

    app = guarded()
    app.get("/x", dependencies=[Depends(late)])(view)
    return app


@ROWS.row("/x", "/y")
def a_guard_in_a_background_task() -> Any:
    def wrong(request: Request, tasks: BackgroundTasks) -> PlainTextResponse:
        tasks.add_task(requires_reader, request)
        return view()

    async def other(request: Request) -> PlainTextResponse:
        return PlainTextResponse(TEXT, background=BackgroundTask(requires_reader, request))

    app = with_route(guarded(), other, "/y")
    app.get("/x")(wrong)
    return app


@ROWS.row("/x", "/y", "/z", "/x?a=b")
def a_guard_that_fastapi_takes_for_something_else() -> Any:
    app = guarded()

    def default(a: Any = requires_reader) -> PlainTextResponse:  # noqa: ARG001  # the point
        return view()

    app.get("/x")(default)
    app.get("/y", dependencies=[Depends(lambda: requires_reader)])(view)
    app.get("/z", dependencies=[Security(requires_token, scopes=["read:messages"])])(view)
    return app


@ROWS.row()
def a_guard_as_a_decorator_of_a_class() -> Any:
    class Thing(HTTPEndpoint):
        decorators = (requires_reader,)
        get = staticmethod(plain)

    return with_route(guarded(), Thing)


@ROWS.row(shows=False)
def a_guard_that_is_made_in_the_endpoint() -> Any:
    async def wrong(request: Request) -> PlainTextResponse:
        await needs(role="a")(request)
        return view()

    return with_route(guarded(), wrong)


@ROWS.row(shows=False)
def a_guard_that_is_made_in_an_endpoint_without_async() -> Any:
    def wrong(_: Request) -> PlainTextResponse:
        needs(role="b")
        return view()

    return with_route(guarded(), wrong)


@ROWS.row()
def a_guard_that_is_replaced() -> Any:
    app = guarded()
    app.get("/x", dependencies=[Depends(requires_token)])(view)
    app.dependency_overrides[requires_token] = lambda: Introspection(active=True, claims={"sub": "1"})
    return app


@ROWS.row()
def a_route_class_of_ones_own() -> Any:
    class Own(APIRoute):
        def get_route_handler(self) -> Any:
            return plain

    app = guarded()
    app.router.route_class = Own
    app.get("/x", **GUARDED)(view)
    return app


@ROWS.row("/x", "/anything")
def a_router_of_ones_own() -> Any:
    class Everything(BaseRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            return (Match.FULL if scope["path"] == "/x" else Match.NONE), {}

        handle = staticmethod(bare)

    app = guarded(Starlette())
    app.router.routes.append(Everything())
    app.router.default = bare
    return app


@ROWS.row("/x", "/y")
def a_stream_and_an_endpoint_without_async() -> Any:
    async def stream(_: Request) -> StreamingResponse:
        return StreamingResponse(iter([TEXT]))

    return with_route(with_route(guarded(Starlette()), stream), lambda _: view(), "/y")


@ROWS.row("/x", "/docs", "/redoc", "/openapi.json")
def a_description_that_says_too_much() -> Any:
    app = guarded(FastAPI(title=TEXT))
    app.get("/x")(view)
    return app


@ROWS.row(ask("/x", host="api.example"), "/in/x", "/in/y/x")
def mounts_of_all_kinds() -> Any:
    inner = Starlette(routes=[Route("/x", plain), Mount("/y", app=Router([Route("/x", plain)]))])
    return guarded(Starlette(routes=[Host("api.example", inner), Mount("/in", inner)]))


@ROWS.row("/in/x", shows=False)
def a_role_in_a_mounted_app_without_protect() -> Any:
    inner = FastAPI()
    inner.get("/x", **GUARDED)(view)
    app = guarded()
    app.mount("/in", inner)
    return app


@ROWS.row(shows=False)
def a_role_in_an_app_without_protect() -> Any:
    app = FastAPI()
    app.get("/x", **GUARDED)(view)
    return app


@ROWS.row("/in/x")
def a_protected_app_in_one_that_is_not() -> Any:
    inner, app = guarded(), FastAPI()
    inner.get("/x", **GUARDED)(view)
    app.mount("/in", inner)
    return app


# --- other parts of the app that answer


@ROWS.row()
def middleware_of_the_constructor() -> Any:
    return with_route(guarded(Starlette(middleware=[Middleware(Answering)])))


@ROWS.row()
def middleware_that_is_added_before() -> Any:
    app = Starlette()
    app.add_middleware(BaseHTTPMiddleware, dispatch=answer)
    return with_route(guarded(app))


@ROWS.row()
def middleware_that_is_added_after() -> Any:
    app = guarded()
    app.middleware("http")(answer)
    app.add_middleware(Answering)
    return with_route(app)


@ROWS.row()
def middleware_that_is_put_outermost_by_hand() -> Any:
    app = with_route(guarded())
    app.user_middleware.insert(0, Middleware(Answering))
    return app


@ROWS.row(ask("/x", ORIGIN), "/x")
def middleware_for_other_origins() -> Any:
    app = guarded()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(Answering)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
    return with_route(app)


@ROWS.row()
def a_stack_that_is_built_again() -> Any:
    app = with_route(guarded())
    TestClient(app).get("/x")
    app.middleware_stack = None
    app.add_middleware(Answering)
    return app


@ROWS.row()
def a_stack_that_another_library_wraps() -> Any:
    app = with_route(guarded())
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: BaseHTTPMiddleware(build(), dispatch=lambda request, go: go(request))
    return app


@ROWS.row()
def a_cache_for_everybody() -> Any:
    answers: list[Any] = []

    async def cache(request: Request, go: Any) -> Any:
        if not answers:
            await go(request)
            answers.append(TEXT)
        return PlainTextResponse(answers[0])

    app = with_route(guarded())
    app.middleware("http")(cache)
    return app


@ROWS.row("/nowhere", ask("/x", method="POST"))
def a_handler_that_shows_it() -> Any:
    app = with_route(guarded())
    for status in (404, 405):
        app.add_exception_handler(status, lambda _request, _error: view())
    return app


# --- methods


@ROWS.row(
    *(ask("/x", method=method) for method in ("GET", "HEAD", "POST", "DELETE", "TRACE", "OPTIONS", "BREW")),
    ask("/x", ORIGIN, method="OPTIONS"),
    ask("/x", "Access-Control-Request-Method: GET", method="OPTIONS"),
    ask("/x", *PREFLIGHT),
    ask("/x", "X-HTTP-Method-Override: OPTIONS", *PREFLIGHT),
)
def an_endpoint_for_every_method() -> Any:
    return with_route(guarded(), methods=["GET", "POST", "DELETE", "TRACE", "OPTIONS", "BREW"])


@ROWS.row(ask("/x", *PREFLIGHT, method="OPTIONS"), ask("/y", *PREFLIGHT, method="OPTIONS"), shows=False)
def an_endpoint_that_answers_preflights() -> Any:
    app = with_route(guarded(), methods=["GET", "OPTIONS"])
    app.mount("/y", bare)
    return app


# --- paths of open routes


OUT_OF_OPEN = (
    *("/open/../private", "/open/..", "/open/x/../../private", "/open/%2e%2e/private", "/open/.%2E/private"),
    *("/open/%252e%252e/private", "/open/%25252e%25252e/x", "/open%2f..%2fprivate", "/open/..%2fprivate"),
    *("/open/%252e./private", "/open/..%5cprivate", "/open/..;/private", "/open//x", "//open/x", "/open/%2fx"),
    *("/open/x%3f/../../private", "/open/%3f/..%2f..%2fprivate", "/open/../private?/open/", "/open/%00/../../x"),
)
BESIDE_OPEN = ("/openprivate", "/open2/x", "/OPEN/x", "/Open", "/private?/open/x", "/x/open/", "/open", "/literal/")


@ROWS.row(*OUT_OF_OPEN, *BESIDE_OPEN)
def a_path_that_is_not_the_open_one() -> Any:
    app = guarded(Starlette(), "/open/*", "/literal")
    app.mount("/", bare)
    return app


@ROWS.row("/open/x", "/open/open/../x")
def an_app_below_the_prefix_that_it_opens() -> Any:
    inner = guarded(Starlette(), "/open/*")
    inner.mount("/", bare)
    return Starlette(routes=[Mount("/open", inner)])


@ROWS.row("/x", "/open/x")
def a_root_path_like_an_open_one() -> Any:
    inner = guarded(Starlette(), "/open/*")
    inner.mount("/", bare)

    async def behind_a_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, "root_path": "/open"}, receive, send)

    return behind_a_proxy


@ROWS.row("/open/x")
def a_parent_that_decides_first() -> Any:
    inner = guarded(Starlette(), "/x")
    inner.mount("/", bare)
    return guarded(Starlette(routes=[Mount("/open", inner)]))


class Stage:
    """An ASGI app that is another one in each test, so that one server is enough."""

    app: ASGIApp = staticmethod(bare)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (Starlette() if scope["type"] == "lifespan" else self.app)(scope, receive, send)


STAGE = Stage()


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    with on_uvicorn(STAGE) as running:
        yield running


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("name", ROWS)
def test_nobody_sees_the_text_without_a_token(name: str, api: Endpoint, tmp_path: Path) -> None:
    mistake = ROWS[name]
    (tmp_path / "word.txt").write_text(TEXT)
    takes_folder = mistake.build is what_a_guarded_router_does_not_reach
    STAGE.app = not_reached(tmp_path) if takes_folder else mistake.build()
    check(api, mistake)


AT_IMPORT: dict[str, tuple[Callable[[], Any], str]] = {
    "a decorator": (lambda: needs(view), "Depends(requires_token("),
    "a decorator with a role": (lambda: needs(role="a")(view), "await requires_reader(request)"),
    "a role by position": (lambda: needs("read:messages"), 'write requires_token(role="read:messages")'),
    "what could be a token by position": (lambda: needs(READER.pat), 'role="ROLE"'),
    "roles by position": (lambda: needs(["a"]), "Depends(requires_token("),
    "None by position": (lambda: needs(None), "Depends(requires_token("),
    "no role": (lambda: needs(role=None), 'write role="read:messages"'),
    "one text for several roles": (lambda: needs(any_of="admin"), 'write any_of=["a", "b"]'),
    "two kinds": (lambda: needs(role="a", any_of=["b"]), "give one of them"),
    "roles and a request": (lambda: needs(Request({"type": "http"}), role="a"), "await requires_reader(request)"),
    "dependencies without Depends": (lambda: FastAPI().get("/", dependencies=[needs(role="a")])(view), "[Depends("),
    "Annotated without Depends": (lambda: _parameter(Annotated[str, needs(role="a")]), "Depends(requires_token("),
    "an Introspection without a guard": (lambda: _parameter(Introspection), "Depends(requires_token("),
    "an Introspection as the response": (lambda: FastAPI().get("/", response_model=Introspection)(view), "return the"),
    "a second protect": (lambda: guarded(guarded()), "call protect(app) once"),
    "a protect after the start": (lambda: guarded(_started()), "where the app is made"),
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


def _is_no_coroutine(request: Request) -> PlainTextResponse:
    requires_reader(request)
    return view()


async def _gathers(request: Request) -> PlainTextResponse:
    await asyncio.gather(requires_reader(request), return_exceptions=True)
    return view()


async def _waits(request: Request) -> PlainTextResponse:
    await asyncio.wait([asyncio.ensure_future(requires_reader(request))])
    return view()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("endpoint", [_forgets_await, _is_no_coroutine, _gathers, _waits])
def test_a_role_counts_where_nobody_awaits_it(endpoint: Any, api: Endpoint) -> None:
    STAGE.app = with_route(guarded(Starlette()), endpoint)
    assert shows(api.get("/x"))
    assert not shows(api.get("/x", "visitor"))


WEBSOCKETS = ("/fast", "/plain", "/class", "/router", "/in/plain", "/guarded")


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
    app.websocket("/guarded", **GUARDED)(talk)
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
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/guarded", headers={"Authorization": "Bearer visitor"}),
    ):
        pass


def test_preflights_are_answered_and_other_origins_can_read_refusals(api: Endpoint) -> None:
    ask = request("/x", *PREFLIGHT, method="OPTIONS")
    STAGE.app = with_route(guarded())
    alone = api.send(ask)
    assert (alone.status, alone.one("access-control-allow-origin")) == (204, None)
    STAGE.app = app = with_route(guarded())
    app.add_middleware(Answering)
    app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    replies = [api.send(ask), api.send(request("/x", ORIGIN))]
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
    assert [api.get(path, token).status for path in ("/x", "/docs") for token in (None, READER.pat)] == [
        401,
        404,
        401,
        200,
    ]
