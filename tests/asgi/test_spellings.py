"""What is written is what is checked: each way to write a guard in FastAPI runs it, or is an error."""

from collections.abc import Callable
from contextlib import nullcontext
from inspect import Parameter, Signature
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from tests.asgi.asgi_apis import STAGE
from tests.support.apis import Endpoint
from tests.support.mistakes import TEXT, Mistake, arguments, check
from zdemo.asgi import Introspection, protect, requires_token
from zdemo.emulator import READER, VISITOR
from zdemo.errors import GuardError

requires_reader: Any = requires_token(role="a")
TOKENS = {user: {"Authorization": f"Bearer {user.pat}"} for user in (READER, VISITOR)}


def taking(default: Any = Parameter.empty, annotation: Any = Parameter.empty) -> Any:
    """Return an endpoint, or a dependency, whose parameter must be ZITADEL's answer."""

    def endpoint(**given: object) -> PlainTextResponse:
        assert [type(value) for value in given.values()] == [Introspection]
        return PlainTextResponse(TEXT)

    parameter = Parameter("a", Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    endpoint.__signature__ = Signature([parameter])  # type: ignore[attr-defined]  # FastAPI reads it
    return endpoint


def serving(endpoint: Any = lambda: PlainTextResponse(TEXT), **dependencies: Any) -> FastAPI:
    """Return a protected app with dependencies of its parts, and put it on the stage."""
    router = APIRouter(dependencies=dependencies.get("router"))
    for path in ("/x", "/open/x"):
        router.get(path, response_model=None, dependencies=dependencies.get("route"))(endpoint)
    STAGE.app = app = protect(FastAPI(dependencies=dependencies.get("app")), *arguments(), open_routes=["/open/*"])
    app.include_router(router, dependencies=dependencies.get("included"))
    return app


PLACES: dict[str, Callable[[Any], FastAPI]] = {
    "default": lambda written: serving(taking(written)),
    "default of a dict": lambda written: serving(taking(written, dict)),
    "default of a str": lambda written: serving(taking(written, str)),
    "default of Any": lambda written: serving(taking(written, Any)),
    "default one level down": lambda written: serving(route=[Depends(taking(written, dict))]),
    "Annotated": lambda written: serving(taking(annotation=Annotated[Introspection, written])),
    "Annotated one level down": lambda written: serving(route=[Depends(taking(annotation=Annotated[str, written]))]),
    "dependencies of a route": lambda written: serving(route=[written]),
    "dependencies of a router": lambda written: serving(router=[written]),
    "dependencies of an included router": lambda written: serving(included=[written]),
    "dependencies of the app": lambda written: serving(app=[written]),
}
SCOPES = {
    "all_of=['a'])": Security(requires_token, scopes=["a"]),
    "all_of=['b'])": Security(requires_reader, scopes=["b"]),
    "all_of=['c'])": Security(taking(requires_token), scopes=["c"]),
    "all_of=['d', 'e'])": Security(taking(annotation=Annotated[dict[str, str], requires_reader]), scopes=["d", "e"]),
}
GUARDS = {"token": requires_token, "role": requires_reader}
WRAPPINGS: dict[str, Any] = {"": lambda guard: guard, "Depends": Depends, "Security": Security}


def pairs(*others: Any) -> list[Any]:
    """Return each place with each of the others. For each place, all but one pair are thorough."""
    combined = [(number, place, other) for number, place in enumerate(PLACES) for other in enumerate(others)]
    return [
        pytest.param(place, other, marks=[pytest.mark.thorough] * ((number - at) % len(others) > 0))
        for number, place, (at, other) in combined
    ]


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize(("place", "wrap"), pairs(*WRAPPINGS))
def test_what_is_written_is_checked(place: str, guard: str, wrap: str, api: Endpoint) -> None:
    """The role; on an open route, the token too. An override replaces the guard, wherever it is."""
    written = GUARDS[guard]
    app = PLACES[place](WRAPPINGS[wrap](written))
    check(api, Mistake(lambda: app, ("/open/x", "/x"), role=guard == "role"))
    schema = app.openapi()
    assert schema["components"]["securitySchemes"]["zitadel"]["scheme"] == "bearer"
    operation = schema["paths"]["/x"]["get"]
    assert operation["security"] == [{"zitadel": []}]
    assert not {"parameters", "requestBody"} & operation.keys()
    app.dependency_overrides[written] = lambda: Introspection(active=True, claims={})
    check(api, Mistake(lambda: app))


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
def test_what_is_written_at_a_websocket_is_checked(guard: Any) -> None:
    async def bare(websocket: WebSocket) -> None:
        await websocket.accept()

    async def default(websocket: WebSocket, a: Any = guard) -> None:  # noqa: ARG001  # as below: the point
        await websocket.accept()

    async def annotated(websocket: WebSocket, a: Annotated[str, guard]) -> None:  # noqa: ARG001
        await websocket.accept()

    app = serving()
    for endpoint, dependencies in ((bare, [guard]), (default, []), (annotated, [])):
        app.websocket(f"/open/{endpoint.__name__}", dependencies=dependencies)(endpoint)
        for headers, is_admitted in ((TOKENS[READER], True), (TOKENS[VISITOR], guard is requires_token), ({}, False)):
            refused = nullcontext() if is_admitted else pytest.raises(WebSocketDisconnect)
            with refused, TestClient(app).websocket_connect(f"/open/{endpoint.__name__}", headers=headers):
                pass


@pytest.mark.parametrize(("place", "security"), pairs(*SCOPES))
def test_scopes_are_refused_and_the_error_says_what_to_write(place: str, security: str, api: Endpoint) -> None:
    app = PLACES[place](SCOPES[security])
    for path in ("/x", "/open/x"):
        assert api.get(path).status == 500
        with pytest.raises(GuardError) as refused:
            TestClient(app).get(path, headers=TOKENS[READER])
        assert f"write requires_token({security}" in refused.value.hint
