"""FastAPI and Starlette, each with bare apps and with protected ones, in one process; ``/cpu`` says what it used.

The route ``empty`` has a dependency that does nothing, since FastAPI itself takes time for each. ``least`` is behind
the least that a guard with a cache can be: it finds the token, hashes it, looks it up, and adds two header fields.

uvicorn benchmarks.asgi_app:app
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.stand import TOKEN
from zdemo.asgi import protect, requires_token

_reader = requires_token(role="read:messages")
UNTIL = {blake2b(f"Bearer {TOKEN}".encode()).digest(): math.inf}
FIELDS = (b"cache-control", b"no-store"), (b"vary", b"Authorization")
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


async def _private(request: Request) -> JSONResponse:
    await requires_token(request)
    return JSONResponse(MESSAGE)


async def _scoped(request: Request) -> JSONResponse:
    await _reader(request)
    return JSONResponse(MESSAGE)


@dataclass(frozen=True)
class _Least:
    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"authorization" and UNTIL[blake2b(value).digest()] < time.time():
                raise PermissionError

        def send_private(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *FIELDS]}
            return send(message)

        await self.app(scope, receive, send_private)


async def _cpu(_: Request) -> JSONResponse:
    return JSONResponse(time.process_time())


def _with(app: FastAPI, *routes: tuple[str, list[Any]]) -> FastAPI:
    for path, dependencies in routes:
        app.get(path, dependencies=dependencies)(_message)
    return app


# Each measured route is the first of its app, since frameworks look at one route after the other.
_APPS: dict[str, ASGIApp] = {
    "/fastapi/bare": _with(FastAPI(), ("/fastapi/bare", [])),
    "/fastapi/least": _with(FastAPI(middleware=[Middleware(_Least)]), ("/fastapi/least", [])),
    "/fastapi/empty": _with(FastAPI(), ("/fastapi/empty", [Depends(_nothing)])),
    "/fastapi/private": _with(protect(FastAPI()), ("/fastapi/private", [Depends(requires_token)])),
    "/fastapi/private-scoped": _with(protect(FastAPI()), ("/fastapi/private-scoped", [Depends(_reader)])),
    "/starlette/bare": Starlette(routes=[Route("/starlette/bare", _answer)]),
    "/starlette/least": Starlette(routes=[Route("/starlette/least", _answer)], middleware=[Middleware(_Least)]),
    "/starlette/empty": Starlette(routes=[Route("/starlette/empty", _empty)]),
    "/starlette/private": protect(Starlette(routes=[Route("/starlette/private", _private)])),
    "/starlette/private-scoped": protect(Starlette(routes=[Route("/starlette/private-scoped", _scoped)])),
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
