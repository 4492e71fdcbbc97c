"""The guard: a decorator above a Flask view that lets a request in, or answers as RFC 6750 says.

It can be put on any Flask app: ``protect(app)`` once, ``@requires_token(role=...)`` above a view.
"""

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

logger = logging.getLogger("zdemo.server")
P = ParamSpec("P")
EXTENSION = "zdemo"
FORM = "application/x-www-form-urlencoded"
DEFAULT_THREADS = 128
COMPLAINT_SECONDS = 60


class Complaints:
    """Lets a complaint into the log once a minute: an outage must not write a line for every request."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}

    def due(self, complaint: str) -> bool:
        """Whether this is to be said now."""
        now = self._clock()
        if now - self._said.get(complaint, -COMPLAINT_SECONDS) < COMPLAINT_SECONDS:
            return False
        self._said = {text: at for text, at in self._said.items() if now - at < COMPLAINT_SECONDS} | {complaint: now}
        return True


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What a guarded view needs. ``now`` gives epoch seconds."""

    introspector: Introspector
    policy: Policy
    now: Callable[[], float] = time.time
    complaints: Complaints = field(default_factory=Complaints)


def protect(
    app: Flask,
    settings: Settings | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
) -> Flask:
    """Make ``@requires_token`` work on an app's views; returns the app.

    Without ``settings`` they are read from the environment and ``.env``. Without an ``introspector`` ZITADEL is asked,
    behind cache and protection; ``threads`` is how many requests the server answers at once in this process.

    Refusals are answered by error handlers of the app; a blueprint with a handler for ``Exception`` of its own takes
    their place there.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    settings = settings or settings_here()
    introspector = introspector or build_introspector(settings, threads=threads)
    app.extensions[EXTENSION] = Guard(introspector=introspector, policy=Policy.from_settings(settings))
    app.register_error_handler(Refused, _answer_refusal)
    app.register_error_handler(IntrospectionError, _answer_failure)
    return app


def settings_here() -> Settings:
    """From the environment and ``.env``; what is doubtful about them goes to the log.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    settings = Settings.from_env(read_environment())
    for warning in settings.warnings:
        logger.warning("%s", warning)
    return settings


def requires_token(*, role: str | None = None) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """Let only requests in whose bearer token is active and meant for this API, and has ``role`` if one is given.

    The view finds ZITADEL's answer in ``flask.g.introspection``.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Response]:
        is_async = iscoroutinefunction(view)  # found out once: it takes as long as the rest of the guard

        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            # The objects behind the proxies, whose types do not know the call: an attribute through a proxy takes as
            # long as looking up a token.
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
    """Whether the request has a token in its query or form, which this API does not offer (RFC 6750 §2.2, §2.3)."""
    return "access_token" in request.args or (request.mimetype == FORM and "access_token" in request.form)


def _private(response: Response) -> Response:
    """Keep an answer that depends on the caller out of shared caches."""
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    headers.add("Vary", "Authorization")  # beside what the view may have set
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
    guard: Guard = current_app.extensions[EXTENSION]
    if guard.complaints.due(error.message):
        logger.error("%s: %s (request %s; said once a minute)", error.message, error.hint, request_id())
    if isinstance(error, ZitadelUnavailable):
        response = refusal(error.status, "service_unavailable", "the token cannot be checked now, try again")
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    else:
        response = refusal(error.status, "bad_gateway", "the token cannot be checked: this API's log says why")
    return _private(response)
