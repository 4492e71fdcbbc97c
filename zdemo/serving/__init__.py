"""Serve WSGI applications: embedded in a process, or in production on Granian."""

from collections.abc import Callable
from typing import Any

WSGIApp = Callable[..., Any]
