"""The guard: a decorator above a view of any Flask app that admits a request, or refuses it as RFC 6750 says."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec

from flask import Flask, Response, current_app, g, jsonify, request

from zdemo.authorization import REALM, Policy, authorize, bearer_token
from zdemo.config.environment import read_environment
from zdemo.config.settings import Settings
from zdemo.errors import IntrospectionError, Refused, ZitadelUnavailable
from zdemo.introspection.build import build_introspector
from zdemo.introspection.model import Introspector
from zdemo.server.logs import RateLimitedLog

logger = logging.getLogger("zdemo.server")
P = ParamSpec("P")
EXTENSION = "zdemo"
FORM = "application/x-www-form-urlencoded"
DEFAULT_THREADS = 128


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a guarded view needs. ``now`` returns epoch seconds."""

    introspector: Introspector
    policy: Policy
    now: Callable[[], float] = time.time
    log: RateLimitedLog = field(default_factory=lambda: RateLimitedLog(logger))


def protect(
    app: Flask,
    settings: Settings | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
) -> Flask:
    """Make ``@requires_token`` work on the views of an app; return the app.

    ``settings`` default to the environment and ``.env``. The default ``introspector`` asks ZITADEL, behind cache and
    protection; ``threads`` is how many requests the server answers at once in this process.

    Error handlers of the app answer refusals. In a blueprint with its own handler for ``Exception``, that one answers.
    Raises SettingsError if settings are missing or wrong.
    """
    settings = settings or load_settings()
    introspector = introspector or build_introspector(settings, threads=threads)
    app.extensions[EXTENSION] = Guard(introspector=introspector, policy=Policy.from_settings(settings))
    app.register_error_handler(Refused, _answer_refusal)
    app.register_error_handler(IntrospectionError, _answer_failure)
    return app


def load_settings() -> Settings:
    """Read the settings from the environment and ``.env``, and log their warnings. Raises SettingsError."""
    settings = Settings.from_env(read_environment())
    for warning in settings.warnings:
        logger.warning("%s", warning)
    return settings


def requires_token(*, role: str | None = None) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """Admit only requests with an active bearer token for this API, and with ``role`` if one is given.

    The view finds ZITADEL's answer in ``flask.g.introspection``.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
        is_async = iscoroutinefunction(view)  # looked up once: it takes as long as the rest of the guard

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            # The objects behind the proxies: one attribute through a proxy takes as long as looking up a token.
            # The proxies' types do not know the method.
            app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
            environ = request._get_current_object().environ  # type: ignore[attr-defined]
            guard: Guard = app.extensions[EXTENSION]
            elsewhere = bool(environ.get("QUERY_STRING") or environ.get("CONTENT_TYPE")) and _token_elsewhere()
            token = bearer_token(environ.get("HTTP_AUTHORIZATION"), also_in_query_or_form=elsewhere)
            introspection = g.introspection = guard.introspector.introspect(token)
            authorize(introspection, guard.policy, now=guard.now(), role=role)
            answer = app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)
            return _private(app.make_response(answer))

        return guarded

    return decorate


def _token_elsewhere() -> bool:
    """Tell whether the query or form holds a token; this API does not offer that (RFC 6750 §2.2, §2.3)."""
    return "access_token" in request.args or (request.mimetype == FORM and "access_token" in request.form)


def _private(response: Response) -> Response:
    """Keep an answer that depends on the caller out of shared caches."""
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    headers.add("Vary", "Authorization")  # beside what the view may have set
    return response


def request_id() -> str:
    """Return the ID of this request: the API's own, never the caller's."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return str(g.request_id)


def refusal(status: int, error: str, description: str) -> Response:
    """Return a JSON response that refuses the request."""
    g.outcome = error
    response = jsonify(error=error, error_description=description, request_id=request_id())
    response.status_code = status
    response.headers["X-Request-ID"] = request_id()
    return response


def challenge(refused: Refused) -> str:
    """Return the value of ``WWW-Authenticate`` (RFC 6750 §3)."""
    parts = [f'Bearer realm="{REALM}"']
    if refused.code:
        parts.append(f'error="{refused.code}"')
    if refused.scope:
        parts.append(f'scope="{refused.scope}"')
    return ", ".join(parts)


def _answer_refusal(refused: Refused) -> Response:
    response = _private(refusal(refused.status, refused.code or "unauthorized", refused.message))
    response.headers["WWW-Authenticate"] = challenge(refused)
    return response


def _answer_failure(error: IntrospectionError) -> Response:
    """Tell the caller only that the API is at fault; what to fix is for the log."""
    guard: Guard = current_app.extensions[EXTENSION]
    guard.log.error(error.message, f"{error.hint} (request {request_id()}; logged once per minute)")
    if isinstance(error, ZitadelUnavailable):
        response = refusal(error.status, "service_unavailable", "the token cannot be checked now; try again")
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    else:
        response = refusal(error.status, "bad_gateway", "the token cannot be checked; see this API's log")
    return _private(response)
