"""Workers that share answers in a real store, on clocks that a test moves."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.support.apis import settings_for
from tests.support.introspector_doubles import ACTIVE
from zdemo.config.settings import Settings
from zdemo.guard.instruments import running_clock
from zdemo.guard.protection import ProtectedIntrospector
from zdemo.guard.shared.answers import SharedAnswers, SharedIntrospector
from zdemo.guard.shared.redis_store import RedisStore
from zdemo.guard.shared.sealing import Sealer
from zdemo.zitadel.introspection_answer import Introspection

TTL = 60.0
TIMEOUT = 5.0
OPERATION_SECONDS = 2.0  # of a test on a busy machine
LISTEN_SECONDS = 0.02  # after which a worker may end
A_TOKEN = "a-token"
SETTINGS = settings_for("https://acme.example")


@dataclass(kw_only=True)
class Worker:
    """One worker and its ZITADEL: ``outcome`` is its answer, ``meanwhile`` runs while it is asked.

    ``ahead`` is how many seconds its clocks are ahead; ``sleeps`` has how long it has waited for others.
    """

    answers: SharedAnswers = field(init=False)
    ahead: float = 0.0
    outcome: Introspection | Exception = ACTIVE
    meanwhile: Callable[[], object] = bool
    on_sleep: Callable[[], object] = bool
    asked: list[str] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)

    def now(self) -> float:
        return running_clock() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.ahead += seconds
        self.on_sleep()

    def introspect(self, token: str, *, known: bool, deadline: float | None = None) -> Introspection:  # noqa: ARG002  # the protocol
        self.asked.append(token)
        self.deadlines.append(deadline or 0.0)
        self.meanwhile()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def ask(self, token: str = A_TOKEN) -> Introspection:
        zitadel = cast(ProtectedIntrospector, self)
        shared = SharedIntrospector(
            inner=zitadel, answers=self.answers, timeout_seconds=TIMEOUT, clock=self.now, sleep=self.sleep
        )
        return shared.introspect(token, known=False)


@contextmanager
def worker(url: str, *, settings: Settings = SETTINGS) -> Iterator[Worker]:
    sharer = Worker()
    sharer.answers = SharedAnswers(
        store=RedisStore(url=url, operation_seconds=OPERATION_SECONDS, clock=sharer.now),
        sealer=Sealer(settings),
        ttl_seconds=TTL,
        listen_seconds=LISTEN_SECONDS,
        clock=sharer.now,
        wall_clock=lambda: time.time() + sharer.ahead,
    )
    with closing(sharer.answers):
        yield sharer
