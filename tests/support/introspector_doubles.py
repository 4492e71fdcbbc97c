"""Stand-ins for ZITADEL and for the clock, for tests of the introspectors that wrap others."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future, wait

from zdemo.errors import CredentialsRefused, UnusableAnswer, ZitadelUnavailable
from zdemo.zitadel.introspection_answer import Introspection

PATIENCE_SECONDS = 30.0  # only a test that fails waits this long

ACTIVE = Introspection(active=True, claims={"active": True, "sub": "1"})
INACTIVE = Introspection(active=False, claims={"active": False})


def unavailable() -> ZitadelUnavailable:
    return ZitadelUnavailable("ZITADEL does not answer", hint="look at it")


def refused() -> CredentialsRefused:
    return CredentialsRefused("ZITADEL refuses the credentials", hint="check CLIENT_ID and CLIENT_SECRET")


def unusable() -> UnusableAnswer:
    return UnusableAnswer("the answer is HTML", hint="check ZITADEL_DOMAIN")


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Scripted:
    """An introspector that answers at once with ``outcome``; ``asked`` has the tokens, ``known`` the known ones."""

    def __init__(self, outcome: Introspection | BaseException = ACTIVE) -> None:
        self.outcome = outcome
        self.asked: list[str] = []
        self.known: list[str] = []

    def introspect(self, token: str, *, known: bool = False) -> Introspection:
        self.asked.append(token)
        if known:
            self.known.append(token)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class Hanging:
    """An introspector that answers when the test says so; ``calls`` has one ``Future`` per call, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._let_go = False
        self.calls: list[Future[Introspection]] = []

    def introspect(self, token: str, *, known: bool = False) -> Introspection:  # noqa: ARG002  # the protocols
        call: Future[Introspection] = Future()
        with self._changed:
            self.calls.append(call)
            if self._let_go:
                call.set_exception(unavailable())
            self._changed.notify_all()
        return call.result(PATIENCE_SECONDS)

    def call(self, number: int) -> Future[Introspection]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) > number, PATIENCE_SECONDS)
            return self.calls[number]

    def let_go(self) -> None:
        with self._changed:
            self._let_go = True
            for call in self.calls:
                if not call.done():
                    call.set_exception(unavailable())


def errors_of(futures: Iterable[Future[Introspection]]) -> list[BaseException | None]:
    done, late = wait(list(futures), PATIENCE_SECONDS)
    assert not late
    return [future.exception() for future in done]
