"""The API server, and the guard for your own API: ``protect(app)``, and ``@requires_token(role=...)`` above a view."""

from zdemo.guard.flask_guard import EXTENSION, open_route, protect, refusal_of_http, requires_token
from zdemo.server.app import WorkerApp, create_app, spare_threads
from zdemo.server.forgetting import EVENTS_PATH, FORGETTING, Forgetting
from zdemo.server.logs import RequestLines, RequestLog, log_in_batches, log_to_stderr
from zdemo.server.observe import WATCHER, Trace, Watcher
from zdemo.server.request_bodies import BodyReader, cut_connection_after

__all__ = [
    "EVENTS_PATH",
    "EXTENSION",
    "FORGETTING",
    "WATCHER",
    "BodyReader",
    "Forgetting",
    "RequestLines",
    "RequestLog",
    "Trace",
    "Watcher",
    "WorkerApp",
    "create_app",
    "cut_connection_after",
    "log_in_batches",
    "log_to_stderr",
    "open_route",
    "protect",
    "refusal_of_http",
    "requires_token",
    "spare_threads",
]
