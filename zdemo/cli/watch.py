"""Repeat a call until another answer comes, or the expected one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zdemo.cli.screen import Screen
from zdemo.errors import ConnectionFailed, FailureKind, ZdemoError
from zdemo.errors.steps import Command
from zdemo.http.api_call import Call

SECONDS_BETWEEN = 0.25
PATIENCE_SECONDS = 600  # long enough for a change made elsewhere; a script must not hang forever
MAY_BE_STARTING = (FailureKind.REFUSED, FailureKind.HUNG_UP, FailureKind.TIMEOUT, FailureKind.NO_ROUTE)

Outcome = Call | ConnectionFailed


@dataclass
class Watch:
    """Repeats a call until the status ``expect`` comes, or without one, until the answer changes."""

    screen: Screen
    send: Callable[[], Call]
    expect: int | None
    is_final: Callable[[Call], bool] = lambda _: False  # whether no later answer can accept the token
    patience_seconds: float = PATIENCE_SECONDS
    calls: int = 0
    seconds: float = 0.0  # from the start to the last outcome
    _start: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"after {self.seconds:.1f} s, {self.calls} call{'' if self.calls == 1 else 's'}"

    def until_there(self, show: Callable[[Call], None]) -> Call:
        """Return the awaited answer; ``show`` the one before. Raises ZdemoError when the patience is over."""
        outcome = first = self._next()
        if not isinstance(first, Call):
            self.screen.tell(f"no answer: {first.message}")
        elif first.answer.status != self.expect and not self.is_final(first):
            show(first)
        else:
            return first
        what = self.expect or ("another answer" if isinstance(first, Call) else "an answer")
        self.screen.tell(f"waiting for {what}, at most {self.patience_seconds / 60:g} minutes (Ctrl-C ends it)")
        while True:
            outcome = self._changed(outcome)
            is_other = self.expect is None and _decisive(outcome) != _decisive(first)
            is_awaited = isinstance(outcome, Call) and (is_other or outcome.answer.status == self.expect)
            if isinstance(outcome, Call) and (is_awaited or self.is_final(outcome)):
                return outcome
            self.screen.tell(self._line(outcome))

    def _next(self) -> Outcome:
        self.calls += 1
        try:
            return self.send()
        except ConnectionFailed as failure:
            if failure.kind not in MAY_BE_STARTING:
                raise
            return failure
        finally:
            self.seconds = time.monotonic() - self._start

    def _changed(self, before: Outcome) -> Outcome:
        """Repeat the call until its outcome is another one."""
        with self.screen.waiting(self._line(before)) as show:
            while time.monotonic() - self._start < self.patience_seconds:
                time.sleep(SECONDS_BETWEEN)
                outcome = self._next()
                if _decisive(outcome) != _decisive(before):
                    return outcome
                show(self._line(outcome))
        if isinstance(before, ConnectionFailed):
            raise ConnectionFailed(self._line(before), hint=before.steps, kind=before.kind)
        what = f"the status {self.expect} did not come: " if self.expect else "the answer did not change: "
        raise ZdemoError(f"{what}{self._line(before)}", hint=Command("introspect", does="shows what ZITADEL says"))

    def _line(self, outcome: Outcome) -> str:
        if isinstance(outcome, ConnectionFailed):
            return f"no answer {self}: {outcome.message}"
        code = f" {outcome.challenge.error}" if outcome.challenge and outcome.challenge.error else ""
        return f"{outcome.answer.status}{code} {self}"


def _decisive(outcome: Outcome) -> object:
    """Return by what two outcomes are compared."""
    return (outcome.answer.status, outcome.challenge) if isinstance(outcome, Call) else outcome.kind
