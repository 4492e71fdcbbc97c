"""The guard of a Flask app: each request needs a token, unless its route is open, and is refused as RFC 6750 says."""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, wraps
from inspect import isclass, iscoroutinefunction, unwrap
from io import BytesIO
from traceback import walk_stack
from typing import Any, Never, ParamSpec, TypeVar, overload

from flask import Flask, Request, Response, after_this_request, current_app, has_request_context, jsonify, request
from flask.ctx import AppContext
from flask.globals import app_ctx
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from zdemo.config.settings import Settings
from zdemo.errors import GuardError, InsufficientScope, IntrospectionError, Refused
from zdemo.guard.authorization import (
    NO_ROLE,
    UNSET,
    RequiredRoles,
    authorize,
    bearer_token,
    refuse_second_token,
    required_roles,
)
from zdemo.guard.guard import (
    DEFAULT_THREADS,
    FORM,
    LARGEST_FORM_BYTES,
    Guard,
    OpenRoutes,
    ProtectedResource,
    Refusal,
    is_ambiguous,
    new_request_id,
    refusal_of,
)
from zdemo.serving import WSGIApp
from zdemo.zitadel.introspection_answer import Introspector
from zdemo.zitadel.introspection_client import watched

logger = logging.getLogger("zdemo.server")
P = ParamSpec("P")
View = TypeVar("View", bound=Callable[..., Any])
EXTENSION = "zdemo"
ADMITTED = "zdemo_admitted"  # the attribute of a request: to which view, by which guard, and ZITADEL's answer
MARK = "__zdemo_mark__"  # the attribute of a function
BLUEPRINT = 'for a blueprint, blueprint.before_request(requires_token(role="a"))'
OPEN_AND_GUARDED = "a view has both open_route and requires_token"
PREFLIGHT = {"HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"}
BODY_READER = "zdemo.bodies"  # the extension that reads a form for the guard; only zdemo's own server has it
# What the guard and the layer that observes leave in a request's environment
REQUEST_ID = "zdemo.request_id"
OBSERVED = "zdemo.observed"  # that layer is there, and keeps guarded answers out of shared caches
OUTCOME, REASON = "zdemo.outcome", "zdemo.reason"  # of a refusal; the reason is for the log alone
INTROSPECTION = "zdemo.introspection"  # of the token, admitted or not, or None; there once a guard has looked
ID_HEADER = "X-Request-ID"
# These keep an answer that depends on the caller out of shared caches.
NO_STORE, VARY = ("Cache-Control", "no-store"), ("Vary", "Authorization")
DESCRIPTIONS = {
    400: "the request body is malformed, or ends early",  # no view reads any other part of a request
    404: "no such path",
    405: "the path does not allow this method",
}


def protect(
    app: Flask,
    settings: Settings | Mapping[str, str] | None = None,
    introspector: Introspector | None = None,
    *,
    open_routes: Collection[str] = (),
    resource: str = UNSET,
    role: str = UNSET,
    threads: int = DEFAULT_THREADS,
    **unknown: Never,
) -> Flask:
    """Admit only requests with an active bearer token for this API, unless their route is open; return the app.

    ``open_routes`` names what is open: paths, ``/prefix/*`` and rules of Flask. ``@open_route`` opens a single view.
    ``settings``, or variables, default to the environment and ``.env``. The default ``introspector`` asks ZITADEL,
    behind cache and protection; ``threads`` is how many requests the server answers at once in this process.

    ``resource`` makes the app a protected resource, as ``ZDEMO_RESOURCE`` does. Each closed route needs the ``role``.

    Error handlers of the app answer refusals. In a blueprint with its own handler for ``Exception``, that one answers.
    Raises SettingsError if settings are missing or wrong, GuardError for wrong arguments, or for a second call.
    """
    Guard.check_arguments(app, Flask, f"write protect(app) with the app itself; {BLUEPRINT}", unknown)
    if EXTENSION in app.extensions:
        raise GuardError("protect(app) was called twice", hint="call protect(app) once")
    given = (settings, introspector, open_routes)
    guard = Guard.of(*given, resource=resource, role=role, threads=threads, log=logger, with_rules=True)
    app.extensions[EXTENSION] = guard
    if guard.resource:
        app.wsgi_app = serving_metadata(guard.resource, app.wsgi_app)  # type: ignore[method-assign]  # as Flask's docs say
    for error in (Refused, IntrospectionError):
        if error not in app.error_handler_spec[None][None]:
            app.register_error_handler(error, _answer)
    preprocess, name_layers = app.preprocess_request, cache(_name_layers)  # once

    def guard_request(*context: Any) -> Any:  # Flask 3.2 hands a context over
        name_layers()
        answer = _guard_request()
        return preprocess(*context) if answer is None else answer

    # Methods of the instance: the app can replace its lists of functions, and error routers make 500 of what is raised
    app.preprocess_request = _answering(app, guard_request)  # type: ignore[method-assign]  # as above
    app.dispatch_request = _answering(app, app.dispatch_request)  # type: ignore[method-assign]  # as above
    return app


