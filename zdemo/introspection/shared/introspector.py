"""The introspector that shares: one worker of all asks ZITADEL about a token, and the others get its answer.

Who asks has a lease in the store. The others look again and again, at growing intervals. They take over when the lease
ends, and ask for themselves when they have waited for as long as a lease lasts. So whatever the store says, most of the
time is left for ZITADEL.
"""

import time
from collections.abc import Callable
from typing import Protocol

from zdemo.introspection.clock import running_clock
from zdemo.introspection.model import Introspection
from zdemo.introspection.shared.answers import Question, SharedAnswers
from zdemo.introspection.shared.redis_store import Look

LONGEST_LEASE_SECONDS = 1.5  # ZITADEL takes up to 1.36 s under load (p99)
LEASE_SHARE = 0.3  # of the timeout
FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.025
PAUSE_GROWTH = 1.25


class DeadlineIntrospector(Protocol):
    """An introspector whose caller may have waited already."""

    def introspect(self, token: str, *, known: bool, deadline: float | None = None) -> Introspection:
        """Do as a ``PriorityIntrospector`` does; ``deadline`` is on the running clock."""


class SharedIntrospector:
    """Looks into the store, and asks ``inner`` if it has no answer. Takes at most ``timeout_seconds``. Thread-safe."""

    def __init__(
        self,
        inner: DeadlineIntrospector,
        answers: SharedAnswers,
        *,
        timeout_seconds: float,
        clock: Callable[[], float] = running_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._answers = answers
        self._timeout_seconds = timeout_seconds
        self._lease_seconds = min(LONGEST_LEASE_SECONDS, LEASE_SHARE * timeout_seconds)
        self._clock = clock
        self._sleep = sleep

    def introspect(self, token: str, *, known: bool) -> Introspection:
        """Return the shared answer, or ZITADEL's."""
        began = self._clock()
        question = self._answers.question(token)
        look, answer = self._wait_for_turn(question, began + self._lease_seconds)
        if answer is not None:
            self._answers.count("shared_hits")
            return answer
        self._answers.count("shared_misses")
        deadline = began + self._timeout_seconds
        if look is None:
            return self._inner.introspect(token, known=known, deadline=deadline)
        deadline -= self._answers.operation_seconds  # to give the lease back, and the answer to the others
        try:
            answer = self._inner.introspect(token, known=known, deadline=deadline)
        finally:
            self._answers.end(question, look, answer)
        return answer

    def _wait_for_turn(self, question: Question, until: float) -> tuple[Look | None, Introspection | None]:
        """Return an answer, or that it is this caller's turn to ask; without a look if the store cannot be asked."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            rejected_before = question.rejected
            seen = self._answers.look(question, lease_seconds=self._lease_seconds)
            if seen is None:
                return None, None
            look, answer = seen
            if answer is not None or look.owner == question.owner:
                return look, answer
            if question.rejected and not rejected_before:
                continue  # the lease is free now, unless another has it
            if not look.owner or self._clock() >= until:
                return look, None  # a lease that none can take, or that never ends
            self._sleep(pause)
            pause = min(PAUSE_GROWTH * pause, LONGEST_PAUSE_SECONDS)
