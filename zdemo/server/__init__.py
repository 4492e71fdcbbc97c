"""The API server, and the guard for your own API: ``protect(app)``, and ``@requires_token(role=...)`` above a view."""

from zdemo.server.app import create_app
from zdemo.server.forgetting import FORGETTING, Forgetting
from zdemo.server.guard import EXTENSION, open_route, protect, requires_token
from zdemo.server.http_errors import refusal_of_http
from zdemo.server.log_lines import RequestLines
from zdemo.server.logs import RequestLog, log_in_batches, log_to_stderr
from zdemo.server.request_bodies import BodyReader, cut_connection_after
from zdemo.server.watcher import WATCHER, Trace, Watcher
from zdemo.server.worker import WorkerApp, spare_threads
from zdemo.server.zitadel_events import PATH as EVENTS_PATH

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
