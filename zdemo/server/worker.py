"""What runs in each worker process of ``zdemo serve``: logging, the interpreter's settings, and the app."""

import gc
import sys
from dataclasses import dataclass

from flask import Flask

from zdemo.config.settings import Settings
from zdemo.server.app import create_app
from zdemo.server.logs import log_in_batches
from zdemo.serving.bus import Bus

MOST_SPARE_THREADS = 512  # per worker; one that sleeps takes 60 KiB
# How long a thread waits for the interpreter before it demands it. With Python's 5 ms, several hundred threads that
# begin at once, as in a flood, wake up 100,000 times per second, and leave no time to the one that runs.
SWITCH_SECONDS = 0.1


def spare_threads(threads: int) -> int:
    """Return in how many more threads requests of a worker only wait for their turn to ask ZITADEL."""
    return min(MOST_SPARE_THREADS, 4 * threads)


@dataclass(frozen=True, kw_only=True)
class WorkerApp:
    """A recipe for the app of one worker; it can be sent to another process. Threads are per worker."""

    settings: Settings
    threads: int
    json_logs: bool
    open_metrics: bool

    def __call__(self, bus: Bus | None = None) -> Flask:
        """Set up logging and the interpreter, and return the app; ``bus`` leads to the other workers."""
        sys.setswitchinterval(SWITCH_SECONDS)
        log = log_in_batches(as_json=self.json_logs)
        app = create_app(
            self.settings,
            threads=self.threads,
            spare_threads=spare_threads(self.threads),
            open_metrics=self.open_metrics,
            bus=bus,
            log=log.log_request,
        )
        # What is loaded now stays. To search it for garbage would stop all threads (docs/performance.md has the times).
        gc.collect()
        gc.freeze()
        return app
