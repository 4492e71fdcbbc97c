"""A check, its result, and how checks run in order: a check is skipped if one that it needs has failed.

Checks are shown in groups; an ID without its own row in ``GROUPS`` belongs where the part before its dot does.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from zdemo.diagnosis.finding import Finding
from zdemo.errors import ZdemoError

TROUBLESHOOTING = "docs/troubleshooting.md"
S = TypeVar("S")

GROUPS = {
    "settings": "settings",
    "net": "network",
    "zitadel": "ZITADEL",
    "clock": "ZITADEL",
    "client": "credentials",
    "token": "token",
    "role": "role",
    "admin": "administrator",
    "cache": "cache",
    "api": "API",
    "api.no_token": "refusals",
    "api.other_scheme": "refusals",
    "api.malformed": "refusals",
    "api.too_long": "refusals",
    "api.garbage": "refusals",
    "api.scheme_case": "refusals",
    "api.query": "query",
    "api.both_ways": "query",
    "api.caching": "caching",
    "api.accepts": "acceptance",
}
VERDICTS = {  # of a check that failed or warned, where its result has no words of its own
    "settings.readable": ".env is not read, or only in part",
    "settings.complete": "not complete",
    "settings.shadowed": "one value hides another",
    "settings.wellformed": "a value looks wrong",
    "net.resolve": "the host name does not resolve",
    "net.connect": "no connection",
    "net.proxy": "the proxy lets nothing through",
    "net.tls": "no TLS connection",
    "zitadel.identity": "no answer from a ZITADEL",
    "zitadel.ready": "not ready",
    "zitadel.host": "no instance for this host",
    "zitadel.issuer": "has another address",
    "clock.skew": "clocks differ",
    "client.accepted": "not accepted",
    "client.kind": "another kind of client",
    "token.form": "does not look like a whole token",
    "token.active": "not active",
    "token.audience": "not for this API",
    "role.granted": "read:messages is missing",
    "admin.valid": "not valid",
    "admin.rights": "not enough permissions",
    "cache.reachable": "the store cannot be used",
    "cache.writable": "the store takes no answers",
    "api.reachable": "does not answer",
    "api.identity": "does not answer as zdemo serve does",
    "api.agrees": "disagrees with ZITADEL",
    "api.no_token": "no token",
    "api.other_scheme": "another scheme",
    "api.malformed": "a malformed header",
    "api.too_long": "a long token",
    "api.garbage": "a made-up token",
    "api.scheme_case": "bearer in small letters",
    "api.query": "a token in the query is read",
    "api.both_ways": "two tokens are not refused",
    "api.caching": "refusals may be cached",
    "api.accepts": "PAT is not accepted",
}
EXPLAINS = {  # warning: what it may be the cause of, as IDs or what stands before their dot
    "settings.readable": ("settings.complete", "client", "token"),
    "settings.shadowed": ("settings", "net", "zitadel", "client", "token", "role", "admin", "cache", "api"),
    "settings.wellformed": ("net", "zitadel", "client", "token", "role", "admin", "api.identity", "api.reachable"),
    "clock.skew": ("net.tls", "client", "token"),
    "client.kind": ("client.accepted",),
    "token.form": ("token.active",),
    "zitadel.host": ("zitadel.issuer", "client"),
}


class Outcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105  # not a password
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Result(Finding):
    """The result of a check: a finding, whose ``cause`` is the evidence where nothing is wrong.

    ``also`` are sentences about further faults of the same kind. ``satisfied``: a check that builds on this one makes
    sense. ``brief`` is what the line of its group says about it.
    """

    id: str = ""
    outcome: Outcome
    also: tuple[str, ...] = ()
    satisfied: bool = True
    brief: str = ""

    @property
    def text(self) -> str:
        """All of the evidence on one line."""
        return "; ".join((self.sentence, *self.also))


@dataclass(frozen=True)
class Check(Generic[S]):
    """One check of a subject.

    ``id`` is stable; ``what`` says in one line what is checked; ``needs`` are the checks that it builds on.
    """

    id: str
    what: str
    needs: tuple[str, ...]
    examine: Callable[[S], Result]

    @property
    def anchor(self) -> str:
        """Where the documentation explains it."""
        return f"{TROUBLESHOOTING}#{self.id}"


def group_of(check_id: str) -> str:
    """Return the group that a check belongs to."""
    return GROUPS.get(check_id) or GROUPS[check_id.partition(".")[0]]


def check(name: str, what: str, *needs: str) -> Callable[[Callable[[S], Result]], Check[S]]:
    """Make a check of the function below."""
    return partial(Check, name, what, needs)


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A check that ran or was skipped.

    ``requested``: it was asked for, and does not only support another check. ``blockers`` are the first checks on the
    way to it that were not satisfied: because of them it was skipped. ``seconds`` is how long it took.
    """

    id: str
    anchor: str
    result: Result
    requested: bool = True
    blockers: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def worth_showing(self) -> bool:
        """Whether it was requested, or is the reason why a requested one was skipped."""
        return self.requested or (not self.blockers and not self.result.satisfied)

    def explains(self, failure: "CheckReport") -> bool:
        """Return whether this warning may be the cause of a failure."""
        may = EXPLAINS.get(self.id, ())
        return self.result.outcome is Outcome.WARN and (failure.id in may or failure.id.partition(".")[0] in may)


