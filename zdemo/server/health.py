"""The routes for operators: alive, ready, metrics."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import Forbidden

from zdemo.config.parsers import is_loopback
from zdemo.errors import IntrospectionError, ZitadelUnavailable
from zdemo.introspection.model import Introspector
from zdemo.server.metrics import CONTENT_TYPE, Metrics

PROXY_HEADERS = frozenset(
    ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-envoy-external-address")
)
PROBE_INTERVAL_SECONDS = 1.0


class Readiness:
    """Whether tokens can be checked. Asks ZITADEL at most once per second, for all callers."""

    def __init__(self, introspector: Introspector, clock: Callable[[], float] = time.monotonic) -> None:
        self._introspector = introspector
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
                self._introspector.introspect(f"zdemo-readiness-{secrets.token_urlsafe(24)}")
                self._error = None
        except IntrospectionError as error:
            self._error = error
        finally:
            self._probing.release()
        return self._error


def operations(readiness: Readiness, metrics: Metrics, *, open_metrics: bool) -> Blueprint:
    """Return ``/healthz``, ``/readyz`` and ``/metrics``; the last is for this machine only unless ``open_metrics``."""
    blueprint = Blueprint("operations", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        error = readiness.error()
        if error:
            raise error
        return jsonify(status="ready")

    @blueprint.get("/metrics")
    def prometheus() -> Response:
        if not open_metrics and not _from_this_machine():
            raise Forbidden("metrics are for this machine only; serve them to others with --open-metrics")
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    return blueprint


def _from_this_machine() -> bool:
    """Tell whether the request comes from this machine, and not through a proxy that runs on it."""
    names = [name.lower() for name, _ in request.headers]
    if any(name in PROXY_HEADERS or name.startswith("x-forwarded") for name in names):
        return False
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    # A web page's own name may resolve to this machine; only loopback names are the API's.
    return is_loopback(request.remote_addr or "") and is_loopback(host)
