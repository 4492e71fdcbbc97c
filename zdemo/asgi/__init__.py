"""The guard for FastAPI and Starlette: ``protect(app)``, then ``Depends(requires_token(role=...))``."""

try:
    from zdemo.guard.asgi.dependency import requires_token
    from zdemo.guard.asgi.middleware import protect
except ModuleNotFoundError as error:
    raise ImportError(f"zdemo.asgi needs {error.name}: pip install 'zdemo[asgi]'") from error
from zdemo.zitadel.introspection_answer import Introspection

__all__ = ["Introspection", "protect", "requires_token"]
