"""``protect``, and the layers that it adds to an app: every answer of a guarded route passes through it."""

from __future__ import annotations

import logging
from typing import TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zdemo.asgi.call import SCOPE_KEY, GuardedCall, current_call
from zdemo.asgi.dependency import TokenDependency
from zdemo.asgi.form import Form
from zdemo.asgi.misuse import refuse_misuse
from zdemo.asgi.pool import IntrospectionPool
from zdemo.asgi.reach import Routes
from zdemo.authorization import Policy
from zdemo.config.settings import Settings
from zdemo.errors import GuardError, IntrospectionError, Refused
from zdemo.guard import (
    DEFAULT_THREADS,
    FORM,
    Guard,
    Refusal,
    failure_of,
    load_settings,
    refusal_body,
    refusal_of,
)
from zdemo.introspection.build import build_introspector
from zdemo.introspection.model import Introspector
from zdemo.introspection.rate_limited_log import RateLimitedLog

logger = logging.getLogger("zdemo.asgi")
App = TypeVar("App", bound=Starlette)
PRIVATE = [(b"cache-control", b"no-store"), (b"vary", b"Authorization")]


def protect(
    app: App,
    settings: Settings | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
) -> App:
    """Make ``requires_token`` work on the routes of an app; return the app.

    ``settings`` default to the environment and ``.env``. The default ``introspector`` asks ZITADEL, behind cache and
    protection, in up to ``threads`` threads of its own.

    Exception handlers of the app answer refusals. Each mounted app with guarded routes needs its own call.
    Raises SettingsError if settings are missing or wrong, GuardError if the app is protected already, or has started.
    """
    if is_protected(app):
        raise GuardError("protect(app) was called twice", hint="call protect(app) once")
    if app.middleware_stack is not None:
        raise GuardError("protect(app) was called after the app has started", hint="call it where the app is made")
    settings = settings or load_settings(logger)
    introspector = introspector or build_introspector(settings, threads=threads)
    guard = Guard(introspector=introspector, policy=Policy.from_settings(settings), log=RateLimitedLog(logger))
    app.state.zdemo = guard
    app.add_middleware(GuardMiddleware, protected=app, guard=guard, threads=threads)
    app.user_middleware.append(Middleware(EndpointMiddleware))
    app.add_exception_handler(Refused, _answer_refusal)
    app.add_exception_handler(IntrospectionError, _answer_failure)
    return app


def is_protected(app: Starlette) -> bool:
    """Tell whether ``protect`` was called for an app."""
    layers: list[object] = [layer.cls for layer in app.user_middleware]
    return GuardMiddleware in layers


class GuardMiddleware:
    """The layer around an app that finds guards in wrong places, and keeps guarded answers out of shared caches."""

    def __init__(self, app: ASGIApp, *, protected: Starlette, guard: Guard, threads: int) -> None:
        self._app = app
        self._protected = protected
        self._guard = guard
        self._pool = IntrospectionPool(guard.introspector, threads=threads)
        self._made = -1
        self._routes: Routes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, the start of the app, or its end."""
        if scope["type"] == "lifespan":
            await self._start(scope, receive, send)
            return
        self._check()
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        form = Form(receive) if _is_form(scope) else None
        call = scope[SCOPE_KEY] = GuardedCall(self._protected, self._guard, self._pool, form)

        async def send_private(message: Message) -> None:
            call.check(message)
            if call.guarded and message["type"] == "http.response.start":
                message = _private(message)
            await send(message)

        before = current_call.set(call)
        try:
            await self._app(scope, form.receive if form else receive, send_private)
        finally:
            current_call.reset(before)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the app before it starts: servers go on without an app's lifespan if it just fails."""
        try:
            self._check()
        except GuardError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": f"{error.message}; {error.hint}"})
            raise
        await self._app(scope, receive, send)

    def _check(self) -> None:
        """Raise GuardError if a guard is in a wrong place; look again when there are other guards or routes."""
        if self._made != TokenDependency.made or not (self._routes and self._routes.are_unchanged()):
            made, routes = TokenDependency.made, Routes(self._protected)
            refuse_misuse(self._protected, is_protected)
            self._made, self._routes = made, routes


class EndpointMiddleware:
    """The innermost layer: other middleware may send the answer from another task than the endpoint's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note before each part of an answer which refusals the endpoint has seen."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call: GuardedCall = scope[SCOPE_KEY]

        async def send_seen(message: Message) -> None:
            call.note_seen()
            await send(message)

        await self._app(scope, receive, send_seen)


def _is_form(scope: Scope) -> bool:
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    return any(value.partition(b";")[0].strip().lower() == FORM.encode() for value in types)


def _private(message: Message) -> Message:
    """Keep an answer that depends on the caller out of shared caches."""
    kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"cache-control"]
    return {**message, "headers": [*kept, *PRIVATE]}


async def _answer_refusal(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)  # noqa: S101  # for mypy: Starlette's type of handlers says Exception
    return _answer(request, refusal_of(refused))


async def _answer_failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, IntrospectionError)  # noqa: S101  # likewise
    call: GuardedCall = request.scope[SCOPE_KEY]
    return _answer(request, failure_of(error, call.guard.log, call.request_id))


def _answer(request: Request, refusal: Refusal) -> Response:
    call: GuardedCall = request.scope[SCOPE_KEY]
    return JSONResponse(
        refusal_body(refusal.error, refusal.description, call.request_id),
        status_code=refusal.status,
        headers={"X-Request-ID": call.request_id, **refusal.headers},
    )
