"""What the page knows: how its API was started, and what the parts of the page share."""

import math
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.page.feed import PAGE_THREADS
from zdemo.serving.forks import renewed_after_fork

KEPT_SECONDS = 60.0  # for an explanation, since something else may have changed, which the page did not do
MOST_EXPLANATIONS = 100

Why = dict[str, Any] | None


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
    threads: int = PAGE_THREADS


class Explanations:
    """Why requests were refused, by what tells refusals apart, until the next change. Thread-safe.

    A person who sends a request every second asks ZITADEL only once.
    """

    @renewed_after_fork
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[Hashable, tuple[float, Why]] = {}
        self._changes = 0

    def clear(self) -> None:
        """Forget all, since something was changed; also what is being found out now."""
        with self._lock:
            self._changes += 1
            self._found.clear()

    def get(self, key: Hashable, explain: Callable[[], Why], *, anew: bool = False) -> Why:
        """Return what was found, or find it out and keep it; ``anew``: find it out in any case."""
        began = self._clock()
        with self._lock:
            changes, (found_at, why) = self._changes, self._found.get(key, (-math.inf, None))
        if not anew and began < found_at + KEPT_SECONDS:
            return why
        why = explain()
        with self._lock:
            if changes == self._changes:
                if len(self._found) >= MOST_EXPLANATIONS:
                    self._found.clear()
                self._found[key] = began, why
        return why


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
