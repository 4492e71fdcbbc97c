"""Views that Flask serves without the guard that is written above them.

``@app.get`` registers the function below it and returns that same function. A guard written above the route wraps it
too late: Flask goes on serving the function without the guard. Nothing fails, and the route is open to everybody.

So a guard marks the function that it wraps, and an app with such a function among its views refuses every request. Also
one that serves a function both with and without a guard: it could be meant, but it cannot be told from the mistake.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

from flask import Flask, request_started

from zdemo.errors import GuardError

GUARD, GUARDED = "__zdemo_guard__", "__zdemo_guarded__"
MOST_NAMED = 5  # views in the message

# Protected apps that have not had a request yet. This cannot be the state of an app, since a guard knows none: it looks
# here whether its view is served already. While there are none, the signal has no receiver, and requests pay nothing.
_unchecked: WeakSet[Flask] = WeakSet()
_lock = threading.Lock()


def mark(guard: Callable[..., Any], view: Callable[..., Any]) -> None:
    """Note that ``guard`` wraps ``view``. Raises GuardError if an app serves the view already, or it takes no mark."""
    vars(guard).pop(GUARDED, None)  # functools.wraps has copied it, if another guard wraps the view too
    setattr(guard, GUARD, True)
    if not _takes_mark(view):
        what = f"an object of the type {type(view).__name__}"
        raise GuardError(f"requires_token cannot guard {what}", hint="write a function that calls it, and guard that")
    marked: list[Any] = [view]  # other decorators may stand between the guard and the route
    while (inner := getattr(marked[-1], "__wrapped__", None)) is not None and _takes_mark(inner):
        marked.append(inner)
    request_started.connect(refuse_open_views)  # for apps that forgot protect()
    for app in tuple(_unchecked):
        if any(served in marked for served in list(app.view_functions.values())):
            _check(app)


def _takes_mark(view: Callable[..., Any]) -> bool:
    with suppress(AttributeError, TypeError):  # a builtin function, for example
        setattr(getattr(view, "__func__", view), GUARDED, True)  # a method has the attributes of its function
        return True
    return False


def watch(app: Flask) -> None:
    """Refuse every request of an app that serves an open view. Raises GuardError if it does already."""
    _check(app)
    with _lock:
        _unchecked.add(app)
        request_started.connect(refuse_open_views)


def refuse_open_views(app: Flask, **_: object) -> None:
    """Raise GuardError, on each request, if an app serves a view without the guard above it."""
    _check(app)
    with _lock:
        if app in _unchecked:
            _unchecked.remove(app)
            if not _unchecked:
                request_started.disconnect(refuse_open_views)


def _check(app: Flask) -> None:
    views = [endpoint for endpoint, view in list(app.view_functions.items()) if _is_open(view)]
    if views:
        raise GuardError(
            f"the app serves {', '.join(views[:MOST_NAMED])} without the guard that is written for it",
            hint="write the route above @requires_token; if a route shall be open, give it a function of its own",
        )


def _is_open(view: Callable[..., Any]) -> bool:
    """Tell whether a guard wraps this function or one below it, and no guard comes first."""
    first: Any = inspect.unwrap(view, stop=lambda f: True in (getattr(f, GUARDED, None), getattr(f, GUARD, None)))
    return getattr(first, GUARDED, None) is True
