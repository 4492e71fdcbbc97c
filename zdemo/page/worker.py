"""What runs in each worker process of ``zdemo serve`` that has a page."""

from dataclasses import dataclass

from zdemo.page.app import paged
from zdemo.page.context import PageOptions
from zdemo.server import WorkerApp
from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus


@dataclass(frozen=True, kw_only=True)
class PagedApp:
    """A recipe for the app of one worker with the page in front of it; it can be sent to another process."""

    worker: WorkerApp
    options: PageOptions

    def __call__(self, bus: Bus) -> WSGIApp:
        """Set up the worker, and return the app; ``bus`` leads to the other workers."""
        return paged(self.worker(bus), self.options, bus)
