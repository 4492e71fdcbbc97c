"""The guard: a decorator above a Flask view that lets a request in, or answers as RFC 6750 says.

It can be put on any Flask app: ``protect(app)`` once, ``@requires_token(role=...)`` above a view.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

from flask import Flask, Response, current_app, g, jsonify, make_response, request

from zdemo.authorization import REALM, Policy, authorize, bearer_token
from zdemo.config import Settings, read_environment
from zdemo.errors import IntrospectionError, Refused, ZitadelUnavailable
from zdemo.introspection import IntrospectionClient, Introspector

logger = logging.getLogger("zdemo.server")
P = ParamSpec("P")
EXTENSION = "zdemo"
FORM = "application/x-www-form-urlencoded"
DEFAULT_THREADS = 32


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a guarded view needs. ``now`` gives epoch seconds."""

    introspector: Introspector
    policy: Policy
    now: Callable[[], float] = time.time


def protect(app: Flask, settings: Settings | None = None, introspector: Introspector | None = None) -> Flask:
    """Make ``@requires_token`` work on an app's views; returns the app.

    Without ``settings`` they are read from the environment and ``.env``; without an ``introspector`` ZITADEL is asked.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    settings = settings or Settings.from_env(read_environment())
    introspector = introspector or IntrospectionClient(settings, connections=DEFAULT_THREADS)
    app.extensions[EXTENSION] = Guard(introspector=introspector, policy=Policy.from_settings(settings))
    app.register_error_handler(Refused, _answer_refusal)
    app.register_error_handler(IntrospectionError, _answer_failure)
    return app


def requires_token(*, role: str | None = None) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """Let only requests in whose bearer token is active and meant for this API, and has ``role`` if one is given.

    The view finds ZITADEL's answer in ``flask.g.introspection``.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            guard: Guard = current_app.extensions[EXTENSION]
            token = bearer_token(request.headers.get("Authorization"), also_in_query_or_form=_token_elsewhere())
            g.introspection = guard.introspector.introspect(token)
            authorize(g.introspection, guard.policy, now=guard.now(), role=role)
            return _private(make_response(current_app.ensure_sync(view)(*args, **kwargs)))

        return guarded

    return decorate


def _token_elsewhere() -> bool:
    """Whether the request has a token in its query or form, which this API does not offer (RFC 6750 §2.2, §2.3)."""
    return bool(request.query_string and "access_token" in request.args) or (
        request.mimetype == FORM and "access_token" in request.form
    )


def _private(response: Response) -> Response:
    """Keep an answer that depends on the caller out of shared caches."""
    response.headers["Cache-Control"] = "no-store"
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, Authorization" if vary else "Authorization"
    return response


def request_id() -> str:
    """The ID of the request being answered: ours, never the caller's."""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return str(g.request_id)


def refusal(status: int, error: str, description: str) -> Response:
    """A JSON answer that says no."""
    g.outcome = error
    response = jsonify(error=error, error_description=description, request_id=request_id())
    response.status_code = status
    response.headers["X-Request-ID"] = request_id()
    return response


def challenge(refused: Refused) -> str:
    """The value of ``WWW-Authenticate`` (RFC 6750 §3)."""
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
    """The caller learns that it is not his fault; what to mend is for the log alone."""
    logger.error("%s: %s (request %s)", error.message, error.hint, request_id())
    if isinstance(error, ZitadelUnavailable):
        response = refusal(error.status, "service_unavailable", "the token cannot be checked now, try again")
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    else:
        response = refusal(error.status, "bad_gateway", "the token cannot be checked: this API's log says why")
    return _private(response)
