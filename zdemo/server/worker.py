"""What runs in each worker process of ``zdemo serve``: logging, then the app."""

from __future__ import annotations

import logging
import sys

from flask import Flask

from zdemo.config import Settings
from zdemo.server.app import create_app


def log_to_stderr() -> None:
    """One line an event on standard error; what libraries have to say only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("zdemo").setLevel(logging.INFO)


def build(settings: Settings, _target: str) -> Flask:
    """The app of one worker; to be passed as ``functools.partial(build, settings)``, which can be pickled."""
    log_to_stderr()
    return create_app(settings)