def _answering(app: Flask, method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of the app answer refusals that no handler of the app does."""

    def answering(*context: Any) -> Any:
        try:
            return method(*context)
        except (Refused, IntrospectionError) as error:
            if app._find_error_handler(error, request.blueprints) is not _answer:
                raise
            return _answer(error)

    return answering


def serving_metadata(resource: ProtectedResource, inner: WSGIApp) -> WSGIApp:
    """Answer requests for the metadata, whatever routes the app has; its own path and the whole one count."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ.get("PATH_INFO", "")
        if resource.paths.isdisjoint((path, environ.get("SCRIPT_NAME", "") + path)):
            return inner(environ, start_response)
        return Response(*resource.answer(environ["REQUEST_METHOD"]))(environ, start_response)

    return call


def _name_layers() -> None:
    """Log through which layers in ``app.wsgi_app`` this request came, outermost first: they can answer themselves."""
    calls = [f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}" for frame, _ in walk_stack(None)]
    with suppress(ValueError):  # what called the app is neither a server nor a test
        layers = calls[calls.index("flask.app.Flask.wsgi_app") + 1 : calls.index("flask.app.Flask.__call__")]
        if names := [name.removesuffix(".__call__") for name in reversed(layers) if not name.startswith("zdemo.")]:
            logger.info("no token needed for requests that the layers around the app answer: %s", ", ".join(names))


def open_route(view: View = UNSET) -> View:
    """Let everybody use a view. Raises GuardError if the view has a guard, or is not a function."""
    mark = _mark_of(view) or _Mark(view)
    if mark.is_guard or mark.is_guarded:
        raise GuardError(OPEN_AND_GUARDED, hint="remove one of them")
    mark.is_open = True
    if isclass(view) or not _put(mark):
        hint = "write @open_route above a view, without parentheses, or name its path in open_routes"
        raise GuardError("open_route marks a function", hint=hint)
    return view


@dataclass(frozen=True)
class _RolesGuard:
    """What ``requires_token(...)`` returns: a decorator of views, and a function before requests."""

    roles: RequiredRoles

    @overload
    def __call__(self, view: Callable[P, Any], /) -> Callable[P, Any]: ...
    @overload
    def __call__(self) -> None: ...
    def __call__(self, view: Any = UNSET) -> Any:
        if view is not UNSET or not has_request_context():
            return _guarded(view, self.roles)
        _require(request._get_current_object(), self.roles)  # type: ignore[attr-defined]  # as below
        return None


@overload
def requires_token(view: Callable[P, Any], /) -> Callable[P, Any]: ...
@overload
def requires_token(
    *, role: str = ..., any_of: Collection[str] = ..., all_of: Collection[str] = ..., actor: bool = ...
) -> _RolesGuard: ...
def requires_token(view: Any = UNSET, /, **required: Any) -> Any:
    """Admit only requests whose token has certain roles; without roles, check what ``protect`` checks anyway.

    With ``role``, the token needs that role; with ``any_of``, at least one of a list; with ``all_of``, each of them.
    ``actor=False`` refuses tokens with which somebody impersonates their user.
    Write it below the route, or hand it to ``before_request``. ``flask.g.introspection`` is ZITADEL's answer.

    Raises GuardError for wrong arguments, and inside a request.
    """
    guard = _RolesGuard(required_roles(**required))
    if not has_request_context():
        return guard if view is UNSET else guard(view)
    if view is UNSET and guard.roles == NO_ROLE:
        return guard()  # Flask calls it before a request
    hint = "write it above a view; in a view, ask flask.g.introspection.has_role(...)"
    raise GuardError("requires_token is called inside a request", hint=hint)


def _guarded(view: Any, roles: RequiredRoles) -> Callable[..., Any]:
    if isclass(view) or not callable(view):
        kind = "a class" if isclass(view) else "nothing" if view is UNSET else type(view).__name__
        hint = 'write @requires_token(role="read:messages") above a view, decorators = [requires_token()] in a class'
        hint += f"; {BLUEPRINT}; in FastAPI and Starlette, write from zdemo.asgi import requires_token"
        raise GuardError(f"requires_token guards a function, not {kind}", hint=hint)
    mark = _mark_of(view) or _Mark(view)
    if mark.is_open:
        raise GuardError(OPEN_AND_GUARDED, hint="remove one of them")
    mark.is_guarded = True
    _put(mark)
    is_async = iscoroutinefunction(view)  # looked up once: it takes as long as the rest of the guard

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        this: Request = request._get_current_object()  # type: ignore[attr-defined]  # as below
        if getattr(this, ADMITTED, (None,))[0] is not guarded:
            _require(this, roles)
        return current_app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)

    _put(_Mark(guarded, is_guard=True, roles=roles))
    return guarded


