"""Find routes that the guard of their router or app does not reach.

FastAPI runs ``dependencies`` before its own routes alone: plain Starlette routes and mounted apps are open. It also
gives a route only the dependencies that its router has when the route is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import getclosurevars, isclass, unwrap
from operator import is_
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Router

from zdemo.asgi.dependency import AS_LIST, TokenDependency
from zdemo.asgi.fastapi_parts import depended_on, every_dependant, tree_of
from zdemo.errors import GuardError


def refuse_unreached(router: Router, path: str = "", *, above: bool = False, here: bool = False) -> None:
    """Raise GuardError if a router, or one below it, has a guard that does not run before each of its routes.

    ``above`` tells that an app around this one has a guard, ``here`` that this app has one for the whole router.
    """
    own = [one for one in getattr(router, "dependencies", ()) if leads_to_guard(depended_on(one))]
    here = here or bool(own)
    for route in router.routes:
        where = path + (getattr(route, "path", None) or "")
        included = getattr(route, "include_context", None)
        given = getattr(included or route, "dependencies", None)
        if given is not None and not all(one in given for one in own):
            raise GuardError(
                f"the dependencies of the router came after its route {where or _first_path(route)}",
                hint=f"write {AS_LIST} where the router or the app is made",
            )
        if included:
            below = here or any(leads_to_guard(depended_on(one)) for one in included.dependencies)
            refuse_unreached(included.included_router, where + included.prefix, above=above, here=below)
        elif (mounted := mounted_app(route)) is not None:
            refuse_unreached(_router(mounted), where, above=above or here)
        elif (above or here) and not _is_reached(route, here) and not _is_own_page(route):
            raise GuardError(
                f"the dependencies of the router or the app do not guard {where or 'a mounted app'}",
                hint="write add_api_route for it, or move it to a router or app without a guard",
            )


def mounted_app(route: Any) -> Starlette | Router | None:
    """Return a mounted app, also if layers of middleware are around it; None if the route is no mount."""
    if hasattr(route, "endpoint") and route.endpoint is not None:  # then its app is made of that
        return None
    inner = getattr(route, "app", None)
    while inner is not None and not isinstance(inner, (Starlette, Router)):
        inner = getattr(inner, "app", None)
    return inner


def leads_to_guard(call: Any) -> bool:
    """Tell whether a dependency is a guard, or has one below it, or awaits one."""
    return call is not None and any(
        isinstance(one.call, TokenDependency) or names_guard(one.call) for one in tree_of(call)
    )


def names_guard(function: Any) -> bool:
    """Tell whether the body of a function names a guard, or an attribute of its object that is one."""
    return any(isinstance(value, TokenDependency) for value in _named(function))


def body_of(function: Any) -> Any:
    """Return the function that runs when a function, a method, a partial or an object is called."""
    while isinstance(function, partial):
        function = function.func
    function = unwrap(function)
    return getattr(function, "__func__", function) if hasattr(function, "__code__") else type(function).__call__


def _named(function: Any) -> Iterator[Any]:
    if isclass(function) or isinstance(function, TokenDependency):
        return
    body = body_of(function)
    try:
        found = getclosurevars(body)
    except (TypeError, ValueError):  # it is not written in Python, or a name has no value yet
        return
    holder = getattr(function, "__self__", function)
    if not hasattr(holder, "__code__"):
        yield from (value for name, value in getattr(holder, "__dict__", {}).items() if name in body.__code__.co_names)
    yield from found.nonlocals.values()
    yield from found.globals.values()


def _is_reached(route: Any, here: bool) -> bool:
    dependant = getattr(route, "dependant", None)
    guarded = any(isinstance(one.call, TokenDependency) for one in every_dependant(dependant))
    return dependant is not None and (here or guarded)


def _is_own_page(route: Any) -> bool:
    """Tell whether FastAPI has made a route, such as ``/docs``."""
    return getattr(getattr(route, "endpoint", None), "__module__", None) == "fastapi.applications"


def _first_path(route: Any) -> str:
    return next((one.path for one in route.original_router.routes if hasattr(one, "path")), "")


class Routes:
    """The routes and dependencies that an app had when they were checked."""

    def __init__(self, app: Starlette) -> None:
        self._then = [
            (router, list(router.routes), list(getattr(router, "dependencies", ()))) for router in _routers(app.router)
        ]

    def are_unchanged(self) -> bool:
        """Tell whether each route and dependency is still the same."""
        return all(
            _are_same(router.routes, routes) and _are_same(getattr(router, "dependencies", ()), dependencies)
            for router, routes, dependencies in self._then
        )


def _are_same(now: Any, then: list[Any]) -> bool:
    return len(now) == len(then) and all(map(is_, now, then))


def _routers(router: Router) -> Iterator[Router]:
    yield router
    for route in router.routes:
        context = getattr(route, "include_context", None)
        below = context.included_router if context else mounted_app(route)
        if below is not None:
            yield from _routers(_router(below))


def _router(app: Starlette | Router) -> Router:
    return app.router if isinstance(app, Starlette) else app
