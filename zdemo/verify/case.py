"""A case: one question to an API, what its answer must be, why, and how to fix an API that answers otherwise."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any

GUARDED, UNKNOWN, ACCEPTS = "safe.no_token", "safe.unknown", "correct.accepts"  # the cases that others build on
ROLES = ("safe.role_missing", "safe.scope_is_no_role")  # all other cases about roles build on these

OF_THE_API = ("correct.malformed", "polite.two_ways", "polite.body", "polite.cached_refusal", "polite.preflight")
# those that no proxy must pass, but the API behind it


class Group(StrEnum):
    """What a case is about; the value is the beginning of its ID."""

    SAFE = "safe"
    PROXY = "proxy"  # what reaches the backend behind a proxy: asked with --backend alone
    CORRECT = "correct"
    ROBUST = "robust"
    POLITE = "polite"
    MCP = "mcp"  # access to an MCP server: asked with --mcp, and then nothing else
    HARDENING = "hardening"  # what ZITADEL never sends, or what only costs it: counts with --strict alone


class Needs(StrEnum):
    """What a case needs besides the API's address."""

    NOTHING = "nothing"
    EMULATOR = "emulator"  # users and tokens, faults, and answers that a ZITADEL never gives
    ROLE = "role"  # the same, and a path that requires a role


class Stage(IntEnum):
    """When a case is asked: those at the end look at the answers to the others."""

    FIRST = 0
    PLAIN = 1
    TIME = 2
    OUTAGE = 3
    AFTER_OUTAGES = 4
    LAST = 5


class Mark(StrEnum):
    """The outcome of a case."""

    PASS = "pass"  # noqa: S105  # not a password
    FAIL = "fail"
    HINT = "hint"  # a failure that does not count
    SKIP = "skip"  # the case does not apply, or something that it needs is missing
    UNASKED = "unasked"  # the time was up


@dataclass(frozen=True)
class Verdict:
    """A mark, and what was seen or why the case was skipped.

    ``says_all``: the words need no explanation; ``is_note``: they are worth reading although the case passed.
    """

    mark: Mark
    seen: str
    says_all: bool = False
    is_note: bool = False


def unless(problem: str, seen: str) -> Verdict:
    """Return the verdict that a problem makes, or a good one without a problem."""
    return Verdict(Mark.FAIL, problem) if problem else Verdict(Mark.PASS, seen)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question to the API, and how its answer is judged."""

    id: str
    asked: str  # completes "asked: …"
    must: str
    source: str
    fix: str
    ask: Callable[[Any], Any]  # takes the run, and returns what was seen
    judge: Callable[[Any], Verdict]  # judges only that: a pure function
    needs: Needs = Needs.EMULATOR
    stage: Stage = Stage.PLAIN
    basis: tuple[str, ...] | None = None  # the cases that it builds on, if ``needs`` does not tell

    @property
    def builds_on(self) -> tuple[str, ...]:
        """The IDs of cases that must have passed, since without them the answer says nothing."""
        if self.basis is not None:
            return self.basis
        if self.stage is Stage.LAST:
            return ()
        if self.needs is Needs.NOTHING:
            return (GUARDED,)
        return (GUARDED, UNKNOWN, ACCEPTS, *(ROLES if self.needs is Needs.ROLE else ()))

    @property
    def group(self) -> Group:
        """The group, which begins the ID."""
        return Group(self.id.partition(".")[0])


api_case = partial(Case, needs=Needs.NOTHING)
role_case = partial(Case, needs=Needs.ROLE)
final_case = partial(Case, needs=Needs.NOTHING, stage=Stage.LAST, ask=lambda run: run.api.replies)


@dataclass(frozen=True, kw_only=True)
class CaseReport:
    """A case, its verdict, and how long the question took."""

    case: Case
    verdict: Verdict
    seconds: float = 0.0

    @property
    def mark(self) -> Mark:
        """The outcome of the question."""
        return self.verdict.mark