@dataclass(slots=True)
class _Mark:
    """What is known of a function. ``functools.wraps`` copies it, so it names the function that it is about."""

    view: Any
    is_open: bool = False
    is_guard: bool = False
    is_guarded: bool = False  # a guard wraps it, so it must not be a view
    roles: RequiredRoles = NO_ROLE


def _mark_of(view: Any) -> _Mark | None:
    mark: _Mark | None = getattr(view, MARK, None)
    return mark if mark is not None and mark.view is view else None


def _examined(view: Any) -> _Mark:
    """Mark a view with the roles of a guard inside its other decorators. Raises GuardError if Flask ignores a guard."""
    kind, ignored = getattr(view, "view_class", None), [*(getattr(view, "__defaults__", None) or ())]
    ignored.append(getattr(kind, "decorator", None))
    if getattr(kind, "dispatch_request", None) is MethodView.dispatch_request:  # that of Flask-RESTful reads them
        ignored.append(getattr(kind, "method_decorators", None))
    if any(_RolesGuard in map(type, it if isinstance(it, list | tuple) else [it]) for it in ignored):
        hint = "write @requires_token(...) above a function, decorators = [requires_token(...)] in a class"
        raise GuardError(f"Flask ignores the guard in {view.__name__}", hint=hint)
    # Another decorator may be a cache, which must not answer before the role is checked
    inside = _mark_of(unwrap(view, stop=lambda it: getattr(_mark_of(it), "is_guard", False)))
    _put(mark := _Mark(view, roles=inside.roles if inside else NO_ROLE))
    return mark


def _put(mark: _Mark) -> bool:
    """Keep a mark at its function, and return whether that takes one."""
    with suppress(AttributeError, TypeError):  # a builtin function, for example, takes none
        setattr(mark.view, MARK, mark)
        return True
    return False


def _guard_request() -> Response | None:
    """Decide about a request before anything else of the app runs."""
    # The objects behind the proxies: one attribute through a proxy takes as long as looking up a token.
    context: AppContext = app_ctx._get_current_object()  # type: ignore[attr-defined]  # the proxies' types lack it
    this: Request = request._get_current_object()  # type: ignore[attr-defined]  # as above
    app, rule = context.app, this.url_rule
    context.g.pop("introspection", None)  # of an earlier request, if a test sends several in one context
    if rule is None:
        error: Any = this.routing_exception
        handlers = app.error_handler_spec[None]
        has_own = any(kind in handlers[code] for code in (error.code, None) for kind in type(error).__mro__)
        if error.code in (404, 405) and not has_own:
            return refusal(refusal_of_http(error))
        raise error
    view: Any = app.view_functions[rule.endpoint]
    mark = _mark_of(view) or _examined(view)
    if mark.is_guarded:
        hint = "write the route above @requires_token; a route without the guard needs a function of its own"
        raise GuardError(f"the app serves {rule.endpoint} without the guard that is written for it", hint=hint)
    guard: Guard = app.extensions[EXTENSION]
    if mark.is_open or (guard.open_routes and _is_open(this, rule.rule, guard, guard.open_routes)):
        return None
    if this.method == "OPTIONS" and (
        getattr(rule, "provide_automatic_options", False) or PREFLIGHT.issubset(this.environ)
    ):
        return app.make_default_options_response()  # no view sees a browser's preflight, which never has a token
    _admit(context, this, guard, view, mark.roles)
    return None


