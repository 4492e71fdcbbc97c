"""Refused credentials: what tells that it is not they, or not they alone, and what an administrator's records add."""

from __future__ import annotations

from tests.test_diagnosis_answers import UNAUTHORIZED, answer, refused
from zdemo.diagnosis import Certainty, Question

DEAD = answer(401, {"error": "access_denied", "error_description": "access token invalid"})
LOG_IN = answer(401, "<html>log in</html>", kind="text/html", headers={"www-authenticate": "Basic"})
USERINFO, ADMINISTRATOR = Question.USERINFO, Question.ADMINISTRATOR_USERINFO


def test_everything_refused_by_zitadel_is_another_or_a_recreated_one() -> None:
    finding = refused({USERINFO: DEAD, ADMINISTRATOR: DEAD})
    assert (finding.id, finding.certainty) == ("client.other_instance", Certainty.LIKELY)


def test_a_proxy_that_wants_credentials_at_userinfo_refuses_no_token() -> None:
    finding = refused({USERINFO: LOG_IN, ADMINISTRATOR: LOG_IN, Question.RANDOM_TOKEN: answer(400, UNAUTHORIZED)})
    assert (finding.id, finding.certainty) == ("client.refused", Certainty.OPEN)
    assert "recreated" not in finding.candidates[0]
    assert "userinfo" not in dict(finding.seen)
