"""Find guards that FastAPI takes for something else, so that the route is open or half open.

This module looks at the parameters of each route and of its dependencies. It cannot see a guard that a Starlette
function awaits, before that function runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dis import get_instructions
from typing import Any, ForwardRef

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from zdemo.asgi.call import EXAMPLE
from zdemo.asgi.dependency import AS_DEPENDENCY, TokenDependency
from zdemo.asgi.fastapi_parts import depended_on, every_dependant, every_route, signature_of
from zdemo.asgi.reach import body_of, mounted_app, names_guard, refuse_unreached
from zdemo.errors import GuardError


def refuse_misuse(app: Starlette, is_protected: Callable[[Starlette], bool]) -> None:
    """Raise GuardError if a guard is in a wrong place in an app, or in one that is mounted in it."""
    refuse_unreached(app.router)
    for path, route, owner in _routes(app.routes, "", app):
        dependencies = list(every_dependant(getattr(route, "dependant", None)))
        guards = [one for one in dependencies if isinstance(one.call, TokenDependency)]
        _refuse_dropped(path, getattr(route, "endpoint", None), dependencies)
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


def _refuse_dropped(path: str, endpoint: Any, dependencies: list[Any]) -> None:
    """Raise GuardError if an endpoint or a dependency names a guard that nothing runs."""
    if endpoint is not None and not any(one.call is endpoint for one in dependencies):
        _refuse_parameters(path, endpoint, ())
    _refuse_decorators(path, endpoint)
    for one in dependencies:
        _refuse_parameters(path, one.call, one.dependencies)
        if one.call is not endpoint:
            _refuse_handed_out(path, one.call)
    for field in (field for one in dependencies for field in (*one.query_params, *one.body_params)):
        _refuse_unreadable(path, field)


def _routes(routes: Iterable[Any], prefix: str, app: Starlette) -> Iterator[tuple[str, Any, Starlette]]:
    """Yield each route with its path and its app, mounted ones included."""
    for route in every_route(list(routes)):
        path = prefix + (getattr(route, "path", None) or "")
        yield path, route, app
        mounted = mounted_app(route)
        owner = mounted if isinstance(mounted, Starlette) else app
        if mounted is not None:
            yield from _routes(mounted.routes, path, owner)


def _refuse_parameters(path: str, function: Any, dependencies: Iterable[Any]) -> None:
    """Raise GuardError if a parameter names a guard that FastAPI does not run before the function."""
    try:
        parameters = signature_of(function).parameters.values()
    except (TypeError, ValueError, NameError):  # it has none that can be read
        return
    run = {(one.name, one.call) for one in dependencies}
    known = [depended_on(parameter.default) for parameter in parameters]
    for parameter in parameters:
        metadata = getattr(parameter.annotation, "__metadata__", ())
        for value in (parameter.default, *metadata):
            guard = value if isinstance(value, TokenDependency) else depended_on(value)
            if isinstance(guard, TokenDependency) and (parameter.name, guard) not in run:
                raise GuardError(
                    f"FastAPI does not run requires_token at the parameter {parameter.name}: {path}",
                    hint=f"write {AS_DEPENDENCY}",
                )
    for name, value in vars(function).items() if inspect.isclass(function) else ():
        guard = depended_on(value)
        if isinstance(guard, TokenDependency) and guard not in known:
            raise GuardError(
                f"FastAPI does not run requires_token at the attribute {name} of a class: {path}",
                hint=f"make the class a dataclass, or write {AS_DEPENDENCY} at a parameter",
            )


def _refuse_handed_out(path: str, function: Any) -> None:
    """Raise GuardError if a dependency names a guard and awaits nothing: it can only pass the guard on."""
    if names_guard(function) and not any(
        step.opname == "GET_AWAITABLE" for step in get_instructions(body_of(function))
    ):
        raise GuardError(
            f"a dependency names requires_token, but does not await it: {path}", hint=f"write {AS_DEPENDENCY}"
        )


def _refuse_decorators(path: str, endpoint: Any) -> None:
    """Raise GuardError if a class has guards as decorators, as in Flask: Starlette does not look at them."""
    if any(isinstance(one, TokenDependency) for one in getattr(endpoint, "decorators", None) or ()):
        raise GuardError(f"requires_token is a dependency, not a decorator: {path}", hint=f"write {EXAMPLE}")


def _refuse_unreadable(path: str, field: Any) -> None:
    """Raise GuardError if a parameter has an annotation of which FastAPI knows only the text: it may name a guard."""
    if isinstance(field.field_info.annotation, ForwardRef):
        raise GuardError(
            f"FastAPI cannot read the annotation of the parameter {field.name}: {path}",
            hint="define its names at the top of the module, and import them outside TYPE_CHECKING",
        )
