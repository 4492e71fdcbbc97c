"""Ways to write the guard that would leave a route open: each is an error that says what to write, or no answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Security, WebSocket
from fastapi.staticfiles import StaticFiles
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

from tests.support.apis import settings_for
from tests.support.asgi_apis import environment_of, on_uvicorn
from tests.support.processes import run_python
from tests.support.wire import bearer, request
from zdemo.asgi import Introspection, protect, requires_token
from zdemo.config.settings import Settings
from zdemo.emulator import READER
from zdemo.errors import GuardError, Refused

needs: Any = requires_token  # without its types, which find most of these mistakes before


def view() -> None:
    """A function that a guard is written above."""


def _dependencies(*given: Any) -> None:
    FastAPI().get("/", dependencies=given)(view)


def _parameter(annotation: Any, *default: Any) -> None:
    def endpoint(a: Any) -> Any:
        return a

    endpoint.__annotations__["a"] = annotation
    endpoint.__defaults__ = default or None
    FastAPI().get("/")(endpoint)


def _response() -> None:
    app = FastAPI()

    @app.get("/")
    def endpoint(a: Annotated[Introspection, Depends(requires_token)]) -> Introspection:
        return a


AT_IMPORT: dict[str, tuple[Callable[[], Any], str]] = {
    "a decorator": (lambda: needs(view), "Depends(requires_token("),
    "a decorator with a role": (lambda: needs(role="a")(view), "await requires_token("),
    "a role by position": (lambda: needs("read:messages"), 'write requires_token(role="read:messages")'),
    "what could be a token by position": (lambda: needs(READER.pat), 'role="ROLE"'),
    "roles by position": (lambda: needs(["a"]), "Depends(requires_token("),
    "None by position": (lambda: needs(None), "Depends(requires_token("),
    "a list as a role": (lambda: needs(role=["a"]), 'write role="read:messages"'),
    "no role": (lambda: needs(role=None), 'write role="read:messages"'),
    "one text for several roles": (lambda: needs(any_of="admin"), 'write any_of=["a", "b"]'),
    "no roles": (lambda: needs(all_of=[]), 'write all_of=["a", "b"]'),
    "two kinds": (lambda: needs(role="a", any_of=["b"]), "give one of them"),
    "roles and a request": (lambda: needs(Request({"type": "http"}), role="a"), "await requires_token("),
    "dependencies without Depends": (lambda: _dependencies(needs(role="a")), "dependencies=[Depends("),
    "dependencies without Depends, bare": (lambda: _dependencies(needs), "dependencies=[Depends("),
    "Annotated without Depends": (lambda: _parameter(Annotated[Introspection, needs()]), "Depends(requires_token("),
    "Annotated dict without Depends": (lambda: _parameter(Annotated[dict[str, str], needs]), "Depends(requires_token("),
    "Annotated text without Depends": (lambda: _parameter(Annotated[str, needs(role="a")]), "Depends(requires_token("),
    "an Introspection without a guard": (lambda: _parameter(Introspection), "Depends(requires_token("),
    "an optional one": (lambda: _parameter(Introspection | None, None), "Depends(requires_token("),
    "the guard as its default": (lambda: _parameter(Introspection, needs()), "Depends(requires_token("),
    "an Introspection as the response": (_response, "return the claims that you need"),
}


@pytest.mark.parametrize("name", AT_IMPORT)
def test_a_wrong_way_is_an_error_when_the_module_is_imported(name: str) -> None:
    call, hint = AT_IMPORT[name]
    with pytest.raises(GuardError) as wrong:
        call()
    assert hint in wrong.value.hint
    assert READER.pat not in f"{wrong.value} {wrong.value.hint}"


def _default(app: FastAPI | APIRouter, guard: Any) -> None:
    @app.get("/wrong")
    def wrong(a: Any = guard) -> Any:
        return a


def _default_below(app: FastAPI) -> None:
    def dependency(a: Any = needs(role="a")) -> Any:  # noqa: B008  # the point
        return a

    router = APIRouter()
    router.get("/wrong", dependencies=[Depends(dependency)])(view)
    app.include_router(router, prefix="/in")


def _websocket(app: FastAPI) -> None:
    @app.websocket("/wrong")
    async def wrong(socket: WebSocket, _: Annotated[Any, Depends(requires_token)]) -> None:
        await socket.accept()


def _websocket_in_a_router(app: FastAPI) -> None:
    router = APIRouter(dependencies=[Depends(requires_token)])

    @router.websocket("/wrong")
    async def wrong(socket: WebSocket) -> None:
        await socket.accept()

    app.include_router(router)


def _scopes(app: FastAPI) -> None:
    app.get("/wrong", dependencies=[Security(requires_token, scopes=["read:messages"])])(view)


def _mounted(app: FastAPI) -> None:
    below = FastAPI()
    below.get("/wrong", dependencies=[Depends(requires_token)])(view)
    app.mount("/below", below)


GUARDED: Any = {"dependencies": [Depends(requires_token(role="read:messages"))]}
READER_GUARD = requires_token(role="read:messages")


async def _plain(_: Request) -> PlainTextResponse:
    return PlainTextResponse("open")


def _plain_in_a_guarded_router(app: FastAPI) -> None:
    router = APIRouter(**GUARDED)
    router.add_route("/wrong", _plain)
    app.include_router(router)


def _plain_in_a_guarded_inclusion(app: FastAPI) -> None:
    router, outer = APIRouter(), APIRouter()
    router.add_route("/wrong", _plain)
    outer.include_router(router, **GUARDED)
    app.include_router(outer)


def _plain_behind_a_function(app: FastAPI) -> None:
    async def user(reader: Annotated[Introspection, Depends(requires_token)]) -> str:
        return reader.text("sub") or ""

    router = APIRouter(dependencies=[Depends(user)])
    router.add_route("/wrong", _plain)
    app.include_router(router)


def _mounted_in_a_guarded_router(app: FastAPI) -> None:
    router = APIRouter(**GUARDED)
    router.mount("/wrong", StaticFiles(directory="."))
    app.include_router(router)


def _hidden_in_a_guarded_app(app: FastAPI) -> None:
    guarded = FastAPI(**GUARDED)
    guarded.add_route("/wrong", _plain, include_in_schema=False)
    app.mount("/below", guarded)


def _protected_but_unguarded(app: FastAPI) -> None:
    guarded = FastAPI(**GUARDED)
    below = FastAPI()
    below.get("/wrong")(view)
    protect(below, settings_for("http://127.0.0.1:1"))
    guarded.mount("/below", below)
    app.mount("/", guarded)


def _late_in_the_app(app: FastAPI) -> None:
    app.get("/wrong")(view)
    app.router.routes.pop(-2)  # the open one
    app.router.dependencies.append(Depends(requires_token))


def _late_in_a_router(app: FastAPI) -> None:
    router = APIRouter()
    router.get("/wrong")(view)
    router.dependencies.append(Depends(requires_token))
    app.include_router(router)


def _late_above_a_router(app: FastAPI) -> None:
    router, outer = APIRouter(), APIRouter()
    router.get("/wrong")(view)
    outer.include_router(router)
    outer.dependencies.append(Depends(requires_token))
    app.include_router(outer)


class Holder:
    """A dependency that has a guard, and does not await it."""

    def __init__(self) -> None:
        self.guard = READER_GUARD

    async def __call__(self, _: Request) -> Any:
        """Return the guard."""
        return self.guard

    def calls(self, request: Request) -> Any:
        """Return the decision, for which nobody waits."""
        return self.guard(request)

    def other(self) -> str:
        """Return what has nothing to do with the guard."""
        return "other"


def _depends(dependency: Any) -> Callable[[FastAPI], None]:
    def write(app: FastAPI) -> None:
        app.get("/wrong", dependencies=[Depends(dependency)])(view)

    return write


def _annotated(annotation: Any) -> Callable[[FastAPI], None]:
    def write(app: FastAPI) -> None:
        def wrong(a: Any) -> Any:
            return a

        wrong.__annotations__["a"] = annotation
        app.get("/wrong")(wrong)

    return write


def _in_middleware(app: FastAPI) -> None:
    below = FastAPI()
    _default(below, needs)
    app.mount("/below", GZipMiddleware(GZipMiddleware(below)))


class Decorated(HTTPEndpoint):
    """An endpoint with decorators as Flask has them."""

    decorators = (READER_GUARD,)
    get = _plain


class Attributes:
    """A dependency with a guard where FastAPI does not look."""

    reader = Depends(READER_GUARD)


def _plain_default(app: FastAPI) -> None:
    async def wrong(_: Request, reader: Any = GUARDED["dependencies"][0]) -> PlainTextResponse:
        return PlainTextResponse(str(reader))

    app.add_route("/wrong", wrong)


AT_START: dict[str, tuple[Callable[[FastAPI], None], str]] = {
    "a default": (lambda app: _default(app, needs(role="a")), "Depends(requires_token("),
    "a default, bare": (lambda app: _default(app, needs), "Depends(requires_token("),
    "a default of a dependency": (_default_below, "Depends(requires_token("),
    "a default of a plain route": (_plain_default, "Depends(requires_token("),
    "a default below middleware": (_in_middleware, "Depends(requires_token("),
    "a websocket": (_websocket, "HTTP route"),
    "a websocket in a guarded router": (_websocket_in_a_router, "HTTP route"),
    "scopes, which are no roles": (_scopes, 'role="read:messages"'),
    "a mounted app without protect": (_mounted, "call protect"),
    "a guarded router, and a plain route": (_plain_in_a_guarded_router, "add_api_route"),
    "a guarded inclusion, and a plain route": (_plain_in_a_guarded_inclusion, "add_api_route"),
    "a guard behind a function, and a plain route": (_plain_behind_a_function, "add_api_route"),
    "a guarded router, and a mounted app": (_mounted_in_a_guarded_router, "add_api_route"),
    "a guarded app, and a hidden plain route": (_hidden_in_a_guarded_app, "add_api_route"),
    "a guarded app, and a protected one without guards": (_protected_but_unguarded, "add_api_route"),
    "a guard after the routes of the app": (_late_in_the_app, "where the router or the app is made"),
    "a guard after the routes of a router": (_late_in_a_router, "where the router or the app is made"),
    "a guard after an included router": (_late_above_a_router, "where the router or the app is made"),
    "a dependency that returns a guard": (_depends(lambda: READER_GUARD), "Depends(requires_token("),
    "a dependency that makes a guard": (_depends(lambda: needs(role="a")), "Depends(requires_token("),
    "an object that returns its guard": (_depends(Holder()), "Depends(requires_token("),
    "a method that does not await its guard": (_depends(Holder().calls), "Depends(requires_token("),
    "Annotated of what FastAPI gives itself": (
        _annotated(Annotated[BackgroundTasks, needs()]),
        "Depends(requires_token(",
    ),
    "Annotated with another dependency": (_annotated(Annotated[str, Depends(view), needs]), "Depends(requires_token("),
    "Annotated with another one behind": (
        _annotated(Annotated[str, Depends(requires_token), Depends(view)]),
        "Depends(requires_token(",
    ),
    "a class attribute": (_depends(Attributes), "dataclass"),
    "decorators of a class": (
        lambda app: app.router.routes.append(Route("/wrong", Decorated)),
        "await requires_token(",
    ),
}


@pytest.mark.parametrize("name", AT_START)
def test_a_wrong_place_is_an_error_at_the_start_and_on_each_request(name: str, settings: Settings) -> None:
    write, hint = AT_START[name]
    app = protect(FastAPI(), settings)
    app.get("/open")(lambda: "open")
    write(app)
    with pytest.raises(GuardError) as wrong, TestClient(app):
        pass
    assert "/wrong" in wrong.value.message
    assert hint in wrong.value.hint
    for path in ("/open", "/wrong", "/in/wrong", "/below/wrong", "/wrong?a=b", "/open"):  # a server without lifespans
        with pytest.raises(GuardError):
            TestClient(app).get(path)
    with pytest.raises(GuardError), TestClient(app).websocket_connect("/wrong"):
        pass


def test_a_route_that_comes_later_is_found_too(settings: Settings) -> None:
    app = protect(FastAPI(), settings)
    app.get("/open")(lambda: "open")
    client = TestClient(app)
    assert client.get("/open").status_code == 200
    _default(app, needs)
    with pytest.raises(GuardError):
        client.get("/wrong?a=b")


async def _forgets_await(request: Request) -> PlainTextResponse:
    needs(role="read:messages")(request)
    return PlainTextResponse("open")


def _is_no_coroutine(request: Request) -> PlainTextResponse:
    needs(request)
    return PlainTextResponse("open")


async def _forgets_the_request(_: Request) -> PlainTextResponse:
    needs(role="read:messages")
    return PlainTextResponse("open")


async def _catches_all(request: Request) -> PlainTextResponse:
    try:
        needs(request)
    finally:
        return PlainTextResponse("open")  # noqa: B012  # the point


UNDECIDED = [_forgets_await, _is_no_coroutine, _forgets_the_request, _catches_all]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("endpoint", UNDECIDED)
def test_no_answer_leaves_before_the_guard_has_decided(endpoint: Any, settings: Settings) -> None:
    app = protect(Starlette(routes=[Route("/", endpoint)]), settings)
    with on_uvicorn(app) as api:
        assert [api.get("/", token).status for token in (None, READER.pat)] == [500, 500]


async def _in_a_task(request: Request) -> PlainTextResponse:
    task = asyncio.ensure_future(READER_GUARD(request))
    while not task.done():
        await asyncio.sleep(0)
    return PlainTextResponse("open")


async def _gathers(request: Request) -> PlainTextResponse:
    await asyncio.gather(READER_GUARD(request), return_exceptions=True)
    return PlainTextResponse("open")


async def _waits(request: Request) -> PlainTextResponse:
    await asyncio.wait([asyncio.ensure_future(READER_GUARD(request))])
    return PlainTextResponse("open")


async def _awaits_in_a_task(request: Request) -> PlainTextResponse:
    async def check() -> None:
        await READER_GUARD(request)

    await asyncio.wait([asyncio.create_task(check())])
    return PlainTextResponse("open")


@pytest.mark.filterwarnings("ignore:Task exception was never retrieved")
@pytest.mark.parametrize("endpoint", [_in_a_task, _gathers, _waits, _awaits_in_a_task])
def test_no_success_leaves_after_a_refusal(endpoint: Any, settings: Settings) -> None:
    app = protect(Starlette(routes=[Route("/", endpoint)]), settings)
    with on_uvicorn(app) as api:
        assert [api.get("/", token).status for token in (None, "not-a-token", READER.pat)] == [500, 500, 200]


def test_a_guard_that_is_cancelled_has_not_decided(settings: Settings) -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        task = asyncio.ensure_future(READER_GUARD(request))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return PlainTextResponse("open")

    app = protect(Starlette(routes=[Route("/", endpoint)]), settings)
    with on_uvicorn(app) as api:
        assert api.get("/", "a-token-that-nobody-knows").status == 500


def test_an_endpoint_may_catch_a_refusal_on_purpose(settings: Settings) -> None:
    async def endpoint(request: Request) -> StreamingResponse:  # which servers send from another task
        try:
            await READER_GUARD(request)
        except Refused:
            return StreamingResponse(iter(["nobody"]))
        return StreamingResponse(iter(["reader"]))

    async def unchanged(request: Request, call_next: Any) -> Any:
        return await call_next(request)  # sends the answer from another task than the endpoint's

    layers = [Middleware(BaseHTTPMiddleware, dispatch=unchanged)]
    app = protect(Starlette(routes=[Route("/", endpoint)], middleware=layers), settings)
    with on_uvicorn(app) as api:
        assert [api.get("/", token).body for token in (None, READER.pat)] == [b"nobody", b"reader"]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_stream_ends_if_its_guard_is_not_awaited(settings: Settings) -> None:
    async def endpoint(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            needs(request)
            yield "open"

        return StreamingResponse(parts())

    app = protect(Starlette(routes=[Route("/", endpoint)]), settings)
    with pytest.raises(GuardError):
        TestClient(app).get("/")


def _late_in_an_included_router(_: FastAPI, router: APIRouter) -> None:
    _default(router, needs)


def _replaced(app: FastAPI, _: APIRouter) -> None:
    app.router.routes.pop()
    _default(app, needs)


def _late_dependency(_: FastAPI, router: APIRouter) -> None:
    router.dependencies.append(Depends(requires_token))


@pytest.mark.parametrize("change", [_late_in_an_included_router, _replaced, _late_dependency])
def test_a_change_of_the_routes_after_the_first_request_is_found(change: Any, settings: Settings) -> None:
    app, router = protect(FastAPI(), settings), APIRouter()
    router.get("/in")(view)
    app.include_router(router)
    app.get("/open")(view)
    client = TestClient(app)
    assert client.get("/open").status_code == 200
    made_before = requires_token.made
    change(app, router)
    assert requires_token.made == made_before
    with pytest.raises(GuardError):
        client.get("/wrong")


def test_what_is_guarded_everywhere_starts(settings: Settings) -> None:
    """A guarded app with its own pages, routers, and a mounted app whose routes all have a guard."""
    app, router = protect(FastAPI(**GUARDED), settings), APIRouter(**GUARDED)
    below = protect(FastAPI(), settings)
    below.get("/in", **GUARDED)(lambda: "in")
    router.get("/in")(lambda: "in")
    app.include_router(router, prefix="/router")
    app.mount("/below", below)

    async def user(request: Request) -> str:
        return (await READER_GUARD(request)).text("sub") or ""

    app.get("/user", dependencies=[Depends(user), Depends(Holder().other)])(lambda: "in")
    with TestClient(app) as client:
        for path in ("/router/in", "/below/in", "/user"):
            assert client.get(path).status_code == 401
            assert client.get(path, headers={"Authorization": f"Bearer {READER.pat}"}).status_code == 200
        assert client.get("/docs").status_code == 200


def test_without_protect_nothing_is_open(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    app.get("/", dependencies=[Depends(requires_token)])(view)
    with on_uvicorn(app) as api, caplog.at_level(logging.ERROR):
        assert api.get("/").status == 500
    assert "call protect(app) once" in caplog.text


def test_a_mounted_app_that_awaits_the_guard_needs_protect(settings: Settings) -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        await requires_token(request)
        return PlainTextResponse("in")

    app = protect(Starlette(), settings)
    app.mount("/below", Starlette(routes=[Route("/", endpoint)]))
    with pytest.raises(GuardError, match="the app below /below"):
        TestClient(app).get("/below/", headers={"Authorization": f"Bearer {READER.pat}"})


def test_a_websocket_that_awaits_the_guard_is_closed(settings: Settings) -> None:
    app = protect(FastAPI(), settings)

    @app.websocket("/")
    async def endpoint(socket: WebSocket) -> None:
        await needs(socket)
        await socket.accept()

    headers = {"Authorization": f"Bearer {READER.pat}"}
    with pytest.raises((GuardError, WebSocketDisconnect)), TestClient(app).websocket_connect("/", headers=headers):
        pass


def test_protect_is_called_once_and_before_the_start(settings: Settings) -> None:
    app = protect(FastAPI(), settings)
    with pytest.raises(GuardError, match="twice"):
        protect(app, settings)
    late = FastAPI()
    TestClient(late).get("/")
    with pytest.raises(GuardError, match="after the app has started"):
        protect(late, settings)


def test_a_partial_is_no_way_around_the_roles() -> None:
    with pytest.raises((TypeError, ValueError)):
        _dependencies(Depends(partial(needs, role="a")))


UNREADABLE = """
from __future__ import annotations
from typing import TYPE_CHECKING, Annotated
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from zdemo.asgi import protect, requires_token
if TYPE_CHECKING:
    from zdemo.asgi import Introspection
app = protect(FastAPI())

@app.get("/wrong")
def endpoint(a: Annotated[Introspection, Depends(requires_token)] = None):
    return "open"

for query in ("", "?a=b"):
    try:
        print(TestClient(app).get("/wrong" + query).status_code)
    except TypeError as error:
        print(error)
"""


def test_an_annotation_that_fastapi_cannot_read_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    """It knows no name that is imported for the type checker alone, or stands in a function."""
    lines = run_python(UNREADABLE, environment=environment_of(settings), folder=tmp_path).splitlines()
    assert lines == ["FastAPI cannot read the annotation of the parameter a: /wrong"] * 2


def test_two_fields_are_not_one(settings: Settings) -> None:
    """ASGI servers hand over each field; a guard that looks at the first one would admit what others refuse."""
    app = protect(FastAPI(), settings)
    app.get("/", dependencies=[Depends(requires_token)])(lambda: "in")
    with on_uvicorn(app) as api:
        assert api.send(request("/", bearer(READER.pat), bearer("another"))).status == 400
