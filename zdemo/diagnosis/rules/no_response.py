"""Why no response came from ZITADEL: the network, or a ZITADEL that hangs; its health checks tell them apart."""

from zdemo.diagnosis.evidence import Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.rule import Rule, rule, table
from zdemo.diagnosis.token_case import TokenCase
from zdemo.diagnosis.wording import health_lines
from zdemo.errors import FailureKind


def _not_connected(case: TokenCase) -> Finding | None:
    failure = case.failure
    if failure is None:  # ZITADEL was not asked: it did not answer a moment ago, or too much is asked at once
        return Finding(id="zitadel.unavailable", cause=str(case.error), fix=case.error.steps if case.error else ())
    if failure.kind is FailureKind.TIMEOUT:
        return None
    return Finding(id=f"net.{failure.kind}", cause=failure.message, fix=failure.steps)


@rule(Probe.HEALTH)
def _no_answer(case: TokenCase) -> Finding | None:
    if case.evidence.is_healthy or not case.failure:
        return None
    return Finding(id=f"net.{case.failure.kind}", cause=case.failure.message, fix=case.failure.steps)


@rule(Probe.READY)
def _hangs(case: TokenCase) -> Finding | None:
    if not case.evidence.is_ready or not case.error:
        return None
    return Finding(
        id="zitadel.hangs",
        cause=f"ZITADEL is alive and its database answers, but introspection does not: {case.error}",
        candidates=("a table of its database is locked", "it is overloaded", "a proxy holds back /oauth"),
        fix=("check ZITADEL's log and its database (locks, load), then try again", *case.error.steps),
    )


@rule(Probe.READY)
def _database_hangs(case: TokenCase) -> Finding:
    return Finding(
        id="zitadel.database_hangs",
        cause=f"ZITADEL is alive, but its database hangs: {case.error}, while its health check answers at once",
        likely=not case.evidence.timed_out(Probe.READY),
        fix=("check ZITADEL's database (PostgreSQL) and the network to it, then try again",),
    )


NETWORK: tuple[Rule[TokenCase], ...] = table(
    _not_connected,
    _no_answer,
    _hangs,
    _database_hangs,
    when=lambda case: case.error is not None and not case.has_answer,
    seen=lambda case: health_lines(case.evidence),
)
