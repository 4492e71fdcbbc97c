"""Repeat a call until another answer comes, or the expected one."""

import time
from collections.abc import Callable

from zdemo.cli.screen import Screen
from zdemo.client import Call
from zdemo.errors import ConnectionFailed, FailureKind, ZdemoError

SECONDS_BETWEEN = 0.25
PATIENCE_SECONDS = 600  # long enough for a change made elsewhere; a script must not hang forever
MAY_BE_STARTING = (FailureKind.REFUSED, FailureKind.HUNG_UP, FailureKind.TIMEOUT, FailureKind.NO_ROUTE)

Outcome = Call | ConnectionFailed


class Watch:
    """Repeats a call, and counts calls and seconds.

    It waits for the status ``expect``; without one, for an answer other than the first. It also waits
    for an API that does not answer. Before the first answer, only failures of a server that is not up yet count.
    """

    def __init__(
        self,
        screen: Screen,
        send: Callable[[], Call],
        *,
        expect: int | None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.calls = 0
        self.seconds = 0.0
        self._screen = screen
        self._send = send
        self._expect = expect
        self._patience_seconds = patience_seconds
        self._start = time.monotonic()
        self._first: Call | None = None  # the answer to the first call, if it had one
        self._has_answered = False

    def __str__(self) -> str:
        """Return when the last outcome came."""
        return f"after {self.seconds:.1f} s, {self.calls} call{'' if self.calls == 1 else 's'}"

    def until_there(self, show: Callable[[Call], None]) -> Call:
        """Return the awaited answer; ``show`` the one before. Raises ZdemoError when the patience is over."""
        outcome = self._next()
        if awaited := self._awaited(outcome):
            return awaited
        if isinstance(outcome, Call):
            self._first = outcome
            show(outcome)
        else:
            self._screen.tell(f"no answer: {outcome.message}")
        what = self._expect or ("another answer" if self._first else "an answer")
        minutes = f"{self._patience_seconds / 60:g} minutes"
        try:
            self._screen.tell(f"waiting for {what}, at most {minutes} (Ctrl-C ends it)")
            while not (awaited := self._awaited(outcome := self._changed(outcome))):
                self._screen.tell(self._line(outcome))
        except KeyboardInterrupt:
            self._screen.tell(f"{_name(outcome)} {self}; {what} did not come")
            raise
        return awaited

    def _next(self) -> Outcome:
        self.calls += 1
        try:
            answer = self._send()
        except ConnectionFailed as failure:
            if not self._has_answered and failure.kind not in MAY_BE_STARTING:
                raise
            return failure
        finally:
            self.seconds = time.monotonic() - self._start
        self._has_answered = True
        return answer

    def _changed(self, before: Outcome) -> Outcome:
        """Repeat the call until its outcome is another one."""
        with self._screen.waiting(self._line(before)) as show:
            while time.monotonic() - self._start < self._patience_seconds:
                time.sleep(SECONDS_BETWEEN)
                outcome = self._next()
                if _decisive(outcome) != _decisive(before):
                    return outcome
                show(f"{_name(outcome)} {self}")
        raise self._given_up(before)

    def _awaited(self, outcome: Outcome) -> Call | None:
        """Return the outcome if it is what the watch waits for."""
        if not isinstance(outcome, Call):
            return None
        if self._expect is not None:
            there = outcome.answer.status == self._expect
        else:
            there = self.calls > 1 and (self._first is None or outcome.decisive != self._first.decisive)
        return outcome if there else None

    def _line(self, outcome: Outcome) -> str:
        why = f": {outcome.message}" if isinstance(outcome, ConnectionFailed) else ""
        return f"{_name(outcome)} {self}{why}"

    def _given_up(self, outcome: Outcome) -> ZdemoError:
        if isinstance(outcome, ConnectionFailed):
            return ConnectionFailed(
                f"no answer {self}: {outcome.message}", hint=outcome.hint, kind=outcome.kind, origin=outcome.origin
            )
        status = outcome.answer.status
        if self._expect is None:
            still = f"the answer is still {status}"
            hint = (
                "if it changed before you began to watch, use --expect STATUS, which ends as soon as that status comes"
            )
        else:
            still = f"the status {self._expect} did not come, it is {status}"
            hint = "zdemo introspect shows what ZITADEL says; an API follows within its ZDEMO_CACHE_TTL"
        return ZdemoError(f"{still} {self}", hint=hint)


def _decisive(outcome: Outcome) -> object:
    return outcome.decisive if isinstance(outcome, Call) else outcome.kind


def _name(outcome: Outcome) -> str:
    if isinstance(outcome, ConnectionFailed):
        return "no answer"
    code = outcome.challenge.error if outcome.challenge else ""
    return f"{outcome.answer.status} {code}".strip()
