"""The example API as a Flask app: its routes, the guard, and JSON for every answer. ``tuning`` makes it fast.

The routes are the three of ZITADEL's example API, and those for operators, which tell alive, ready and metrics.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from functools import partial
from importlib.resources import files

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestTimeout

from zdemo.config.address import without_default_port
from zdemo.config.settings import Settings
from zdemo.errors import IntrospectionError, ZitadelUnavailable, drop_frames
from zdemo.guard.cache import CachingIntrospector
from zdemo.guard.flask_guard import EXTENSION, protect, refusal, refusal_of_http, request_id, requires_token
from zdemo.guard.guard import Guard, Refusal
from zdemo.guard.instruments import running_clock
from zdemo.http.example_api import FORGET_PATH, IDENTITY_PATH
from zdemo.server.forgetting import EVENTS_PATH, FORGETTING, Forgetting, add_forgetting, add_zitadel_events
from zdemo.server.request_bodies import cut_connection_after, limit_bodies
from zdemo.serving.bus import Bus
from zdemo.serving.forks import renewed_after_fork
from zdemo.serving.loopback import is_local_program
from zdemo.text.masking import without_tokens
from zdemo.text.redaction import in_texts
from zdemo.zitadel.introspection_answer import Introspector

OPEN_ROUTES = ["/api/public", "/healthz", "/readyz", "/openapi.json", IDENTITY_PATH, FORGET_PATH]  # they check who asks
UNEXPECTED = Refusal(500, "internal_server_error", "unexpected error; see this API's log")
PROBE_INTERVAL_SECONDS = 1.0
LOCAL_ONLY = Refusal(403, "forbidden", "only a program on this machine may ask this")
PRIVATE_SCOPED = "Private, scoped route - You need to be authenticated and have the role read:messages to see this."


def example_app(
    settings: Settings,
    introspector: Introspector,
    *,
    threads: int,
    bus: Bus,
    metrics_text: Callable[[], bytes] | None = None,
) -> Flask:
    """Return the app. ``bus`` leads to the other workers of the same server; ``metrics_text`` makes ``/metrics``."""
    app = Flask("zdemo", static_folder=None)
    app.url_map.merge_slashes = False  # else // is redirected, in HTML, to whatever host the request named
    limit_bodies(app, threads=threads)
    open_routes = OPEN_ROUTES + ["/metrics"] * bool(metrics_text) + [EVENTS_PATH] * bool(settings.events_key)
    protect(app, settings, introspector, open_routes=open_routes)
    add_example_routes(app)
    add_operations(app, settings, introspector, metrics_text)
    guard: Guard = app.extensions[EXTENSION]
    forgetting = app.extensions[FORGETTING] = Forgetting(guard.obey, guard.publish, bus)
    add_forgetting(app, forgetting, settings.forget_key)
    if settings.events_key:
        add_zitadel_events(app, forgetting, settings.events_key)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)
    return app


def _answer_http_error(error: HTTPException) -> Response:
    if request.routing_exception is error:  # no route was found, and the request keeps the error
        drop_frames(error)
    response = refusal(refusal_of_http(error))
    return cut_connection_after(response) if isinstance(error, RequestTimeout) else response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(UNEXPECTED)


def add_example_routes(app: Flask) -> None:
    """Add the three routes of ZITADEL's example API. They need no blueprint, which Flask would look up per request."""

    @app.get("/api/public")
    def public() -> dict[str, str]:
        """Answer anyone, without asking ZITADEL."""
        return {"message": "Public route - You don't need to be authenticated to see this."}

    @app.get("/api/private")
    @requires_token()
    def private() -> dict[str, str]:
        """Answer any active token for this API."""
        return {"message": "Private route - You need to be authenticated to see this."}

    @app.get("/api/private-scoped")
    @requires_token(role="read:messages")
    def private_scoped() -> dict[str, str]:
        """Answer an active token whose user has the role."""
        return {"message": PRIVATE_SCOPED}


class Readiness:
    """Whether tokens can be checked. Calls ``ask`` at most once per second, for all callers."""

    @renewed_after_fork
    def __init__(self, ask: Callable[[str], object], clock: Callable[[], float] = running_clock) -> None:
        self._ask = ask
        self._clock = clock
        self._probing = threading.Lock()
        self._probed_at = -PROBE_INTERVAL_SECONDS
        self._error: IntrospectionError | None = ZitadelUnavailable("not asked yet", hint="")

    def error(self) -> IntrospectionError | None:
        """Return why tokens cannot be checked, or ``None``; while another thread asks, the previous result."""
        if not self._probing.acquire(blocking=False):
            return self._error
        try:
            now = self._clock()
            if now - self._probed_at >= PROBE_INTERVAL_SECONDS:
                self._probed_at = now
                # about a random token: "not active" shows that ZITADEL works
                self._ask(f"zdemo-readiness-{secrets.token_urlsafe(24)}")
                self._error = None
        except IntrospectionError as error:
            self._error = error.copy()  # without the traceback, whose frames hold a request
        finally:
            self._probing.release()
        return self._error


def add_operations(
    app: Flask, settings: Settings, introspector: Introspector, metrics_text: Callable[[], bytes] | None
) -> None:
    """Add ``/healthz``, ``/readyz``, ``/openapi.json`` and, if there are metrics, ``/metrics``, for everybody."""
    cache = introspector if isinstance(introspector, CachingIntrospector) else None
    # Its token counts as known: otherwise a flood of unknown tokens could keep the readiness check waiting.
    readiness = Readiness(partial(cache.introspect, own=True) if cache else introspector.introspect)
    shared = cache.shared if cache else None
    document = (files("zdemo.server") / "openapi.json").read_bytes()

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get(IDENTITY_PATH)
    def identity() -> Response:
        if not is_local_program(request.environ):
            return refusal(LOCAL_ONLY)
        issuer = without_default_port(settings.issuer)
        ids = {"client_id": settings.client_id, "project_id": settings.project_id}
        return jsonify(issuer=issuer, **in_texts(without_tokens, ids))  # a secret may stand in a wrong place

    @app.get("/readyz")
    def readyz() -> Response:
        if error := readiness.error():
            raise error.copy()
        # If answers are not shared as they should be, the log says why.
        return jsonify(status="ready" if shared is None or shared.store.state.ok else "degraded")

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")

    if metrics_text is not None:

        @app.get("/metrics")
        def metrics() -> Response:
            return Response(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")
