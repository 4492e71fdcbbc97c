"""The routes of the example API for operators: alive, ready, its metrics, and which ZITADEL it asks."""

import secrets
import threading
from collections.abc import Callable
from functools import partial

from flask import Flask, Response, jsonify, request

from zdemo.config.address import without_default_port
from zdemo.config.settings import Settings
from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.guard.cache import CachingIntrospector
from zdemo.guard.flask_guard import refusal
from zdemo.guard.guard import Refusal
from zdemo.guard.instruments import running_clock
from zdemo.http.example_api import IDENTITY_PATH
from zdemo.serving.forks import renewed_after_fork
from zdemo.serving.loopback import is_local_program
from zdemo.text.masking import without_tokens
from zdemo.text.redaction import in_texts
from zdemo.zitadel.introspection_answer import Introspector

PROBE_INTERVAL_SECONDS = 1.0
LOCAL_ONLY = Refusal(403, "forbidden", "only a program on this machine may ask this")


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
    """Add ``/healthz``, ``/readyz`` and, if there are metrics, ``/metrics``, for everybody."""
    cache = introspector if isinstance(introspector, CachingIntrospector) else None
    # Its token counts as known: otherwise a flood of unknown tokens could keep the readiness check waiting.
    readiness = Readiness(partial(cache.introspect, own=True) if cache else introspector.introspect)
    shared = cache.shared if cache else None

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

    if metrics_text is not None:

        @app.get("/metrics")
        def metrics() -> Response:
            return Response(metrics_text(), content_type="text/plain; version=0.0.4; charset=utf-8")
