"""What the page knows: how its API was started, and what the parts of the page share."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.page.limits import PAGE_THREADS


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """How the API was started; it can be sent to another process.

    ``key`` opens the page. ``emulator`` is the name of an emulator beside the API, and ``threads`` is how many of the
    server's threads the page may use.
    """

    key: str = field(repr=False)
    api_url: str
    settings: Settings
    environment: Environment
    emulator: str = ""
    workers: int = 1
    threads: int = PAGE_THREADS


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What a part of the page is given to answer a request; ``app`` is the API in this worker."""

    options: PageOptions
    app: Flask
