"""The guard for FastAPI and Starlette: ``protect(app)``, then ``Depends(requires_token(role=...))``."""

from zdemo.guard.asgi.dependency import requires_token
from zdemo.guard.asgi.middleware import protect
from zdemo.zitadel.introspection_answer import Introspection

__all__ = ["Introspection", "protect", "requires_token"]
