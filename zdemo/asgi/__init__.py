"""The guard for FastAPI and Starlette: ``protect(app)``, then ``Depends(requires_token(role=...))``."""

from zdemo.asgi.dependency import requires_token
from zdemo.asgi.middleware import protect
from zdemo.introspection.model import Introspection

__all__ = ["Introspection", "protect", "requires_token"]
