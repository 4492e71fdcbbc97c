"""The example API as a Flask app: its routes, the guard, JSON for every answer, and a layer that observes requests."""

from __future__ import annotations

import gc
import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException, RequestTimeout

from zdemo.config.settings import Settings
from zdemo.errors import drop_frames
from zdemo.guard.build import build_introspector
from zdemo.guard.flask_guard import EXTENSION, logger, protect, refusal, refusal_of_http, request_id
from zdemo.guard.forget import Forget
from zdemo.guard.guard import DEFAULT_THREADS, Guard, Refusal, settings_of
from zdemo.guard.instruments import Counters
from zdemo.http.example_api import FORGET_PATH, IDENTITY_PATH
from zdemo.server.forgetting import EVENTS_PATH, FORGETTING, Forgetting, add_forgetting, add_zitadel_events
from zdemo.server.logs import log_in_batches, log_request
from zdemo.server.observe import WATCHER, Watcher, observed
from zdemo.server.request_bodies import cut_connection_after, limit_bodies
from zdemo.server.routes import add_example_routes, add_operations
from zdemo.serving.bus import Bus
from zdemo.zitadel.introspection_answer import Introspector

OPEN_ROUTES = ("/api/public", "/healthz", "/readyz", "/openapi.json", IDENTITY_PATH, FORGET_PATH)  # they check who asks
UNEXPECTED = Refusal(500, "internal_server_error", "unexpected error; see this API's log")
COMPACT = {"separators": (",", ":")}  # what Flask asks for when it does not debug
MOST_SPARE_THREADS = 512  # per worker; one that sleeps takes 60 KiB
# How long a thread waits for the interpreter before it demands it. With Python's 5 ms, several hundred threads that
# begin at once, as in a flood, wake up 100,000 times per second, and leave no time to the one that runs.
SWITCH_SECONDS = 0.1


def create_app(
    settings: Settings | Mapping[str, str] | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
    spare_threads: int = 0,
    open_metrics: bool = False,
    bus: Bus | None = None,
    log: Callable[..., None] = log_request,
) -> Flask:
    """Return the example API, for any WSGI server; the first arguments are those of ``protect``.

    In ``spare_threads``, requests only wait for their turn to ask ZITADEL. With ``open_metrics``, ``/metrics`` answers
    everybody who reaches the API. ``bus`` leads to the other workers of the same server. ``log`` takes the values of
    ``ACCESS_FIELDS`` of each request. Raises SettingsError.
    """
    settings = settings_of(settings, logger)
    counters, watcher = Counters(), Watcher()
    introspector = introspector or build_introspector(
        settings, threads=threads, spare_threads=spare_threads, counters=counters
    )
    metrics = None
    if open_metrics:
        from zdemo.server.metrics import Metrics  # here, since it takes 30 ms and most APIs serve no metrics

        metrics = Metrics(counters)
    app = ApiFlask("zdemo", static_folder=None)
    app.url_map.merge_slashes = False  # else // is redirected, in HTML, to whatever host the request named
    limit_bodies(app, threads=threads)
    more = [*(["/metrics"] if metrics else []), *([EVENTS_PATH] if settings.events_key else [])]
    protect(app, settings, introspector, open_routes=[*OPEN_ROUTES, *more])
    add_example_routes(app)
    add_operations(app, settings, introspector, metrics.text if metrics else None)
    guard: Guard = app.extensions[EXTENSION]

    def obey(order: Forget) -> int:
        count = guard.obey(order)
        if watcher.watching:
            watcher.forgot(order, count)
        return count

    forgetting = Forgetting(obey, guard.publish, bus or Bus())
    app.extensions |= {FORGETTING: forgetting, WATCHER: watcher}
    add_forgetting(app, forgetting, settings.forget_key)
    if settings.events_key:
        add_zitadel_events(app, forgetting, settings.events_key)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_unexpected)
    app.wsgi_app = observed(app.wsgi_app, metrics, watcher, log)  # type: ignore[method-assign]  # as Flask's docs say
    return app


def _answer_http_error(error: HTTPException) -> Response:
    if request.routing_exception is error:  # no route was found, and the request keeps the error
        drop_frames(error)
    response = refusal(refusal_of_http(error))
    return cut_connection_after(response) if isinstance(error, RequestTimeout) else response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(UNEXPECTED)


class NoSessions(SessionInterface):
    """Sessions of an app without a secret key: always empty, and never saved."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # Flask's
        """Return the session of every request."""
        return self._empty


class OneEncoder(DefaultJSONProvider):
    """JSON as Flask writes it, by an encoder that is made once, and not for each answer."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._encoder = json.JSONEncoder(
            default=self.default, ensure_ascii=self.ensure_ascii, sort_keys=self.sort_keys, separators=(",", ":")
        )

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text."""
        return self._encoder.encode(obj) if kwargs == COMPACT else super().dumps(obj, **kwargs)


class OnePiece(Response):
    """A response that gives a server a 200 in memory as a list, without the corrections that Werkzeug makes."""

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status line and the headers."""
        is_complete = self.status_code == 200 and self.is_sequence and "Content-Length" in self.headers
        if not is_complete or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_wsgi_response(environ)
        body = list(self.iter_encoded())
        self.close()
        return body, self.status, self.headers.to_wsgi_list()


class ApiFlask(Flask):
    """The app of the example API. What it needs once is not done for each request (docs/performance.md)."""

    response_class = OnePiece
    json_provider_class = OneEncoder
    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is: none of this API is async, which Flask would look up for each request."""
        return func


def spare_threads(threads: int) -> int:
    """Return in how many more threads requests of a worker only wait for their turn to ask ZITADEL."""
    return min(MOST_SPARE_THREADS, 4 * threads)


@dataclass(frozen=True, kw_only=True)
class WorkerApp:
    """A recipe for the app of one worker; it can be sent to another process. Threads are per worker."""

    settings: Settings
    threads: int
    json_logs: bool
    open_metrics: bool
    page_url: str = field(default="", repr=False)  # it has a key; the first worker's log shows it again

    def __call__(self, bus: Bus | None = None) -> Flask:
        """Set up logging and the interpreter, and return the app; ``bus`` leads to the other workers."""
        sys.setswitchinterval(SWITCH_SECONDS)
        log = log_in_batches(as_json=self.json_logs)
        if self.page_url and not self.json_logs and (bus is None or bus.number == 1):
            log.show_again(f"page      {self.page_url}")  # as wide as the time and the blanks behind it
        app = create_app(
            self.settings,
            threads=self.threads,
            spare_threads=spare_threads(self.threads),
            open_metrics=self.open_metrics,
            bus=bus,
            log=log.log_request,
        )
        # What is loaded now stays. To search it for garbage would stop all threads (docs/performance.md has the times).
        gc.collect()
        gc.freeze()
        return app
