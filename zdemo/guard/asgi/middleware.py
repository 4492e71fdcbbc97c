"""``protect``, and the layer that it puts around the rest of an app: each request needs a token there."""

import logging
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from inspect import isclass
from typing import Any, Never, NoReturn, TypeVar

from starlette._utils import get_route_path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from zdemo.config.settings import Settings
from zdemo.errors import GuardError, IntrospectionError, Refused
from zdemo.guard.asgi.guarded_call import SCOPE_KEY, Form, GuardedCall, IntrospectionPool, in_request
from zdemo.guard.authorization import UNSET
from zdemo.guard.guard import DEFAULT_THREADS, FORM, Guard, ProtectedResource, is_ambiguous, new_request_id, refusal_of
from zdemo.zitadel.introspection_answer import Introspector

logger = logging.getLogger("zdemo.asgi")
App = TypeVar("App", bound=Starlette)
FORM_TYPE = FORM.encode()
NO_STORE, VARY = (b"cache-control", b"no-store"), (b"vary", b"Authorization")
PREFLIGHT = {b"origin", b"access-control-request-method"}
DENIAL = "websocket.http.response"  # the extension of servers that answer a refused handshake with a response
POLICY_VIOLATION = 1008  # RFC 6455 §7.4.1


def protect(
    app: App,
    settings: Settings | Mapping[str, str] | None = None,
    introspector: Introspector | None = None,
    *,
    open_routes: Collection[str] = (),
    resource: str = UNSET,
    role: str = UNSET,
    threads: int = DEFAULT_THREADS,
    **unknown: Never,
) -> App:
    """Admit only requests with an active bearer token for this API, unless their path is open; return the app.

    ``open_routes`` names what is open: paths, and ``/prefix/*``. Mounted apps and websockets need the token, too.

    ``settings`` default to the environment and ``.env``; a mapping is read in place of both. The default
    ``introspector`` asks ZITADEL, behind cache and protection, in up to ``threads`` threads of its own.

    ``resource`` makes the app a protected resource, as ``ZDEMO_RESOURCE`` does. Each closed path needs the ``role``.

    Exception handlers of the app answer refusals. Raises SettingsError if settings are missing or wrong, GuardError
    for wrong arguments, or if the app is protected already, or has started.
    """
    Guard.check_arguments(
        app, Starlette, "write protect(app) with the app itself, not a router or what wraps it", unknown
    )
    if isinstance(getattr(app.state, "zdemo", None), Guard):
        raise GuardError("protect(app) was called twice", hint="call protect(app) once")
    if app.middleware_stack is not None:
        raise GuardError("protect(app) was called after the app has started", hint="call it where the app is created")
    given = (settings, introspector, open_routes)
    app.state.zdemo = guard = Guard.of(*given, resource=resource, role=role, threads=threads, log=logger)
    for kind in (Refused, IntrospectionError):
        app.exception_handlers.setdefault(kind, _answer)
    pool = IntrospectionPool(guard.introspector, threads=threads)
    build = app.build_middleware_stack

    def build_guarded() -> ASGIApp:
        """Put the guard inside CORSMiddleware and outside all other middleware, whenever that is added."""
        added: list[Any] = app.user_middleware
        cors = [layer for layer in added if isclass(layer.cls) and issubclass(layer.cls, CORSMiddleware)]
        handlers = {key: value for key, value in app.exception_handlers.items() if key not in (500, Exception)}
        guard = app.state.zdemo
        layer = Middleware(GuardMiddleware, protected=app, guard=guard, pool=pool, handlers=handlers)
        outermost = [Middleware(_metadata_first, resource=guard.resource)] if guard.resource else []
        app.user_middleware = [*outermost, *cors, layer, *(layer for layer in added if layer not in cors)]
        try:
            return build()
        finally:
            app.user_middleware = added

    app.build_middleware_stack = build_guarded  # type: ignore[method-assign]  # called once all middleware is known
    return app


@dataclass(frozen=True)
class GuardMiddleware:
    """The layer that admits a request, or refuses it by the ``handlers`` of the protected app."""

    app: ASGIApp
    protected: Starlette
    guard: Guard
    pool: IntrospectionPool
    handlers: Mapping[Any, ExceptionHandler]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, a websocket, or the start and the end of the app."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        credentials: list[bytes] = []
        form = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                credentials.append(value)
            elif name == b"content-type" and value.partition(b";")[0].strip().lower() == FORM_TYPE:
                form = Form(receive)
        call = scope[SCOPE_KEY] = GuardedCall(self.protected, self.guard, self.pool, credentials, form)

        def send_private(message: Message) -> Awaitable[None]:  # another coroutine would cost time per message
            if call.unawaited:
                hint = "write await requires_reader(request) in an async function"
                raise GuardError("requires_token(request) is called, but not awaited", hint=hint)
            if call.looked and message["type"].endswith("http.response.start"):
                # What depends on the caller stays out of shared caches. A comprehension would be one more call.
                headers = []
                for field in message.get("headers", ()):
                    if field[0].lower() != b"cache-control" and field != VARY:
                        headers.append(field)
                message = {**message, "headers": [*headers, NO_STORE, VARY]}
            return send(message)

        if self.guard.open_routes is None or not self._is_open(scope):
            # A browser that asks if it may send a request sends no token with that, so no route may see it.
            if scope.get("method") == "OPTIONS" and PREFLIGHT.issubset(name for name, _ in scope["headers"]):
                await Response(status_code=204)(scope, receive, send)
                return
            try:
                if not call.recall(scope):
                    await call.ask(scope)
            except (Refused, IntrospectionError) as error:
                await self._refuse(error, scope, receive, send_private)
                return
        before = in_request.set(True)
        try:
            await self.app(scope, form.receive if form else receive, send_private)
        except (Refused, IntrospectionError) as error:  # of a guard that other middleware awaits
            await self._refuse(error, scope, receive, send_private)
        finally:
            in_request.reset(before)

    def _is_open(self, scope: Scope) -> bool:
        target = (scope.get("raw_path") or b"").decode("latin-1")
        return self.guard.opens(get_route_path(scope)) and not is_ambiguous(scope["path"], target)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        async def refused(*_: object) -> NoReturn:
            raise error

        if scope["type"] == "websocket" and DENIAL not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        else:
            await ExceptionMiddleware(refused, handlers=self.handlers)(scope, receive, send)


def _metadata_first(app: ASGIApp, resource: ProtectedResource) -> ASGIApp:
    """Answer requests for the metadata outside of all other middleware; the app's own path and the whole one count."""

    async def metadata_first(scope: Scope, receive: Receive, send: Send) -> None:
        paths = (scope["path"], get_route_path(scope)) if scope["type"] == "http" else ()
        is_other = resource.paths.isdisjoint(paths)
        await (app if is_other else Response(*resource.answer(scope["method"])))(scope, receive, send)

    return metadata_first


async def _answer(request: Request, error: Exception) -> Response:
    call, identity = request.scope[SCOPE_KEY], new_request_id()
    assert isinstance(error, Refused | IntrospectionError)  # noqa: S101  # Starlette's type of handlers says Exception
    refusal = refusal_of(error, call.guard, identity)
    headers = {"X-Request-ID": identity, **refusal.headers}
    return JSONResponse(refusal.body(identity), status_code=refusal.status, headers=headers)
