"""What the guard takes from FastAPI, if that is installed: Starlette alone works without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

try:
    from fastapi.openapi.models import HTTPBearer
    from fastapi.security.base import SecurityBase

    MODEL: HTTPBearer | None = HTTPBearer(description="an access token from ZITADEL")
except ImportError:
    SecurityBase = object  # type: ignore[assignment,misc]  # then nobody asks for it
    MODEL = None


class BearerScheme(SecurityBase):
    """A security scheme of OpenAPI: FastAPI shows it in the schema, and as a padlock in ``/docs``."""

    model = MODEL  # type: ignore[assignment]  # None without FastAPI
    scheme_name = "zitadel"


def every_route(routes: Sequence[Any]) -> Iterable[Any]:
    """Return the routes, with those of included routers, which FastAPI keeps below the router."""
    try:
        from fastapi.routing import iter_route_contexts
    except ImportError:  # Starlette alone, or a FastAPI that copies them
        return routes
    return iter_route_contexts(routes)
