"""Refusals of the token endpoint: one finding each, none for what is not ZITADEL's refusal of the user."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.diagnosis.asker import Asker
from tests.diagnosis.test_unusable_response import AWAY, READY, answer
from zdemo.config.environment import Environment
from zdemo.config.key_file import SigningKey
from zdemo.config.settings import UserSettings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.refused_user import REFUSED_USER, UserCase
from zdemo.diagnosis.rules.rule import decide

CERTAIN, LIKELY, OPEN, _ = Certainty

ORIGIN, NOW = "http://127.0.0.1:8080", 1_800_000_000.0
SECRET, APPLICATION = "s3cr" * 16, {"CLIENT_ID": "312909075212468229", "CLIENT_SECRET": "a3cr" * 16}
UNKNOWN = ("invalid_client", "client not found")
BY_SECRET = UserSettings(
    issuer=ORIGIN, client_id="svc", client_secret=SECRET, environment=Environment({"": APPLICATION})
)
KEY = SigningKey(subject="7", key_id="9", private_key="x", expires_at=NOW + 10)
BY_KEY = UserSettings(issuer=ORIGIN, key=KEY)
INTERNAL = {"error": "server_error", "error_description": "Errors.Internal"}
INVALID = "invalid_request"


def find(
    settings: UserSettings, status: int, body: Any, *, ahead: float = 0, replies: Mapping[Probe, Any] | None = None
) -> Finding | None:
    evidence = Evidence(replies={Probe.READY: READY, **(replies or {})}, clock_ahead_seconds=ahead)
    return decide(REFUSED_USER, UserCase(answer=answer(status, body), settings=settings, evidence=evidence, now=NOW))


def issuer(text: str) -> dict[Probe, Any]:
    return {Probe.DISCOVERY: answer(200, {"issuer": text})}


@pytest.mark.parametrize(
    ("settings", "status", "error", "description", "name"),
    [
        (BY_SECRET, 400, *UNKNOWN, "user.unknown"),
        (replace(BY_SECRET, client_id=APPLICATION["CLIENT_ID"]), 400, *UNKNOWN, "user.is_application"),
        (replace(BY_SECRET, client_id="1" * 18), 400, *UNKNOWN, "user.is_id"),
        (BY_SECRET, 400, INVALID, "Errors.User.Machine.Secret.NotExisting", "user.no_secret"),
        (BY_SECRET, 400, INVALID, "Errors.User.Machine.Secret.Invalid", "user.wrong_secret"),
        (replace(BY_SECRET, client_secret="abcde"), 400, INVALID,
         "Errors.User.Machine.Secret.Invalid", "user.wrong_secret"),
        (replace(BY_SECRET, client_secret=APPLICATION["CLIENT_SECRET"]), 400, INVALID,
         "Errors.User.Machine.Secret.Invalid", "user.secret_of_application"),
        (BY_SECRET, 400, INVALID, "Errors.User.NotActive", "user.inactive"),
        (BY_KEY, 400, INVALID, "Errors.User.NotActive", "user.inactive"),
        (BY_SECRET, 400, "unauthorized_client", "", "user.refused"),
        (BY_KEY, 500, "server_error", "Errors.Internal", "user.key_refused"),
        (BY_KEY, 400, "invalid_grant", "invalid assertion", "user.key_refused"),  # ZITADEL from v4.14 on
        (replace(BY_KEY, key=replace(KEY, expires_at=NOW - 5)),
         500, "server_error", "", "user.key_expired"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_finding(
    settings: UserSettings, status: int, error: str, description: str, name: str
) -> None:
    finding = find(settings, status, {"error": error, "error_description": description})
    assert finding
    assert (finding.id, bool(finding.fix)) == (name, True)
    assert ("which has 64 characters, not 5" in finding.cause) is (settings.client_secret == "abcde")
    assert ("token --login" in str(finding.fix)) is (name == "user.no_secret"), "people have none"
    assert SECRET not in str(finding)
    assert APPLICATION["CLIENT_SECRET"] not in str(finding)


@pytest.mark.parametrize("settings", [BY_SECRET, BY_KEY])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"active": False}),
        (502, "<html>"),
        (400, {"error": INVALID, "error_description": "grant_type missing"}),
        (500, []),
        (404, {"error": "not_found", "request_id": "1"}),  # a zdemo API
    ],
)
def test_an_answer_that_does_not_refuse_the_user_has_no_finding(settings: UserSettings, status: int, body: Any) -> None:
    assert find(settings, status, body) is None


@pytest.mark.parametrize(
    ("ahead", "replies", "name", "certainty"),
    [
        (62, {}, "clock.skewed", LIKELY),
        (61, {}, "user.key_refused", OPEN),
        (0, issuer("http://localhost:8080"), "user.issuer_differs", CERTAIN),
        (0, issuer(ORIGIN), "user.key_refused", OPEN),
        (-20, {}, "user.key_expired", CERTAIN),  # by ZITADEL's clock, to which this machine's is behind
    ],
)
def test_a_key_is_blamed_after_clock_issuer_and_database(
    ahead: float, replies: dict[Probe, Any], name: str, certainty: Certainty
) -> None:
    finding = find(BY_KEY, 500, INTERNAL, ahead=ahead, replies=replies)
    assert finding
    assert (finding.id, finding.certainty) == (name, certainty)


@pytest.mark.parametrize(("settings", "error"), [(BY_SECRET, UNKNOWN), (BY_KEY, ("server_error", "Errors.Internal"))])
def test_the_user_is_not_blamed_while_the_database_is_away(settings: UserSettings, error: tuple[str, str]) -> None:
    words = {"error": error[0], "error_description": error[1]}
    finding = find(settings, 400, words, replies={Probe.READY: AWAY})
    assert (finding and finding.id) == "zitadel.database_away"


@pytest.mark.parametrize(
    ("settings", "error", "description", "rounds"),
    [
        (BY_SECRET, INVALID, "Errors.User.Machine.Secret.Invalid", []),  # ZITADEL names the cause
        (BY_SECRET, *UNKNOWN, [{Probe.READY}]),
        (BY_KEY, "server_error", "Errors.Internal", [{Probe.DISCOVERY, Probe.READY}]),
        (BY_SECRET, INVALID, "token missing", []),
    ],
)
def test_zitadels_state_is_asked_only_where_its_words_leave_the_cause_open(
    settings: UserSettings, error: str, description: str, rounds: list[set[Probe]]
) -> None:
    asker, words = Asker({}), {"error": error, "error_description": description}
    decide(REFUSED_USER, UserCase(answer=answer(400, words), settings=settings, evidence=Evidence(), now=NOW), asker)
    assert asker.rounds == rounds
