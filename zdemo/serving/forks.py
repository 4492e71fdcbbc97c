"""What belongs to one process alone, and is made again in each process that is forked from it.

A server may fork its workers after it has loaded the app (``gunicorn --preload``, uWSGI, ``multiprocessing``). They
inherit connections, and two processes that share one get each other's answers. They inherit locks, which threads of the
parent may hold, and threads, which do not run. So an object that has any of these marks the method that makes them.
"""

import os
import sys
import threading  # noqa: F401  # which renews itself, and must do so first
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
P = ParamSpec("P")
CALL = "_call_after_fork"

_objects: WeakKeyDictionary[Any, None] = WeakKeyDictionary()  # in the order in which they were made


def renewed_after_fork(method: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], None]:
    """Run a method such as ``__init__`` again in each forked process, with the same arguments.

    An object has one such method, and it must not fail. What it replaces is dropped: that may close a descriptor, but
    must send nothing to the other side, and take no lock.
    """

    @wraps(method)
    def run(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        _objects[self] = None
        setattr(self, CALL, (method, args, kwargs))  # not above: the arguments may lead back to the object
        method(self, *args, **kwargs)

    return run


def _renew_all() -> None:
    for instance in list(_objects):
        method, args, kwargs = getattr(instance, CALL)
        method(instance, *args, **kwargs)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_all)
if "uwsgi" in sys.modules:  # this process is uWSGI, which does not tell Python that it forks
    from uwsgidecorators import postfork  # type: ignore[import-untyped]  # it comes with uWSGI

    postfork(_renew_all)
