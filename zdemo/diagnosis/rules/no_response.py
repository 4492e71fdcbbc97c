"""Why no response came from ZITADEL: the network, or a ZITADEL that hangs; its health checks tell them apart."""

from zdemo.diagnosis.evidence import Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.rule import Rule, rule, table
from zdemo.diagnosis.token_case import TokenCase
from zdemo.diagnosis.wording import health_lines
from zdemo.errors import FailureKind


def _timed_out(case: TokenCase) -> bool:
    return case.failure is not None and case.failure.kind is FailureKind.TIMEOUT


@rule()
def _unavailable(case: TokenCase) -> Finding | None:
    """ZITADEL was not asked, because it did not answer a moment ago, or too much is asked at once."""
    if case.failure is not None:
        return None
    return Finding(id="zitadel.unavailable", cause=str(case.error), fix=case.error.steps if case.error else ())


def _failed(case: TokenCase) -> Finding:
    failure = case.failure
    assert failure is not None  # noqa: S101  # else the first rule decides
    return Finding(id=f"net.{failure.kind}", cause=failure.message, fix=failure.steps)


@rule()
def _not_connected(case: TokenCase) -> Finding | None:
    return None if _timed_out(case) else _failed(case)


@rule(Probe.HEALTH)
def _no_answer(case: TokenCase) -> Finding | None:
    return None if case.evidence.is_healthy else _failed(case)


@rule(Probe.READY)
def _hangs(case: TokenCase) -> Finding | None:
    if not case.evidence.is_ready:
        return None
    return Finding(
        id="zitadel.hangs",
        cause=f"ZITADEL is alive and its database answers, but introspection does not: {case.error}",
        candidates=("a table of its database is locked", "it is overloaded", "a proxy holds back /oauth"),
        fix=("check ZITADEL's log and its database (locks, load), then try again", *_failed(case).fix),
    )


@rule(Probe.READY)
def _database_hangs(case: TokenCase) -> Finding | None:
    return Finding(
        id="zitadel.database_hangs",
        cause=f"ZITADEL is alive, but its database hangs: {case.error}, while its health check answers at once",
        likely=not case.evidence.timed_out(Probe.READY),
        fix=("check ZITADEL's database (PostgreSQL) and the network to it, then try again",),
    )


NETWORK: tuple[Rule[TokenCase], ...] = table(
    _unavailable,
    _not_connected,
    _no_answer,
    _hangs,
    _database_hangs,
    when=lambda case: case.error is not None and case.answer is None,
    seen=lambda case: health_lines(case.evidence),
)
