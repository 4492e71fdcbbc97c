"""What runs in each worker process of ``zdemo serve``: logging, then the app."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from zdemo.config.settings import Settings
from zdemo.server.app import create_app
from zdemo.server.logs import log_to_stderr


@dataclass(frozen=True, kw_only=True)
class WorkerApp:
    """A recipe for the app of one worker; it can be sent to another process. Threads are per worker."""

    settings: Settings
    threads: int
    spare_threads: int
    json_logs: bool
    open_metrics: bool

    def __call__(self) -> Flask:
        """Set up logging, and return the app."""
        log_to_stderr(as_json=self.json_logs, in_batches=True)
        return create_app(
            self.settings,
            threads=self.threads,
            spare_threads=self.spare_threads,
            open_metrics=self.open_metrics,
        )
