"""The API server, and the guard for your own API: ``protect(app)``, and ``@requires_token(role=...)`` above a view."""

from zdemo.guard.flask_guard import open_route, protect, requires_token
from zdemo.server.forward_auth import forward_auth
from zdemo.server.tuning import create_app

__all__ = ["create_app", "forward_auth", "open_route", "protect", "requires_token"]
