"""Find guards that FastAPI takes for something else, so that the route is open or half open.

This module looks at the parameters of each route and of its dependencies. It cannot see a guard that a Starlette
function awaits, before that function runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ForwardRef

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from zdemo.asgi.dependency import AS_DEPENDENCY, TokenDependency
from zdemo.asgi.fastapi_parts import every_route
from zdemo.errors import GuardError


def refuse_misuse(app: Starlette, is_protected: Callable[[Starlette], bool]) -> None:
    """Raise GuardError if a guard is in a wrong place in an app, or in one that is mounted in it."""
    _refuse_outside(app, is_protected)
    for path, route, owner in _routes(app.routes, "", app):
        dependencies = list(_tree(getattr(route, "dependant", None)))
        guards = [one for one in dependencies if isinstance(one.call, TokenDependency)]
        for function in {getattr(route, "endpoint", None), *(one.call for one in dependencies)} - {None}:
            _refuse_default(path, function)
        for field in (field for one in dependencies for field in (*one.query_params, *one.body_params)):
            _refuse_unreadable(path, field)
        if guards and isinstance(getattr(route, "original_route", route), WebSocketRoute):
            raise GuardError(
                f"requires_token cannot guard a websocket: {path}",
                hint="give the websocket a router without requires_token, and check the token in an HTTP route",
            )
        if any(guard.own_oauth_scopes for guard in guards):
            raise GuardError(
                f"scopes do not count for requires_token: {path}", hint=f"use a role: write {AS_DEPENDENCY}"
            )
        if guards and not is_protected(owner):
            raise GuardError(
                f"protect(app) was not called for the mounted app with {path}", hint="call protect for it too"
            )


def _refuse_outside(app: Starlette, is_protected: Callable[[Starlette], bool]) -> None:
    """Raise GuardError if the whole app has a guard, and a part that FastAPI runs without the app's dependencies.

    FastAPI's own pages, such as ``/docs``, are such parts too; they may stay open.
    """
    if not any(isinstance(one.dependency, TokenDependency) for one in getattr(app.router, "dependencies", ())):
        return
    for route in every_route(app.routes):
        mounted = getattr(route, "app", None)
        if getattr(route, "dependant", None) or not getattr(route, "include_in_schema", True):
            continue
        if not (isinstance(mounted, Starlette) and is_protected(mounted)):
            raise GuardError(
                f"the dependencies of the app do not guard {getattr(route, 'path', None) or 'a mounted app'}",
                hint="write APIRouter(dependencies=[Depends(requires_token())]) for the routes that need a token",
            )


def _routes(routes: Iterable[Any], prefix: str, app: Starlette) -> Iterator[tuple[str, Any, Starlette]]:
    """Yield each route with its path and its app, mounted ones included."""
    for route in every_route(list(routes)):
        path = prefix + (getattr(route, "path", None) or "")
        yield path, route, app
        mounted = getattr(route, "app", None)
        owner = mounted if isinstance(mounted, Starlette) else app
        yield from _routes(getattr(route, "routes", None) or (), path, owner)


def _tree(dependant: Any) -> Iterator[Any]:
    if dependant is not None:
        yield dependant
        for below in dependant.dependencies:
            yield from _tree(below)


def _refuse_default(path: str, function: Any) -> None:
    """Raise GuardError if a guard is the default of a parameter: FastAPI would let the client replace it."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # it has none that can be read
        return
    for parameter in parameters:
        if isinstance(parameter.default, TokenDependency):
            raise GuardError(
                f"requires_token is the default of the parameter {parameter.name}: {path}",
                hint=f"write {AS_DEPENDENCY}",
            )


def _refuse_unreadable(path: str, field: Any) -> None:
    """Raise GuardError if a parameter has an annotation of which FastAPI knows only the text: it may name a guard."""
    if isinstance(field.field_info.annotation, ForwardRef):
        raise GuardError(
            f"FastAPI cannot read the annotation of the parameter {field.name}: {path}",
            hint="define its names at the top of the module, and import them outside TYPE_CHECKING",
        )
