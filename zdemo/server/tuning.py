"""The example API as ``zdemo serve`` runs it: observed, counted, logged, and faster than with Flask's defaults.

An API of your own needs none of this. The microseconds are what a request with a known token takes more without each,
where a bare Flask route takes 75 µs; docs/performance.md has the other figures.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface

from zdemo.config.settings import Settings
from zdemo.guard.build import build_introspector
from zdemo.guard.flask_guard import logger
from zdemo.guard.guard import DEFAULT_THREADS, settings_of
from zdemo.guard.instruments import Counters
from zdemo.server.app import example_app
from zdemo.server.forgetting import FORGETTING, Forgetting
from zdemo.server.logs import log_in_batches, log_request
from zdemo.server.observe import WATCHER, Watcher, observed
from zdemo.serving.bus import Bus
from zdemo.zitadel.introspection_answer import Introspector

COMPACT = {"separators": (",", ":")}  # what Flask asks for when it does not debug
MOST_SPARE_THREADS = 512  # per worker; one that sleeps takes 60 KiB
# How long a thread waits for the interpreter before it demands it. With Python's 5 ms, several hundred threads that
# begin at once, as in a flood, wake up 100,000 times per second, and leave no time to the one that runs.
SWITCH_SECONDS = 0.1


def create_app(  # noqa: PLR0913  # each given by name
    settings: Settings | Mapping[str, str] | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
    spare_threads: int = 0,
    open_metrics: bool = False,
    bus: Bus | None = None,
    log: Callable[..., None] = log_request,
    denied_as: int | None = None,
) -> Flask:
    """Return the example API, for any WSGI server; the first arguments are those of ``protect``.

    In ``spare_threads``, requests only wait for their turn to ask ZITADEL. With ``open_metrics``, ``/metrics`` answers
    everybody who reaches the API. ``bus`` leads to the other workers of the same server. ``log`` takes the values of
    ``ACCESS_FIELDS`` of each request. ``denied_as`` replaces the example's routes, as in ``example_app``. Raises
    SettingsError.
    """
    settings = settings_of(settings, logger)
    counters = Counters()
    introspector = introspector or build_introspector(
        settings, threads=threads, spare_threads=spare_threads, counters=counters
    )
    metrics = None
    if open_metrics:
        from zdemo.server.metrics import Metrics  # here, since it takes 30 ms and most APIs serve no metrics

        metrics = Metrics(counters)
    text = metrics.text if metrics else None
    bus = bus or Bus()
    app = example_app(settings, introspector, threads=threads, bus=bus, metrics_text=text, denied_as=denied_as)
    # What Flask does for each request is done once, by Flask's own extension points (14 µs in all)
    app.json, app.response_class, app.session_interface = OneEncoder(app), OnePiece, NoSessions()
    app.ensure_sync = lambda func: func  # type: ignore[method-assign]  # no view is async: Flask would ask (1 µs)
    watcher = app.extensions[WATCHER] = Watcher()
    forgetting: Forgetting = app.extensions[FORGETTING]
    obey = forgetting.obey
    forgetting.obey = lambda order: watcher.told(order, obey(order))
    app.wsgi_app = observed(app.wsgi_app, metrics, watcher, log)  # type: ignore[method-assign]  # as Flask's docs say
    return app


class OneEncoder(DefaultJSONProvider):
    """JSON as Flask writes it, by an encoder that is made once, and not for each answer (1 to 2 µs)."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._encoder = json.JSONEncoder(
            default=self.default, ensure_ascii=self.ensure_ascii, sort_keys=self.sort_keys, separators=(",", ":")
        )

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text."""
        return self._encoder.encode(obj) if kwargs == COMPACT else super().dumps(obj, **kwargs)


class OnePiece(Response):
    """A response that gives a server a 200 in memory as a list, without the corrections that Werkzeug makes (9 µs)."""

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status line and the headers."""
        is_complete = self.status_code == 200 and self.is_sequence and "Content-Length" in self.headers
        if not is_complete or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_wsgi_response(environ)
        body = list(self.iter_encoded())
        self.close()
        return body, self.status, self.headers.to_wsgi_list()


class NoSessions(SessionInterface):
    """Sessions of an app without a secret key: always empty, and never saved (2 µs)."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # Flask's
        """Return the session of every request."""
        return self._empty


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
    denied_as: int | None = None

    def __call__(self, bus: Bus | None = None) -> Flask:
        """Set up logging and the interpreter, and return the app; ``bus`` leads to the other workers."""
        sys.setswitchinterval(SWITCH_SECONDS)
        log = log_in_batches(as_json=self.json_logs)
        app = create_app(
            self.settings,
            threads=self.threads,
            spare_threads=spare_threads(self.threads),
            open_metrics=self.open_metrics,
            bus=bus,
            log=log.log_request,
            denied_as=self.denied_as,
        )
        # What is loaded now stays. To search it for garbage would stop all threads for 15 to 245 ms.
        gc.collect()
        gc.freeze()
        return app
