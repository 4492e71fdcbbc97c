"""Workers that share answers in a real store, on clocks that a test moves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.apis import THREADS, settings_for
from tests.support.introspector_doubles import ACTIVE
from zdemo.config.cache_address import cache_address
from zdemo.config.settings import Settings
from zdemo.introspection.build import Limits, protected
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.clock import running_clock
from zdemo.introspection.counters import Counters
from zdemo.introspection.model import Introspection
from zdemo.introspection.shared.answers import SharedAnswers
from zdemo.introspection.shared.build import shared_answers
from zdemo.introspection.shared.guarded_store import GuardedStore
from zdemo.introspection.shared.introspector import SharedIntrospector
from zdemo.introspection.shared.link import Links
from zdemo.introspection.shared.redis_store import Look, RedisStore
from zdemo.introspection.shared.sealing import LARGEST_VALUE_BYTES, Sealer

TTL = 60.0
TIMEOUT = 5.0
OPERATION_SECONDS = 2.0  # of a test on a busy machine
LISTEN_SECONDS = 0.1  # after which a worker may end
A_TOKEN = "a-token"


@dataclass
class Clocks:
    """How many seconds the clocks of a worker, of its ZITADEL and of the store as it sees it are ahead."""

    running: float = 0.0
    wall: float = 0.0
    zitadel: float = 0.0
    store: float = 0.0

    def pass_time(self, seconds: float) -> None:
        """Move all of them."""
        self.running += seconds
        self.wall += seconds
        self.zitadel += seconds
        self.store += seconds


class ShiftedStore(RedisStore):
    """A store whose clock shows another time."""

    def __init__(self, links: Links, clocks: Clocks, **others: Any) -> None:
        super().__init__(links, clock=lambda: running_clock() + clocks.running, **others)
        self._clocks = clocks

    def look(self, *arguments: Any, **others: Any) -> Look:
        look = super().look(*arguments, **others)
        return replace(look, now=look.now + self._clocks.store)

    def time(self) -> float:
        return super().time() + self._clocks.store


@dataclass(kw_only=True)
class Zitadel:
    """What ZITADEL answers to one worker; ``asked`` has the tokens. ``meanwhile`` runs while it is being asked."""

    clocks: Clocks
    outcome: Introspection | Exception = ACTIVE
    meanwhile: Callable[[], object] | None = None
    asked: list[str] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    is_dated: bool = True

    def introspect(self, token: str, *, known: bool, deadline: float | None = None) -> Introspection:  # noqa: ARG002
        self.asked.append(token)
        self.deadlines.append(deadline or 0.0)
        if self.meanwhile:
            self.meanwhile()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return replace(self.outcome, dated_at=float(int(time.time() + self.clocks.zitadel)) if self.is_dated else None)


@dataclass(kw_only=True)
class Worker:
    """One worker. ``sleeps`` has how long it has waited for others, which passes on its running clock alone."""

    clocks: Clocks
    zitadel: Zitadel
    answers: SharedAnswers
    sleeps: list[float] = field(default_factory=list)
    on_sleep: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.introspector = SharedIntrospector(
            self.zitadel, self.answers, timeout_seconds=TIMEOUT, clock=self.now, sleep=self._sleep
        )

    def now(self) -> float:
        return running_clock() + self.clocks.running

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.clocks.running += seconds
        if self.on_sleep:
            self.on_sleep()

    def ask(self, token: str = A_TOKEN) -> Introspection:
        return self.introspector.introspect(token, known=False)


@contextmanager
def sharing(settings: Settings) -> Iterator[CachingIntrospector]:
    """Yield an introspector as ``zdemo serve`` has it, with ``settings.cache_url``."""
    limits = Limits.of(THREADS)
    client = IntrospectionClient(settings, connections=limits.flights)
    counters = Counters()
    answers = shared_answers(settings, connections=limits.flights, counters=counters)
    try:
        yield protected(
            client,
            settings,
            limits,
            within=lambda token, seconds: client.introspect(token, timeout_seconds=seconds),
            shared=answers,
            counters=counters,
        )
    finally:
        answers.close()
        client.close()


@contextmanager
def worker(
    url: str, clocks: Clocks | None = None, *, ttl: float = TTL, settings: Settings | None = None
) -> Iterator[Worker]:
    """Run a worker for the block."""
    clocks = clocks or Clocks()
    address = cache_address(url)
    store = ShiftedStore(Links(address, most=8), clocks, seconds=OPERATION_SECONDS, largest_value=LARGEST_VALUE_BYTES)
    answers = SharedAnswers(
        GuardedStore(
            store,
            shown=address.shown,
            operation_seconds=OPERATION_SECONDS,
            clock=lambda: running_clock() + clocks.running,
        ),
        Sealer(settings or settings_for("https://acme.example")),
        ttl_seconds=ttl,
        listen_seconds=LISTEN_SECONDS,
        clock=lambda: running_clock() + clocks.running,
        wall_clock=lambda: time.time() + clocks.wall,
    )
    try:
        yield Worker(clocks=clocks, zitadel=Zitadel(clocks=clocks), answers=answers)
    finally:
        answers.close()
