"""The API server, and the guard for your own: ``protect(app)``, then ``@requires_token(role=...)`` above a view."""

from zdemo.server.app import create_app
from zdemo.server.guard import protect, requires_token

__all__ = ["create_app", "protect", "requires_token"]
