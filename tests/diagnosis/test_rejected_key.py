"""Why ZITADEL refuses an application's key: the clock, the issuer, or what only an administrator can see."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.config.test_key_file import CLIENT_ID, KEY_ID, content
from tests.diagnosis.test_unusable_response import ORIGIN, UNAUTHORIZED, answer
from tests.support.key_site import settings_for
from zdemo.config.key_file import application_key
from zdemo.diagnosis import Certainty, Evidence, Finding, Probe, finding_for_error
from zdemo.http.response import Response
from zdemo.introspection.refusals import answer_error

SETTINGS = settings_for(ORIGIN, application_key(content()))
DISCOVERED = {Probe.DISCOVERY: answer(200, {"issuer": ORIGIN})}


def refused(ahead: float | None = None, replies: Mapping[Probe, Response] = DISCOVERED, status: int = 400) -> Finding:
    error = answer_error(answer(status, UNAUTHORIZED), with_key=True)
    finding = finding_for_error(error, SETTINGS, Evidence(replies=replies, clock_ahead_seconds=ahead))
    assert "PRIVATE" not in str(finding)
    assert "CLIENT_SECRET" not in str(finding)
    assert finding.fix
    return finding


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(62, "62 s ahead of ZITADEL"), (4000, "future"), (-600, "600 s behind ZITADEL"), (-90_000, "expired")],
)
def test_a_clock_that_is_too_far_off_for_any_assertion_is_the_cause(ahead: float, words: str) -> None:
    finding = refused(ahead)
    assert (finding.id, finding.certainty) == ("clock.skewed", Certainty.LIKELY)
    assert words in finding.cause
    assert "NTP" in finding.fix[0]


@pytest.mark.parametrize(("ahead", "named"), [(30, True), (-300, True), (2, False), (0, False), (None, False)])
def test_a_clock_that_is_off_by_less_is_a_candidate(ahead: float | None, named: bool) -> None:
    finding = refused(ahead)
    assert (finding.id, finding.certainty) == ("client.key_refused", Certainty.OPEN)
    assert ("clock" in str(finding)) is named
    assert finding.candidates[0].startswith("this machine's clock") is named


@pytest.mark.parametrize("issuer", ["https://127.0.0.1:8080", ORIGIN + "/", "http://localhost:8080"])
def test_another_issuer_is_certainly_the_cause(issuer: str) -> None:
    finding = refused(replies={Probe.DISCOVERY: answer(200, {"issuer": issuer})})
    assert (finding.id, finding.certainty) == ("client.issuer_differs", Certainty.CERTAIN)
    for text in (issuer, ORIGIN):
        assert text in finding.cause
    assert finding.fix[0].startswith(f"ZITADEL_DOMAIN={issuer}")


@pytest.mark.parametrize("page", [answer(404, "404 page not found"), answer(200, "<html>"), answer(200, {"issuer": 1})])
def test_a_discovery_that_is_none_says_nothing(page: Response) -> None:
    assert refused(replies={Probe.DISCOVERY: page}).id == "client.key_refused"


def test_what_cannot_be_told_apart_stays_open_with_all_candidates() -> None:
    finding = refused()
    said = " ".join(finding.candidates)
    for word in ("deleted", "expired", "inactive", "another ZITADEL", "recreated", "clientId or keyId"):
        assert word in said
    for text in (CLIENT_ID, KEY_ID, "ZITADEL_KEY_FILE"):
        assert text in " ".join(finding.fix)


def test_everything_refused_makes_another_zitadel_the_first_candidate() -> None:
    finding = refused(replies={Probe.USERINFO: answer(401, {"error": "access_denied"})})
    assert "another ZITADEL" in finding.candidates[0]


def test_a_key_that_works_for_another_text_is_not_blamed() -> None:
    finding = refused(replies={Probe.RANDOM_TOKEN: answer(200, {"active": False})})
    assert finding.id == "zitadel.filtered"


def test_a_server_that_refuses_as_zitadel_never_does_is_told_of_the_key_file() -> None:
    assert "ZITADEL_KEY_FILE" in str(refused(status=401))


# --- planted
