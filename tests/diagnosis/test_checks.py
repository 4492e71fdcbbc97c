"""How checks run: their order, what they build on, and what is skipped. ``tests/test_docs.py`` compares their IDs."""

import pytest

from zdemo.config.environment import Environment
from zdemo.diagnosis.checks import CHECKS, zitadel_checks
from zdemo.diagnosis.checks.check import Check, examine, failed, nothing_to_check, passed, selected, skipped, warned
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, Outcome
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.response import Response
from zdemo.http.failure_messages import failed as connection_failed
from zdemo.verify.conformance import API_CHECKS


def check(name: str, result: Finding, *needs: str) -> Check[list[str]]:
    def examine_it(seen: list[str]) -> Finding:
        seen.append(name)
        return result

    return Check(id=name, what=name, needs=needs, examine=examine_it)


def outcomes(*checks: Check[list[str]], wanted: tuple[str, ...] = ()) -> dict[str, tuple[Outcome, str]]:
    return {done.id: (done.result.outcome, done.result.cause) for done in examine(checks, [], wanted)}


@pytest.mark.parametrize("checks", [CHECKS, API_CHECKS])
def test_what_a_check_builds_on_comes_before_it(checks: tuple[Check[object], ...]) -> None:
    before: set[str] = set()
    for current in checks:
        assert set(current.needs) <= before
        assert current.id not in before
        before.add(current.id)


@pytest.mark.parametrize(
    ("ground", "stops"),
    [
        (failed("no"), True),
        (skipped("not set"), True),
        (passed("yes"), False),
        (warned("hm", "do"), False),
        (nothing_to_check("no proxy"), False),
    ],
)
def test_what_failed_or_could_not_be_done_stops_what_builds_on_it(ground: Finding, stops: bool) -> None:
    came = outcomes(check("a", ground), check("b", passed("yes"), "a"), check("c", passed("yes"), "b"))
    skipped_for = {"b": (Outcome.SKIP, "needs a"), "c": (Outcome.SKIP, "needs b")}
    done = dict.fromkeys("bc", (Outcome.PASS, "yes"))
    assert came == {"a": (ground.outcome, ground.cause)} | (skipped_for if stops else done)


def test_only_requested_checks_and_those_they_build_on_are_examined() -> None:
    seen: list[str] = []
    checks = (check("a", passed("")), check("b", passed("")), check("c", passed(""), "a"))
    done = list(examine(checks, seen, ("c",)))
    assert seen == ["a", "c"]
    assert [report.id for report in done if report.worth_showing] == ["c"]
    assert [report.id for report in selected(checks, ("c",))] == ["a", "c"]
    failing = (check("a", failed("no")), check("c", passed(""), "a"))
    assert [report.id for report in examine(failing, [], ("c",)) if report.worth_showing] == ["a", "c"], (
        "the ground failed"
    )


# The network checks: all derived from what the one request for discovery came to

ORIGIN = "https://id.example"
ANSWER = Response(status=200, headers={}, body=b"{}", seconds=0.01, url=ORIGIN)


def network_outcomes(reply: Response | ConnectionFailed | None) -> list[str]:
    """Return the outcomes of net.resolve, net.connect, net.proxy and net.tls."""
    variables = {"ZITADEL_DOMAIN": ORIGIN, "CLIENT_ID": "1", "CLIENT_SECRET": "2"}
    context = DoctorContext()
    context.environment = Environment({"the environment": variables})
    context.__dict__["evidence"] = Evidence(replies={Probe.DISCOVERY: reply} if reply else {})
    return [check.examine(context).outcome.value for check in zitadel_checks.CHECKS[:4]]


@pytest.mark.parametrize(
    ("kind", "connecting", "expected"),
    [
        (FailureKind.NAME_NOT_RESOLVED, False, ["fail", "pass", "skip", "skip"]),
        (FailureKind.TIMEOUT, True, ["pass", "fail", "skip", "skip"]),
        (FailureKind.TIMEOUT, False, ["pass", "pass", "skip", "skip"]),
        (FailureKind.REFUSED, False, ["pass", "fail", "skip", "skip"]),
        (FailureKind.NO_ROUTE, False, ["pass", "fail", "skip", "skip"]),
        (FailureKind.CERTIFICATE_EXPIRED, False, ["pass", "pass", "skip", "fail"]),
        (FailureKind.BROKEN, False, ["pass", "pass", "skip", "skip"]),
    ],
)
def test_each_failure_belongs_to_one_check(kind: FailureKind, connecting: bool, expected: list[str]) -> None:
    failure = connection_failed(kind, ORIGIN, "ZITADEL_DOMAIN", seconds=4, connecting=connecting)
    assert network_outcomes(failure) == expected


def test_an_answer_passes_and_no_request_proves_nothing() -> None:
    assert network_outcomes(ANSWER) == ["pass", "pass", "skip", "pass"]
    assert network_outcomes(None)[:2] == ["skip", "skip"]
