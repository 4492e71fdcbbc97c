"""What the page knows: how its API was started, and what the parts of the page share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.page.explanations import Explanations
from zdemo.page.limits import PAGE_THREADS


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """How the API was started; it can be sent to another process.

    ``key`` opens the page. ``environment`` has the tokens of callers and administrator. ``steps_file`` is the
    ``.env`` for commands that the page suggests, and ``file_step`` the command that writes it if it is missing.
    ``emulator`` is the name of an emulator beside the API; ``emulator_users`` and ``emulator_pats`` have the IDs of its
    users and of their PATs by caller. ``threads`` is how many of the server's threads the page may use.
    """

    key: str = field(repr=False)
    api_url: str
    settings: Settings
    environment: Environment
    steps_file: Path | None = None
    file_step: str = ""
    emulator: str = ""
    emulator_users: Mapping[str, str] = field(default_factory=dict)
    emulator_pats: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    threads: int = PAGE_THREADS


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What a part of the page is given to answer a request; ``app`` is the API in this worker.

    ``user_ids`` are those of the callers, as far as they were seen: ZITADEL does not say whose a dead token was.
    ``pat_ids`` are those of their PATs. ``tell`` sends an event with this name to all open pages.
    """

    options: PageOptions
    app: Flask
    user_ids: dict[str, str] = field(default_factory=dict)
    pat_ids: dict[str, str] = field(default_factory=dict)
    tell: Callable[[str, Mapping[str, Any]], None] = lambda _name, _event: None
    explanations: Explanations = field(default_factory=Explanations)