def _is_open(this: Request, rule: str, guard: Guard, routes: OpenRoutes) -> bool:
    environ = this.environ
    return rule in routes.rules or (
        guard.opens(this.path)
        # not all servers tell the path as the client sent it
        and not is_ambiguous(environ["PATH_INFO"], environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    )


def _admit(context: AppContext, this: Request, guard: Guard, view: Any, roles: RequiredRoles) -> None:
    """Ask ZITADEL about the token of a request to a view, or raise why the request is refused."""
    environ = this.environ
    if INTROSPECTION not in environ and OBSERVED not in environ:
        after_this_request(_private)  # also if the answer is an error
    environ[INTROSPECTION] = None
    token = bearer_token(environ.get("HTTP_AUTHORIZATION"))
    if environ.get("QUERY_STRING") or environ.get("CONTENT_TYPE"):
        _refuse_second_token(environ, context.app)
    introspection = environ[INTROSPECTION] = guard.introspector.introspect(token)
    authorize(introspection, guard.policy, now=guard.now(), roles=roles)
    context.g.introspection = introspection
    # With the request, which is this app's alone: a mounted app gets the same environ, tests send several in one g.
    setattr(this, ADMITTED, (view, guard, introspection))


def _require(this: Request, roles: RequiredRoles) -> None:
    """Raise why a request is refused, if its token lacks roles, or it has none on an open route."""
    context: AppContext = app_ctx._get_current_object()  # type: ignore[attr-defined]  # as above
    guard: Guard | None = context.app.extensions.get(EXTENSION)
    if guard is None:
        raise GuardError("protect(app) was not called for this app", hint="call protect(app) once")
    _, admitted_by, introspection = getattr(this, ADMITTED, (UNSET,) * 3)
    if admitted_by is not guard:
        _admit(context, this, guard, None, roles)
        return
    try:
        authorize(introspection, guard.policy, now=guard.now(), roles=roles)
    except Refused:
        context.g.pop("introspection", None)
        raise


def _refuse_second_token(environ: Mapping[str, Any], app: Flask) -> None:
    """Raise InvalidRequest if a token is in the query or the form too (RFC 6750 §2); wait for no body of other apps.

    To wait for a form takes a thread, so only one in memory is looked at: where the server or ``request_bodies`` has
    read it.
    """
    refuse_second_token(environ.get("QUERY_STRING", "").encode("latin-1", "replace"))
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == FORM:
        if read_body := app.extensions.get(BODY_READER):
            read_body(environ)
        body = environ.get("wsgi.input")
        if isinstance(body, BytesIO):
            refuse_second_token(body.getvalue()[:LARGEST_FORM_BYTES])


def _private(response: Response) -> Response:
    """Keep an answer that depends on the caller out of shared caches. zdemo's own layer does that in less time."""
    response.headers.set(*NO_STORE)
    response.headers.add(*VARY)  # beside what the view may have set
    return response


def request_id() -> str:
    """Return the ID of this request."""
    return str(request.environ.setdefault(REQUEST_ID, new_request_id()))  # zdemo's own app has set one


def refusal_of_http(error: HTTPException) -> Refusal:
    """Return the answer to an error of werkzeug."""
    status = error.code or 500
    name = error.name.lower().replace(" ", "_")  # werkzeug's, since Python renames statuses between its versions
    headers = {name: value for name, value in error.get_headers() if name.lower() in ("allow", "retry-after")}
    return Refusal(status, name, DESCRIPTIONS.get(status) or error.description or error.name, headers)


def refusal(refused: Refusal, reason: str | None = None) -> Response:
    """Return a JSON response that refuses the request; the log gets the reason."""
    identity = request_id()
    request.environ |= {OUTCOME: refused.error, REASON: reason or refused.description}
    response = jsonify(refused.body(identity))
    response.status_code = refused.status
    response.headers.update({ID_HEADER: identity, **refused.headers})
    return response


def _answer(error: Refused | IntrospectionError) -> Response:
    return refusal(*explained(error, current_app.extensions[EXTENSION], request_id()))


def explained(error: Refused | IntrospectionError, guard: Guard, identity: str) -> tuple[Refusal, str]:
    """Return the answer to a request that is refused, and the reason for the log."""
    if traced := watched.get():
        traced.error = error
    reason = f"lacks {error.lacking}" if isinstance(error, InsufficientScope) else error.message
    return refusal_of(error, guard, identity), reason
