"""What a function wraps: behind decorators with ``functools.wraps`` or without, partials, methods and callable objects.

A decorator gets the function that it wraps as an argument. A function that calls another one by its name wraps nothing:
a view may call another view. Names of a module are in no closure. Of those in a closure, one is left out if it stands
for a function that was defined right there, under that name. What is in a list or a dict is not found.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from flask import Flask
from werkzeug.local import LocalProxy

MOST_FOUND = 100
LOCALS = "<locals>."


def chain(view: Any, stop: Callable[[Any], bool]) -> list[Any]:
    """Return a function and what it only passes calls on to, down to the first at which to stop."""
    found: list[Any] = []
    while view is not None and len(found) < MOST_FOUND and not _holds(found, view):
        found.append(view)
        view = None if stop(view) else _wrapped(view)
    return found


def reached(view: Any, stop: Callable[[Any], bool]) -> list[Any]:
    """Return a function and all that it or its decorators hold, nearest first; nothing below those at which to stop."""
    return _search(view, stop, _held)


def _search(view: Any, stop: Callable[[Any], bool], look: Callable[[Any], Iterator[Any]]) -> list[Any]:
    found = [view]
    for outer in found:  # grows meanwhile
        if not stop(outer):
            for inner in look(outer):
                if len(found) < MOST_FOUND and not _holds(found, inner):
                    found.append(inner)
    return found


def _holds(found: list[Any], view: Any) -> bool:
    return any(view is other for other in found)


def _wrapped(view: Any) -> Any:
    """Return the function that a wrapper stands for, or None."""
    named = _named(view)
    if named is not None:
        return named
    takes_any = not isinstance(view, FunctionType) or view.__code__.co_flags & (
        inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    )
    held = list(_held(view)) if takes_any else []
    return held[0] if len(held) == 1 else None


def _named(view: Any) -> Any:
    """Return the function that a wrapper names itself."""
    if isinstance(view, partial):
        return view.func
    if isinstance(view, MethodType):
        return view.__func__
    try:
        return getattr(view, "__wrapped__", None)
    except Exception:  # what a foreign object does with an unknown attribute
        return None


def _held(view: Any) -> Iterator[Any]:
    """Yield the functions that a wrapper holds, apart from those that it calls by their names."""
    for name, inner in _contents(view):
        if not (isinstance(view, FunctionType) and name and _is_defined_beside(view, name, inner)):
            yield inner


def _all_held(view: Any) -> Iterator[Any]:
    return (inner for _, inner in _contents(view))


def _contents(view: Any) -> Iterator[tuple[str, Any]]:
    """Yield the functions that a wrapper holds, with the name of the variable if they are in a closure."""
    named = _named(view)
    if _is_wrapper(named):
        yield "", named
    if isinstance(view, FunctionType):
        yield from ((name, inner) for name, inner in _closure(view) if _is_wrapper(inner))
        others = [*(view.__defaults__ or ()), *(view.__kwdefaults__ or {}).values()]
    elif isinstance(view, partial):
        others = [*view.args, *view.keywords.values()]
    elif isinstance(view, MethodType):  # what its object holds, it calls by name
        others = []
    else:
        others = list(getattr(view, "__dict__", {}).values())
    yield from (("", inner) for inner in others if inner is not named and _is_wrapper(inner))


def _closure(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # a name that has no value yet
            continue


def _is_wrapper(held: Any) -> bool:
    """Tell whether an object can be a view or a wrapper of one. An app can be called, but is none."""
    kind = type(held)  # a proxy would ask for the object behind it
    return callable(held) and not issubclass(kind, type | Flask | LocalProxy)


def _is_defined_beside(function: FunctionType, name: str, inner: Any) -> bool:
    """Tell whether a variable of a closure is the name of a function, decorated or not, that was defined there."""
    scope, separator, _ = function.__code__.co_qualname.rpartition(LOCALS)  # functools.wraps changes __qualname__
    definition = (function.__globals__.get("__name__"), f"{scope}{separator}{name}")
    return any(
        (getattr(other, "__module__", None), getattr(other, "__qualname__", None)) == definition
        for other in _search(inner, _never, _all_held)
    )


def _never(_: Any) -> bool:
    return False
