"""ASGI apps that run on uvicorn inside the test's process, with the ZITADEL behind them chosen by the test."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.apis import MESSAGES, PRIVATE, PUBLIC, SCOPED, Endpoint, example
from tests.support.processes import ROOT
from tests.support.upstream import LOOPBACK
from tests.support.waiting import eventually
from zdemo.asgi import protect, requires_token
from zdemo.config.settings import Settings

EXAMPLE = ROOT / "docs" / "examples" / "fastapi_app.py"
LONGEST_HEADER = 1 << 20  # as other servers take


def example_app(settings: Settings) -> FastAPI:
    app = example(EXAMPLE, settings).app
    assert isinstance(app, FastAPI)
    return app


requires_reader = requires_token(any_of=["read:messages"])


class Scoped(HTTPEndpoint):
    async def get(self, request: Request) -> JSONResponse:
        await requires_reader(request)
        return JSONResponse({"message": MESSAGES[SCOPED]}, headers={"Cache-Control": "public"})


def starlette_app(settings: Settings) -> Starlette:
    async def public(_: Request) -> JSONResponse:
        return JSONResponse({"message": MESSAGES[PUBLIC]})

    async def private(request: Request) -> JSONResponse:
        await requires_token(request)
        return JSONResponse({"message": MESSAGES[PRIVATE]})

    routes = [Route(PUBLIC, public), Route(PRIVATE, private), Route(SCOPED, Scoped)]
    return protect(Starlette(routes=routes), settings, open_routes=[PUBLIC])


class Stage:
    """An ASGI app that is another one in each test, so that one server is enough."""

    app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (Starlette() if scope["type"] == "lifespan" else self.app)(scope, receive, send)


STAGE = Stage()


@contextmanager
def on_uvicorn(app: ASGIApp) -> Iterator[Endpoint]:
    config = uvicorn.Config(
        app, log_config=None, lifespan="on", access_log=False, h11_max_incomplete_event_size=LONGEST_HEADER
    )
    server = uvicorn.Server(config)
    with socket.create_server((LOOPBACK, 0), backlog=1024) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually("the app has started", lambda: server.started or not thread.is_alive())
            yield Endpoint(port=listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
