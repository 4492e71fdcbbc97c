"""The metadata of a protected resource (RFC 9728), outside of all other middleware."""

from dataclasses import dataclass

from starlette._utils import get_route_path
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from zdemo.guard.guard import ProtectedResource


@dataclass(frozen=True)
class MetadataMiddleware:
    """The layer that answers requests for the metadata; the app's own path and the whole one count."""

    app: ASGIApp
    resource: ProtectedResource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the metadata, and hand on everything else."""
        is_asked = scope["type"] == "http" and not self.resource.paths.isdisjoint(
            (scope["path"], get_route_path(scope))
        )
        app = Response(*self.resource.answer(scope["method"])) if is_asked else self.app
        await app(scope, receive, send)