def passed(evidence: str, *, brief: str = "") -> Result:
    """Return the result of a check that found nothing wrong."""
    return Result(outcome=Outcome.PASS, cause=evidence, brief=brief)


def warned(evidence: str, *fix: str, also: Sequence[str] = (), brief: str = "") -> Result:
    """Return the result for something that works, but may not be what was meant."""
    return Result(outcome=Outcome.WARN, cause=evidence, also=tuple(also), fix=fix, brief=brief)


def failed(evidence: str, *fix: str, also: Sequence[str] = (), otherwise: tuple[str, ...] = ()) -> Result:
    """Return the result for something that does not work."""
    return Result(outcome=Outcome.FAIL, cause=evidence, also=tuple(also), fix=fix, otherwise=otherwise, satisfied=False)


def failed_with(error: ZdemoError) -> Result:
    """Return the result for an error, with its hint as the fix."""
    return failed(error.message, error.hint)


def nothing_to_check(why: str) -> Result:
    """Return the result of a check that does not apply; checks that build on it still run."""
    return Result(outcome=Outcome.SKIP, cause=why)


def skipped(why: str, *, brief: str = "") -> Result:
    """Return the result of a check that could not run, so that those that build on it cannot either."""
    return Result(outcome=Outcome.SKIP, cause=why, satisfied=False, brief=brief)


def from_finding(finding: Finding, outcome: Outcome = Outcome.FAIL) -> Result:
    """Return a finding of the diagnosis as the result of a check."""
    return Result(**vars(finding), outcome=outcome, satisfied=outcome is not Outcome.FAIL)


def required(checks: Sequence[Check[S]], requested: Collection[str]) -> set[str]:
    """Return the IDs of the requested checks and of all that they build on."""
    names = set(requested)
    for check in reversed(checks):  # what a check builds on comes before it
        if check.id in names:
            names.update(check.needs)
    return names


def selected(checks: Sequence[Check[S]], requested: Collection[str] = ()) -> list[Check[S]]:
    """Return the requested checks and those that they build on, in order; all of them when none is requested."""
    names = required(checks, requested) if requested else {check.id for check in checks}
    return [check for check in checks if check.id in names]


def examine(checks: Sequence[Check[S]], subject: S, requested: Collection[str] = ()) -> Iterator[CheckReport]:
    """Run the selected checks, each when the next report is asked for.

    An error that a check does not expect, such as an unusable CA bundle, makes it fail.
    """
    blockers: dict[str, tuple[str, ...]] = {}  # of each check that was not satisfied; its own if it ran
    for check in selected(checks, requested):
        started = time.monotonic()
        missing = [name for name in check.needs if name in blockers]
        try:
            result = skipped(f"needs {' and '.join(missing)}") if missing else check.examine(subject)
        except ZdemoError as error:
            result = failed_with(error)
        if not result.satisfied:
            roots = dict.fromkeys(root for name in missing for root in blockers[name])
            blockers[check.id] = tuple(roots) or (check.id,)
        yield CheckReport(
            id=check.id,
            anchor=check.anchor,
            result=result,
            requested=not requested or check.id in requested,
            blockers=blockers[check.id] if missing else (),
            seconds=time.monotonic() - started,
        )


def outcome_of(reports: Sequence[CheckReport]) -> Outcome:
    """Return the outcome of a group: the worst of its checks; one that could not run is worse than one that passed."""
    outcomes = {report.result.outcome for report in reports}
    for outcome in (Outcome.FAIL, Outcome.WARN):
        if outcome in outcomes:
            return outcome
    if any(not report.result.satisfied for report in reports):
        return Outcome.SKIP
    return Outcome.PASS if Outcome.PASS in outcomes else Outcome.SKIP


def line_of(reports: Sequence[CheckReport]) -> str:
    """Return what the line of a group says of its checks."""
    outcome = outcome_of(reports)
    with_it = [report for report in reports if report.result.outcome is outcome]
    if outcome in (Outcome.FAIL, Outcome.WARN):
        return ", ".join(report.result.brief or VERDICTS[report.id] for report in with_it)
    if outcome is Outcome.SKIP:
        with_it.sort(key=lambda report: report.result.satisfied)
        if with_it[0].blockers:
            return f"needs {' and '.join(dict.fromkeys(map(group_of, with_it[0].blockers)))}"
    briefs = [report.result.brief for report in with_it if report.result.brief]
    return ", ".join(briefs) if briefs and outcome is Outcome.PASS else (*briefs, with_it[0].result.text)[0]
