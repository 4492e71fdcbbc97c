"""FastAPI and Starlette, each with bare apps and with a protected one, in one process; ``/cpu`` says what it used.

The route ``empty`` has a dependency that does nothing, since FastAPI itself takes time for each.

uvicorn benchmarks.asgi_app:app
"""

from __future__ import annotations

import time
from typing import Any

from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from zdemo.asgi import protect, requires_token

_reader = requires_token(role="read:messages")
MESSAGE = {"message": "Public route - You don't need to be authenticated to see this."}


async def _message() -> dict[str, str]:
    return MESSAGE


async def _answer(_: Request) -> JSONResponse:
    return JSONResponse(MESSAGE)


async def _nothing(connection: HTTPConnection) -> HTTPConnection:
    return connection


async def _empty(request: Request) -> JSONResponse:
    await _nothing(request)
    return JSONResponse(MESSAGE)


async def _guarded(request: Request) -> JSONResponse:
    await _reader(request)
    return JSONResponse(MESSAGE)


async def _cpu(_: Request) -> JSONResponse:
    return JSONResponse(time.process_time())


def _with(app: FastAPI, *routes: tuple[str, list[Any]]) -> FastAPI:
    for path, dependencies in routes:
        app.get(path, dependencies=dependencies)(_message)
    return app


# Each measured route is the first of its app, since frameworks look at one route after the other.
_APPS: dict[str, ASGIApp] = {
    "/fastapi/bare": _with(FastAPI(), ("/fastapi/bare", [])),
    "/fastapi/empty": _with(FastAPI(), ("/fastapi/empty", [Depends(_nothing)])),
    "/fastapi/private-scoped": _with(protect(FastAPI()), ("/fastapi/private-scoped", [Depends(_reader)])),
    "/starlette/bare": Starlette(routes=[Route("/starlette/bare", _answer)]),
    "/starlette/empty": Starlette(routes=[Route("/starlette/empty", _empty)]),
    "/starlette/private-scoped": protect(Starlette(routes=[Route("/starlette/private-scoped", _guarded)])),
    "/cpu": Starlette(routes=[Route("/cpu", _cpu)]),
}
_OTHERS = _with(
    protect(FastAPI(), open_routes=["/api/public"]),
    ("/api/public", []),
    ("/api/private", [Depends(requires_token)]),
    ("/api/private-scoped", [Depends(_reader)]),
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to the app that it is for, which takes the same time for all."""
    await _APPS.get(scope.get("path", ""), _OTHERS)(scope, receive, send)
