"""What the guard takes from FastAPI, if that is installed: Starlette alone works without."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

try:
    from fastapi.dependencies.utils import get_dependant, get_typed_signature
    from fastapi.openapi.models import HTTPBearer
    from fastapi.params import Depends
    from fastapi.security.base import SecurityBase

    MODEL: HTTPBearer | None = HTTPBearer(description="an access token from ZITADEL")
except ImportError:
    SecurityBase = object  # type: ignore[assignment,misc]  # then nobody asks for it
    get_typed_signature = inspect.signature  # type: ignore[assignment]  # with a parameter that is not used
    Depends = ()  # type: ignore[assignment,misc]  # then nothing is one
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


def signature_of(function: Any) -> inspect.Signature:
    """Return the signature as FastAPI reads it, with the annotations that are written as text."""
    return get_typed_signature(function)


def depended_on(value: Any) -> Any:
    """Return what stands in a ``Depends``, or None if the value is none."""
    return value.dependency if isinstance(value, Depends) else None


def tree_of(call: Callable[..., Any]) -> Iterable[Any]:
    """Return what FastAPI knows of a dependency and of those below it."""
    return every_dependant(get_dependant(path="", call=call))


def every_dependant(dependant: Any) -> Iterable[Any]:
    """Return what FastAPI knows of a route or a dependency, and of the dependencies below it."""
    if dependant is not None:
        yield dependant
        for below in dependant.dependencies:
            yield from every_dependant(below)
