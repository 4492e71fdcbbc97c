"""The guard: a decorator above a view of any Flask app that admits a request, or refuses it as RFC 6750 says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import isclass, iscoroutinefunction
from io import BytesIO
from typing import Any, ParamSpec, overload

from flask import Flask, Response, current_app, jsonify, request
from flask.ctx import AppContext
from flask.globals import app_ctx

from zdemo.authorization import (
    UNSET,
    Policy,
    RequiredRoles,
    authorize,
    bearer_token,
    refuse_second_token,
    required_roles,
)
from zdemo.config.masking import could_be_secret
from zdemo.config.settings import Settings
from zdemo.errors import GuardError, InsufficientScope, IntrospectionError, Refused
from zdemo.guard import (
    DEFAULT_THREADS,
    FORM,
    LARGEST_FORM_BYTES,
    Guard,
    Refusal,
    failure_of,
    load_settings,
    new_request_id,
    refusal_body,
    refusal_of,
)
from zdemo.introspection.build import build_introspector
from zdemo.introspection.exchanges import watched
from zdemo.introspection.model import Introspector
from zdemo.introspection.rate_limited_log import RateLimitedLog
from zdemo.server.log_lines import LACKS
from zdemo.server.observe import ID_HEADER, NO_STORE, OBSERVED, REQUEST_ID, VARY
from zdemo.server.open_views import mark, watch
from zdemo.server.watcher import INTROSPECTION, OUTCOME, REASON

logger = logging.getLogger("zdemo.server")
P = ParamSpec("P")
EXTENSION = "zdemo"
BODY_READER = "zdemo.bodies"  # the extension that reads a form for the guard; only zdemo's own server has it


def protect(
    app: Flask,
    settings: Settings | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
    spare_threads: int = 0,
) -> Flask:
    """Make ``@requires_token`` work on the views of an app; return the app.

    ``settings`` default to the environment and ``.env``. The default ``introspector`` asks ZITADEL, behind cache and
    protection; ``threads`` is how many requests the server answers at once in this process. If it has
    ``spare_threads`` beyond, so many more requests may wait.

    Error handlers of the app answer refusals. In a blueprint with its own handler for ``Exception``, that one answers.
    Raises SettingsError if settings are missing or wrong, GuardError if the app serves a view without its guard.
    """
    watch(app)
    settings = settings or load_settings(logger)
    introspector = introspector or build_introspector(settings, threads=threads, spare_threads=spare_threads)
    app.extensions[EXTENSION] = Guard(
        introspector=introspector, policy=Policy.from_settings(settings), log=RateLimitedLog(logger)
    )
    app.register_error_handler(Refused, _answer_refusal)
    app.register_error_handler(IntrospectionError, _answer_failure)
    return app


@overload
def requires_token(view: Callable[P, Any], /) -> Callable[P, Response]: ...
@overload
def requires_token(
    *, role: str = ..., any_of: Collection[str] = ..., all_of: Collection[str] = ...
) -> Callable[[Callable[P, Any]], Callable[P, Response]]: ...
def requires_token(view: Any = UNSET, /, *, role: Any = UNSET, any_of: Any = UNSET, all_of: Any = UNSET) -> Any:
    """Admit only requests with an active bearer token for this API, and with the roles if some are given.

    With ``role``, the token needs that role; with ``any_of``, at least one of a list; with ``all_of``, each of them.
    Write it below the route. The view finds ZITADEL's answer in ``flask.g.introspection``.

    Raises GuardError for wrong arguments, and if the route is below: the view would be open to everybody.
    """
    roles = required_roles(role=role, any_of=any_of, all_of=all_of)
    return (lambda view: _guard(view, roles)) if view is UNSET else _guard(view, roles)


def _guard(view: Any, roles: RequiredRoles) -> Callable[..., Response]:
    if isinstance(view, str):
        role = "ROLE" if could_be_secret(view) else view
        raise GuardError("requires_token takes a role by name", hint=f'write @requires_token(role="{role}")')
    if isclass(view) or not callable(view):
        raise GuardError(
            f"requires_token guards a function, not {'a class' if isclass(view) else type(view).__name__}",
            hint="write @requires_token() above a view, or decorators = [requires_token()] in a class of views",
        )
    is_async = iscoroutinefunction(view)  # looked up once: it takes as long as the rest of the guard

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Response:
        # The objects behind the proxies: one attribute through a proxy takes as long as looking up a token.
        # The proxies' types do not know the method.
        context: AppContext = app_ctx._get_current_object()  # type: ignore[attr-defined]
        app = context.app
        environ = request._get_current_object().environ  # type: ignore[attr-defined]
        try:
            guard: Guard = app.extensions[EXTENSION]
        except KeyError:
            raise GuardError("protect(app) was not called for this app", hint="call protect(app) once") from None
        introspection = None
        try:
            token = bearer_token(environ.get("HTTP_AUTHORIZATION"))
            if environ.get("QUERY_STRING") or environ.get("CONTENT_TYPE"):
                _refuse_second_token(environ, app)
            introspection = guard.introspector.introspect(token)
            authorize(introspection, guard.policy, now=guard.now(), roles=roles)
        except BaseException:
            context.g.pop("introspection", None)  # a guard around this one may have admitted the request
            environ[INTROSPECTION] = introspection
            raise
        context.g.introspection = environ[INTROSPECTION] = introspection
        answer = app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)
        return _private(app.make_response(answer), environ)

    mark(guarded, view)
    return guarded


def _refuse_second_token(environ: Mapping[str, Any], app: Flask) -> None:
    """Raise InvalidRequest if a token is in the query or the form too (RFC 6750 §2); wait for no body of other apps.

    WSGI servers let a client send its body as slowly as it likes, so to wait for a form takes a thread. Only a
    form in memory is looked at: where the server has read it, or ``request_bodies`` has, within a limit of time.
    """
    refuse_second_token(environ.get("QUERY_STRING", "").encode("latin-1", "replace"))
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == FORM:
        if read_body := app.extensions.get(BODY_READER):
            read_body(environ)
        body = environ.get("wsgi.input")
        if isinstance(body, BytesIO):
            refuse_second_token(body.getvalue()[:LARGEST_FORM_BYTES])


def _private(response: Response, environ: Mapping[str, Any]) -> Response:
    """Keep an answer that depends on the caller out of shared caches. zdemo's own layer does that in less time."""
    if OBSERVED not in environ:
        response.headers.set(*NO_STORE)
        response.headers.add(*VARY)  # beside what the view may have set
    return response


def request_id() -> str:
    """Return the ID of this request."""
    environ = request.environ
    if REQUEST_ID not in environ:  # the app is not zdemo's own
        environ[REQUEST_ID] = new_request_id()
    return str(environ[REQUEST_ID])


def refusal(refused: Refusal) -> Response:
    """Return a JSON response that refuses the request."""
    request.environ |= {OUTCOME: refused.error, REASON: refused.description}
    response = jsonify(refusal_body(refused.error, refused.description, request_id()))
    response.status_code = refused.status
    response.headers[ID_HEADER] = request_id()
    response.headers.update(refused.headers)
    return response


def _answer_refusal(refused: Refused) -> Response:
    if traced := watched.get():
        traced.error = refused
    response = _private(refusal(refusal_of(refused)), request.environ)
    if isinstance(refused, InsufficientScope):
        request.environ[REASON] = f"{LACKS} {refused.lacking}"
    return response


def _answer_failure(error: IntrospectionError) -> Response:
    guard: Guard = current_app.extensions[EXTENSION]
    response = _private(refusal(failure_of(error, guard.log, request_id())), request.environ)
    request.environ[REASON] = error.message
    if traced := watched.get():
        traced.error = error
    return response
