"""What runs in each worker process of ``zdemo serve``: logging, then the app."""

from __future__ import annotations

import atexit
import logging
import os
from dataclasses import dataclass

from flask import Flask

from zdemo.config.settings import Settings
from zdemo.server.app import create_app
from zdemo.server.logs import log_to_stderr


@dataclass(frozen=True, kw_only=True)
class Build:
    """Makes the app of one worker; can be sent to another process. ``threads`` is per worker."""

    settings: Settings
    threads: int
    json_logs: bool
    open_metrics: bool

    def __call__(self, _target: str) -> Flask:
        """The app, with logging set up for it."""
        atexit.register(_leave_at_once)
        log_to_stderr(as_json=self.json_logs, together=True)
        return create_app(self.settings, threads=self.threads, open_metrics=self.open_metrics)


def _leave_at_once() -> None:
    """Write what is left to log, and end without taking Python apart: a thread of Granian that comes for one last word
    with it would meet nothing, and say so in a screenful."""
    logging.shutdown()
    os._exit(0)
