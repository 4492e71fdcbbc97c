"""The network checks, all derived from what the one request for discovery came to."""

import pytest

from zdemo.config.environment import Environment
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.checks.zitadel_checks import CHECKS
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.errors import ConnectionFailed, FailureKind, Phase
from zdemo.http.failure_messages import failed
from zdemo.response import Response

ORIGIN = "https://id.example"
ANSWER = Response(status=200, headers={}, body=b"{}", seconds=0.01, url=ORIGIN)


def outcomes(reply: Response | ConnectionFailed | None) -> list[str]:
    """Return the outcomes of net.resolve, net.connect, net.proxy and net.tls."""
    variables = {"ZITADEL_DOMAIN": ORIGIN, "CLIENT_ID": "1", "CLIENT_SECRET": "2"}
    context = DoctorContext()
    context.environment = Environment({"the environment": variables})
    context.__dict__["evidence"] = Evidence(replies={Probe.DISCOVERY: reply} if reply else {})
    return [check.examine(context).outcome.value for check in CHECKS[:4]]


@pytest.mark.parametrize(
    ("kind", "phase", "expected"),
    [
        (FailureKind.NAME_NOT_RESOLVED, Phase.ANSWER, ["fail", "pass", "skip", "skip"]),
        (FailureKind.TIMEOUT, Phase.NAME, ["fail", "pass", "skip", "skip"]),
        (FailureKind.TIMEOUT, Phase.CONNECTION, ["pass", "fail", "skip", "skip"]),
        (FailureKind.TIMEOUT, Phase.ANSWER, ["pass", "pass", "skip", "skip"]),
        (FailureKind.REFUSED, Phase.ANSWER, ["pass", "fail", "skip", "skip"]),
        (FailureKind.NO_ROUTE, Phase.ANSWER, ["pass", "fail", "skip", "skip"]),
        (FailureKind.CERTIFICATE_EXPIRED, Phase.ANSWER, ["pass", "pass", "skip", "fail"]),
        (FailureKind.BROKEN, Phase.ANSWER, ["pass", "pass", "skip", "skip"]),
    ],
)
def test_each_failure_belongs_to_one_check(kind: FailureKind, phase: Phase, expected: list[str]) -> None:
    assert outcomes(failed(kind, ORIGIN, "ZITADEL_DOMAIN", seconds=4, phase=phase)) == expected


def test_an_answer_passes_and_no_request_proves_nothing() -> None:
    assert outcomes(ANSWER) == ["pass", "pass", "skip", "pass"]
    assert outcomes(None)[:2] == ["skip", "skip"]
