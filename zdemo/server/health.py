"""The routes for whoever runs the API: alive, ready, metrics."""

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

OF_PROXIES = frozenset(
    ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-envoy-external-address")
)
LEAST_SECONDS_BETWEEN_PROBES = 1.0


class Readiness:
    """Whether tokens can be judged. Asks ZITADEL at most once a second, whoever calls, and one caller at a time."""

    def __init__(self, introspector: Introspector, clock: Callable[[], float] = time.monotonic) -> None:
        self._introspector = introspector
        self._clock = clock
        self._probing = threading.Lock()
        self._asked_at = -LEAST_SECONDS_BETWEEN_PROBES
        self._error: IntrospectionError | None = ZitadelUnavailable("not asked yet", hint="")

    def error(self) -> IntrospectionError | None:
        """Why tokens cannot be judged, or ``None``. While somebody else is asking: what was known before."""
        if not self._probing.acquire(blocking=False):
            return self._error
        try:
            now = self._clock()
            if now - self._asked_at >= LEAST_SECONDS_BETWEEN_PROBES:
                self._asked_at = now
                self._error = self._probe()
            return self._error
        finally:
            self._probing.release()

    def _probe(self) -> IntrospectionError | None:
        """Any token will do: that it is not active is an answer."""
        try:
            self._introspector.introspect(f"zdemo-readiness-{secrets.token_urlsafe(24)}")
        except IntrospectionError as error:
            return error
        return None


def operations(readiness: Readiness, metrics: Metrics, *, open_metrics: bool) -> Blueprint:
    """``/healthz``, ``/readyz`` and ``/metrics``; the last is for this machine alone unless ``open_metrics``."""
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
            raise Forbidden
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    return blueprint


def _from_this_machine() -> bool:
    """Whether the request comes from here, and not through a proxy that runs here."""
    names = [name.lower() for name, _ in request.headers]
    if any(name in OF_PROXIES or name.startswith("x-forwarded") for name in names):
        return False
    try:
        asked_for = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return False
    # A page in a browser of this machine may have its own name resolve to us; ours are those of loopback.
    return is_loopback(request.remote_addr or "") and is_loopback(asked_for)
