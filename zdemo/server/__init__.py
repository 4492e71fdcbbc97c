"""The API server, and the guard for your own API: ``protect(app)``, and ``@requires_token(role=...)`` above a view."""

from zdemo.server.app import create_app
from zdemo.server.forgetting import FORGETTING, Forgetting
from zdemo.server.guard import EXTENSION, open_route, protect, requires_token
from zdemo.server.log_lines import RequestLines
from zdemo.server.logs import RequestLog, log_to_stderr
from zdemo.server.request_bodies import BodyReader, BodyTooSlow, TooManyBodies, then_cut
from zdemo.server.watcher import WATCHER, Trace, Watcher
from zdemo.server.worker import WorkerApp, spare_threads
from zdemo.server.zitadel_events import PATH as EVENTS_PATH

__all__ = [
    "EVENTS_PATH",
    "EXTENSION",
    "FORGETTING",
    "WATCHER",
    "BodyReader",
    "BodyTooSlow",
    "Forgetting",
    "RequestLines",
    "RequestLog",
    "TooManyBodies",
    "Trace",
    "Watcher",
    "WorkerApp",
    "create_app",
    "log_to_stderr",
    "open_route",
    "protect",
    "requires_token",
    "spare_threads",
    "then_cut",
]
