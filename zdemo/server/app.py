"""The example API as a Flask app: its routes, the guard, and JSON for every answer. ``tuning`` makes it fast.

The routes are the three of ZITADEL's example API, and those for operators, which tell alive, ready and metrics.
"""

import logging
from collections.abc import Callable
from importlib.resources import files

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, RequestTimeout

from zdemo.config.settings import Settings
from zdemo.errors import drop_frames
from zdemo.guard.flask_guard import EXTENSION, protect, refusal, refusal_of_http, request_id, requires_token
from zdemo.guard.guard import Guard, Refusal
from zdemo.http.example_api import FORGET_PATH, IDENTITY_PATH, PUBLIC_ANSWER
from zdemo.server.forgetting import EVENTS_PATH, FORGETTING, Forgetting, add_forgetting, add_zitadel_events
from zdemo.server.forward_auth import FORWARD_AUTH, NO_PATH, add_forward_auth
from zdemo.server.operations import add_operations
from zdemo.server.request_bodies import cut_connection_after, limit_bodies
from zdemo.serving.bus import Bus
from zdemo.zitadel.introspection_answer import Introspector

OPEN_ROUTES = ["/healthz", "/readyz", IDENTITY_PATH, FORGET_PATH]  # they check who asks
EXAMPLE_ROUTES = ["/api/public", "/openapi.json"]  # the open ones
PRIVATE_SCOPED = "Private, scoped route - You need to be authenticated and have the role read:messages to see this."


def example_app(
    settings: Settings,
    introspector: Introspector,
    *,
    threads: int,
    bus: Bus,
    metrics_text: Callable[[], bytes] | None = None,
    denied_as: int | None = None,
) -> Flask:
    """Return the app. ``bus`` leads to the other workers of the same server; ``metrics_text`` makes ``/metrics``.

    With ``denied_as`` (see ``forward_auth``), the app has the paths for proxies instead of the example's routes.
    """
    app = Flask("zdemo", static_folder=None)
    app.url_map.merge_slashes = False  # else // is redirected, in HTML, to whatever host the request named
    limit_bodies(app, threads=threads)
    open_routes = OPEN_ROUTES + ["/metrics"] * bool(metrics_text) + [EVENTS_PATH] * bool(settings.events_key)
    open_routes += EXAMPLE_ROUTES * (denied_as is None)
    protect(app, settings, introspector, open_routes=open_routes)
    guard: Guard = app.extensions[EXTENSION]
    if denied_as is None:
        add_example_routes(app)
    else:
        add_forward_auth(app, guard, denied_as)
    add_operations(app, settings, introspector, metrics_text)
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
    is_unknown = error.code == 404 and FORWARD_AUTH in current_app.extensions
    response = refusal(NO_PATH if is_unknown else refusal_of_http(error))
    return cut_connection_after(response) if isinstance(error, RequestTimeout) else response


def _answer_unexpected(error: Exception) -> Response:
    logging.getLogger("zdemo.server").error("request %s failed", request_id(), exc_info=error)
    return refusal(Refusal(500, "internal_server_error", "unexpected error; see this API's log"))


def add_example_routes(app: Flask) -> None:
    """Add the three routes of ZITADEL's example API, and their description for programs.

    They need no blueprint, which Flask would look up per request.
    """
    document = (files("zdemo.server") / "openapi.json").read_bytes()

    @app.get("/api/public")
    def public() -> dict[str, str]:
        """Answer anyone, without asking ZITADEL."""
        return PUBLIC_ANSWER

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

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype="application/json")
