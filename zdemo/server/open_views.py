"""Views that Flask serves without the guard that is written above them.

``@app.get`` registers the function below it and returns that same function. A guard written above the route wraps it
too late: Flask goes on serving the function without the guard. Nothing fails, and the route is open to everybody.

So a guard marks the function that it wraps, and an app with such a function among its views refuses every request. Also
one that serves a function both with and without a guard: it could be meant, but it cannot be told from the mistake.
``server/wrappers.py`` finds the function behind other decorators, on both sides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from zdemo.errors import GuardError
from zdemo.server.wrappers import chain, reached

GUARD, GUARDED = "__zdemo_guard__", "__zdemo_guarded__"
BELOW_GUARD = "__zdemo_below_guard__"  # what a guarded function may call: its view, or a helper that open views share
OWN_ROUTES = "zdemo.server.routes"
MOST_NAMED = 5  # views in the message

# These cannot be the state of an app, since a guard knows none: it looks here whether its view is served already.
_protected: WeakSet[Flask] = WeakSet()
_checked: WeakSet[Flask] = WeakSet()  # had a request since the last guard was written, so that others pay no search
_lock = threading.Lock()


def mark(guard: Callable[..., Any], view: Callable[..., Any]) -> None:
    """Note that ``guard`` wraps ``view``. Raises GuardError if an app serves the view already, or it takes no mark."""
    for name in (GUARDED, BELOW_GUARD):
        vars(guard).pop(name, None)  # functools.wraps has copied it, if another guard wraps the view too
    setattr(guard, GUARD, True)
    if not _takes_mark(view, GUARDED):
        what = f"an object of the type {type(view).__name__}"
        raise GuardError(f"requires_token cannot guard {what}", hint="write a function that calls it, and guard that")
    for inner in chain(view, is_guard):
        _takes_mark(inner, GUARDED)
    below = reached(view, is_guard)
    for inner in below:
        _takes_mark(inner, BELOW_GUARD)
    with _lock:
        _checked.clear()
    if not _is_own(view):
        request_started.connect(refuse_open_views)  # not by protect(), which some apps forget
    for app in tuple(_protected):
        if any(served in below for served in list(app.view_functions.values())):
            _check(app)


def _is_own(view: Callable[..., Any]) -> bool:
    """Tell whether a view is one of zdemo's API, which tests check. So that API does not pay for the signal."""
    return isinstance(view, FunctionType) and view.__globals__.get("__name__") == OWN_ROUTES


def _takes_mark(view: Callable[..., Any], name: str) -> bool:
    with suppress(AttributeError, TypeError):  # a builtin function, for example
        setattr(getattr(view, "__func__", view), name, True)  # a method has the attributes of its function
        return True
    return False


def watch(app: Flask) -> None:
    """Refuse every request of an app that serves an open view. Raises GuardError if it does already."""
    _check(app)
    _protected.add(app)


def refuse_open_views(app: Flask, **_: object) -> None:
    """Raise GuardError, on each request, if an app serves a view without the guard above it.

    The receiver stays connected: it is one for all apps, and no app's request can tell that the others have none.
    """
    if app in _checked:
        return
    with _lock:  # a guard that is written meanwhile asks for another check
        _check(app)
        _checked.add(app)


def _check(app: Flask) -> None:
    views = [endpoint for endpoint, view in list(app.view_functions.items()) if _is_open(view)]
    if views:
        raise GuardError(
            f"the app serves {', '.join(views[:MOST_NAMED])} without the guard that is written for it",
            hint="write the route above @requires_token; if a route shall be open, give it a function of its own",
        )


def _is_open(view: Callable[..., Any]) -> bool:
    """Tell whether a guard wraps this function or one below it, and no guard comes first.

    Only one of both sides may branch: decorators of guarded and of open views can share helpers.
    """
    return any(_has(inner, GUARDED) for inner in reached(view, _ends)) or any(
        _has(inner, BELOW_GUARD) for inner in chain(view, _ends)
    )


def _ends(view: Any) -> bool:
    return _has(view, GUARDED) or is_guard(view)


def is_guard(view: Any) -> bool:
    """Return whether a view has a guard."""
    return _has(view, GUARD)


def _has(view: Any, name: str) -> bool:
    try:
        return getattr(view, name, None) is True
    except Exception:  # what a foreign object does with an unknown attribute
        return False
