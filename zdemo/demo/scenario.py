"""The scenario as data: each step is a change, if any, one request, and the expected status; and how it is run."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from zdemo.config.settings import ClientSettings
from zdemo.errors import IntrospectionError
from zdemo.http.api_call import Call, call_api
from zdemo.http.example_api import Route
from zdemo.text.masking import masked
from zdemo.zitadel.introspection_answer import Introspection, Introspector

CACHE_SECONDS = 1.0  # short, since the demo waits for it to pass; the default is 5
POLL_SECONDS = 0.05
UNKNOWN_TOKEN = "not-a-token-that-anyone-has-issued"  # noqa: S105  # never valid


class DemoChange(Enum):
    """What is done before a request is sent."""

    REVOKE = "role revoked from reader"
    GRANT = "role granted to reader again"
    DELETE = "reader's PAT deleted"
    DISCONNECT = "ZITADEL out of reach"
    RECONNECT = "ZITADEL in reach again"


class Caller(Enum):
    """Whose token is sent."""

    ANONYMOUS = "no token"
    READER = "reader's PAT"
    VISITOR = "visitor's PAT"
    UNKNOWN = "unknown token"


@dataclass(frozen=True)
class Step:
    """A step as it is planned; ``why`` is one sentence about the expected status."""

    expected: int
    route: Route
    caller: Caller
    why: str
    change: DemoChange | None = None

    @property
    def name(self) -> str:
        """What is new in the step."""
        return f"{(self.change or self.caller).value}, {self.route} route"


# a question of the API to ZITADEL by its masked token, and its answer: an introspection, or why there is none
Introspected = tuple[str, Introspection | IntrospectionError]


class RecordingIntrospector:
    """An introspector that keeps the answers of the ``current`` one."""

    def __init__(self, current: Introspector) -> None:
        self.current = current
        self.exchanges: list[Introspected] = []

    def introspect(self, token: str) -> Introspection:
        """Ask the current one."""
        try:
            answer = self.current.introspect(token)
        except IntrospectionError as error:
            self.exchanges.append((masked(token), error.copy()))
            raise
        self.exchanges.append((masked(token), answer))
        return answer


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The result of a step. ``seconds`` is how long the expected status took to come, after a change.

    ``call`` is the last request, with its masked ``token``; ``introspections`` is what API and ZITADEL said to each
    other meanwhile. ``reason`` is why the emulator called the token inactive, which ZITADEL never says.
    """

    step: Step
    actual: int
    seconds: float | None
    call: Call | None = None
    token: str = ""
    introspections: tuple[Introspected, ...] = ()
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the status is the expected one."""
        return self.actual == self.step.expected


class Interrupted(KeyboardInterrupt):
    """A signal, whose number is the argument, that asks the program to end."""


@dataclass(frozen=True, kw_only=True)
class DemoEnvironment:
    """A ZITADEL and the API in front of it, while the demo runs.

    ``changes``: how each change is made here. ``patience_seconds``: how long one may take to reach the API.
    ``introspector`` is what the API asks. ``reason`` returns why the last token was inactive, where that is known.
    ``check`` is called between requests, and raises to end the demo.
    """

    zitadel: str
    api_url: str
    tokens: Mapping[Caller, str] = field(repr=False)
    changes: Mapping[DemoChange, Callable[[], object]]
    timeout_seconds: float
    patience_seconds: float
    introspector: RecordingIntrospector
    reason: Callable[[], str] = lambda: ""
    check: Callable[[], None] = lambda: None

    def run(self) -> Iterator[StepResult]:
        """Yield the result of each step; a step is done when its result is asked for."""
        for step in STEPS:
            self.check()
            if step.change:
                self.changes[step.change]()
            yield self._result(step)

    def _result(self, step: Step) -> StepResult:
        """Send the request; after a change, repeat it until the expected status comes or patience ends."""
        client = ClientSettings(api_url=self.api_url, timeout_seconds=self.timeout_seconds)
        token = UNKNOWN_TOKEN if step.caller is Caller.UNKNOWN else self.tokens.get(step.caller)
        start = time.monotonic()
        while True:
            self.introspector.exchanges.clear()
            call = call_api(client, step.route, token)
            status, waited = call.answer.status, time.monotonic() - start
            if status == step.expected or step.change is None or waited > self.patience_seconds:
                break
            self.check()
            time.sleep(POLL_SECONDS)
        exchanges = tuple(self.introspector.exchanges)
        is_inactive = any(isinstance(answer, Introspection) and not answer.active for _, answer in exchanges)
        return StepResult(
            step=step,
            actual=status,
            seconds=waited if step.change else None,
            call=call,
            token=masked(token) if token else "",
            introspections=exchanges,
            reason=self.reason() if is_inactive else "",
        )


STEPS = (
    Step(200, Route.PUBLIC, Caller.ANONYMOUS, "open to anyone; ZITADEL is not asked"),
    Step(401, Route.PRIVATE, Caller.ANONYMOUS, "no token was sent"),
    Step(200, Route.PRIVATE, Caller.READER, "ZITADEL says that the token is active"),
    Step(401, Route.SCOPED, Caller.VISITOR, "active, but the role read:messages is missing"),
    Step(200, Route.SCOPED, Caller.READER, "ZITADEL's answer has the role read:messages"),
    Step(401, Route.SCOPED, Caller.READER, "the role is gone; answers are kept for 1 s here", DemoChange.REVOKE),
    Step(200, Route.SCOPED, Caller.READER, "roles are in the answer, not in the token", DemoChange.GRANT),
    Step(401, Route.PRIVATE, Caller.READER, "the token is not active", DemoChange.DELETE),
    Step(401, Route.PRIVATE, Caller.UNKNOWN, "not active either: ZITADEL never says why"),
    Step(503, Route.PRIVATE, Caller.VISITOR, "refused: the API cannot check the token", DemoChange.DISCONNECT),
    Step(200, Route.PRIVATE, Caller.VISITOR, "the API recovers by itself", DemoChange.RECONNECT),
)
