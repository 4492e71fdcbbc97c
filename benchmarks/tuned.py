"""The API on Granian with other options: ``python -m benchmarks.tuned PORT JSON``, an object of Granian's arguments.

``zdemo serve`` offers few of them, since most make no difference; this shows which.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from flask import Flask
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.server import MPServer

from zdemo.config.environment import read_environment
from zdemo.config.settings import Settings
from zdemo.server.tuning import WorkerApp, spare_threads
from zdemo.serving.production import MOST_CONNECTIONS, bind_to_one_processor

THREADS = 128
# As in zdemo serve
DEFAULTS: dict[str, Any] = {"blocking_threads": THREADS + spare_threads(THREADS), "backpressure": MOST_CONNECTIONS}
HTTP1_DEFAULTS = {"header_read_timeout": 10_000}


@dataclass(frozen=True)
class OnOneProcessor:
    """The app of the one worker, which stays on one processor as with ``--pin``."""

    app: WorkerApp

    def __call__(self) -> Flask:
        """Bind this process, and return the app."""
        bind_to_one_processor(1)
        return self.app()


def main() -> None:
    """Serve until SIGTERM."""
    port, options = int(sys.argv[1]), json.loads(sys.argv[2])
    if mode := options.pop("runtime_mode", None):
        options["runtime_mode"] = RuntimeModes(mode)
    http1 = HTTP1Settings(**HTTP1_DEFAULTS | options.pop("http1_settings", {}))
    app = WorkerApp(
        settings=Settings.from_env(read_environment()),
        threads=THREADS,
        json_logs=False,
        open_metrics=False,
    )
    server = MPServer(
        "zdemo",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        http1_settings=http1,
        log_enabled=False,
        **DEFAULTS | options,
    )
    server.serve(target_loader=OnOneProcessor(app), wrap_loader=False)


if __name__ == "__main__":
    main()
