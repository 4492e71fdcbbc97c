"""Where the tour takes place, and how one goes through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from zdemo.client import call_api
from zdemo.config.settings import ClientSettings
from zdemo.demo.scenario import Caller, First, Leg, Step

CACHE_SECONDS = 1.0  # short, since the tour waits for it to pass; the default is 5
POLL_SECONDS = 0.05
ROLE = "read:messages"
NOBODYS_TOKEN = "not-a-token-that-anyone-has-issued"  # noqa: S105  # as it says


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A ZITADEL and the API in front of it, while the tour runs.

    ``acts``: how what a leg demands is done here. ``patience_seconds``: how long a change may take to reach the API.
    """

    zitadel: str
    api_url: str
    legs: tuple[Leg, ...]
    tokens: Mapping[Caller, str] = field(repr=False)
    acts: Mapping[First, Callable[[], object]]
    timeout_seconds: float
    patience_seconds: float

    def steps(self) -> Iterator[Step]:
        """The tour, step by step; each is done when it is asked for."""
        for leg in self.legs:
            if leg.first is not First.NOTHING:
                self.acts[leg.first]()
            yield self._step(leg)

    def _step(self, leg: Leg) -> Step:
        """Send the request; after a change again and again until the expected answer comes, or patience ends."""
        client = ClientSettings(api_url=self.api_url, timeout_seconds=self.timeout_seconds)
        start = time.monotonic()
        while True:
            status = call_api(client, leg.route, self.tokens.get(leg.caller)).answer.status
            waited = time.monotonic() - start
            if status == leg.expected or leg.first is First.NOTHING or waited > self.patience_seconds:
                return Step(leg=leg, actual=status, seconds=None if leg.first is First.NOTHING else waited)
            time.sleep(POLL_SECONDS)
