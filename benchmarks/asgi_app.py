"""FastAPI and Starlette, each with a bare app and with a protected one, in one process; ``/cpu`` says what it used.

The route ``empty`` of a bare app has a dependency that does nothing, since FastAPI itself takes time for each.

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


def _fastapi() -> FastAPI:
    app = FastAPI()
    app.get("/fastapi/bare")(_message)
    app.get("/fastapi/empty", dependencies=[Depends(_nothing)])(_message)
    return app


def _protected_fastapi() -> FastAPI:
    app = protect(FastAPI())
    guards = {"/public": None, "/private": [Depends(requires_token)], "/private-scoped": [Depends(_reader)]}
    for path, dependencies in guards.items():
        app.get(f"/api{path}", dependencies=dependencies)(_message)
        app.get(f"/fastapi{path}", dependencies=dependencies)(_message)
    return app


_bare = Starlette(routes=[Route("/starlette/bare", _answer), Route("/starlette/empty", _empty), Route("/cpu", _cpu)])
_protected = protect(
    Starlette(routes=[Route("/starlette/public", _answer), Route("/starlette/private-scoped", _guarded)])
)
_bare_fastapi = _fastapi()
_APPS: dict[str, ASGIApp] = {
    "/fastapi/bare": _bare_fastapi,
    "/fastapi/empty": _bare_fastapi,
    "/starlette/bare": _bare,
    "/starlette/empty": _bare,
    "/cpu": _bare,
    "/starlette/public": _protected,
    "/starlette/private-scoped": _protected,
}
_OTHERS = _protected_fastapi()


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    """Hand a request to the app that it is for, which takes the same time for all."""
    await _APPS.get(scope.get("path", ""), _OTHERS)(scope, receive, send)
