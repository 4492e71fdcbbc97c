"""What each layer of the API costs a request: processor time of a thread that calls the app, without a server.

Other work on the machine adds to the time of a round, so what counts is a short round with little of it: all but one in
twenty took longer. Not the shortest, since the processor itself is faster at times. Unlike rates, this table can be
read on a busy machine.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from flask import Flask

from benchmarks import bare, stand
from benchmarks.tables import show
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET
from zdemo.guard.flask_guard import protect, requires_token
from zdemo.guard.instruments import Counters
from zdemo.page import PageOptions, new_key, paged
from zdemo.server.logs import BatchingHandler, JsonFormatter, TextFormatter
from zdemo.server.metrics import Metrics
from zdemo.server.observe import observed
from zdemo.server.tuning import create_app
from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus

CALLS = 100  # per round: so few that some rounds are not interrupted
ROUNDS = 600
FEW = 20  # one round in so many may be faster than what counts
NEVER_SECONDS = 3600.0
WITHOUT_PAGE, WITH_PAGE = "private, logged", "private, logged, with the page"
# What Granian gives for a request of benchmarks.load
ENVIRON = {
    **os.environ,
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "5000",
    "REMOTE_ADDR": "127.0.0.1",
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": "",
    "HTTP_HOST": "127.0.0.1",
    "wsgi.errors": sys.stderr,
    "wsgi.input": io.BytesIO(),
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.url_scheme": "http",
    "wsgi.version": (1, 0),
}
TOKEN = {"HTTP_AUTHORIZATION": f"Bearer {stand.TOKEN}"}
PUBLIC, PRIVATE, SCOPED = (
    ENVIRON | {"PATH_INFO": "/api/public"},
    ENVIRON | {"PATH_INFO": "/api/private"} | TOKEN,
    ENVIRON | {"PATH_INFO": "/api/private-scoped"} | TOKEN,
)


class Log:
    """The log of requests as in ``zdemo serve``, but its lines are written when it is told to."""

    def __init__(self, *, as_json: bool = False) -> None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as long as the process
        formatter = JsonFormatter() if as_json else TextFormatter(stream)
        self._handler = BatchingHandler(stream, formatter, wait_seconds=NEVER_SECONDS)
        self.take = self._handler.log_request

    def write(self) -> float:
        """Write the lines of all requests, and return how many seconds of the processor that took."""
        before = time.thread_time()
        self._handler.flush()
        return time.thread_time() - before


class Case:
    """One request to one app, and the microseconds that it took in each round."""

    def __init__(self, app: WSGIApp, environ: dict[str, Any], log: Log | None = None) -> None:
        self._app = app
        self._environ = environ
        self._log = log
        self._requests: list[float] = []
        self._lines: list[float] = []

    @property
    def request(self) -> float:
        """The microseconds of a request without its log line, in a round with little other work."""
        return sorted(self._requests)[len(self._requests) // FEW]

    @property
    def line(self) -> float:
        """The microseconds of its log line, 0 if it has none."""
        return sorted(self._lines)[len(self._lines) // FEW] if self._lines else 0.0

    def round(self) -> None:
        """Measure once more."""
        before = time.thread_time()
        for _ in range(CALLS):
            self._call()
        self._requests.append(1e6 * (time.thread_time() - before) / CALLS)
        if self._log:
            self._lines.append(1e6 * self._log.write() / CALLS)

    def _call(self) -> None:
        body = self._app(dict(self._environ), _start_response)
        for _ in body:
            pass
        if close := getattr(body, "close", None):
            close()


def _start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
    if not status.startswith("200 ") or not headers:
        raise AssertionError(status)
    return lambda _: None


def _guarded(settings: Settings) -> Flask:
    """Return somebody's app with one guarded route."""
    app = protect(Flask("guarded", static_folder=None), settings)

    @app.get("/api/private")
    @requires_token()
    def private() -> dict[str, str]:
        return {"message": "Private route - You need to be authenticated to see this."}

    return app


def _nowhere(*_values: object) -> None:
    """Take a request that is not logged."""


def _with_page(settings: Settings, log: Log) -> WSGIApp:
    """Return the API with its page, which nobody has opened."""
    options = PageOptions(
        key=new_key(), api_url="http://127.0.0.1:5000", settings=settings, environment=Environment({})
    )
    return paged(lambda _: create_app(settings, log=log.take), options, Bus())


def cpu() -> None:
    """Print what a request takes with one layer more each time."""
    logging.getLogger("zdemo").propagate = False
    text, as_json = Log(), Log(as_json=True)
    with stand.upstream() as zitadel:
        settings = Settings(
            issuer=f"http://localhost:{zitadel}",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            cache_ttl_seconds=600,
        )
        floor, silent = bare.build(), create_app(settings, log=_nowhere)
        plain, plain_json = create_app(settings, log=text.take), create_app(settings, log=as_json.take)
        counted = create_app(settings, open_metrics=True, log=text.take)
        cases = {
            "bare Flask route": Case(floor, PUBLIC),
            "bare, with the layer that observes": Case(observed(floor, log=_nowhere), PUBLIC),
            "… that logs": Case(observed(floor, log=text.take), PUBLIC, text),
            "… and counts": Case(observed(floor, Metrics(Counters()), log=text.take), PUBLIC, text),
            "bare, guarded": Case(_guarded(settings), PRIVATE),
            "public, not logged": Case(silent, PUBLIC),
            "public, logged": Case(plain, PUBLIC, text),
            WITHOUT_PAGE: Case(plain, PRIVATE, text),
            "with a role, logged": Case(plain, SCOPED, text),
            "private, logged as JSON": Case(plain_json, PRIVATE, as_json),
            "private, logged, counted": Case(counted, PRIVATE, text),
            WITH_PAGE: Case(_with_page(settings, text), PRIVATE, text),
        }
        for _ in range(ROUNDS):
            for case in cases.values():
                case.round()
    least = cases["bare Flask route"].request
    rows = [
        (name, f"{case.request:.1f} µs", f"{case.request - least:.1f} µs", _line(case), _ratio(case, least))
        for name, case in cases.items()
    ]
    guard = cases[WITHOUT_PAGE].request - cases["public, logged"].request
    page = cases[WITH_PAGE].request / cases[WITHOUT_PAGE].request
    header = ["one thread, no server", "request", "more than bare", "its log line", "bare to all of it"]
    show(f"Processor time: {ROUNDS} rounds of {CALLS} requests, of which one in {FEW} was faster", header, rows)
    print(f"\nthe guard's own (private minus public, logged): {guard:.1f} µs")
    print(f"private, logged, served with the page and nobody watching, compared with --no-page: {page:.3f}")


def _line(case: Case) -> str:
    return f"{case.line:.1f} µs" if case.line else ""


def _ratio(case: Case, least: float) -> str:
    return f"{least / (case.request + case.line):.2f}"
