"""Refused credentials: which evidence clears them, and what an administrator's records decide."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.diagnosis.asker import Asker
from tests.diagnosis.test_unusable_response import ORIGIN, SETTINGS, UNAUTHORIZED, answer, lines_of
from zdemo.config.key_file import SigningKey
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import ClientRecords, Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.rejected_client import REFUSED_CLIENT
from zdemo.diagnosis.rules.rule import diagnose
from zdemo.diagnosis.token_form import token_form
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET
from zdemo.errors.response import Response
from zdemo.errors.steps import SetVariable, does
from zdemo.zitadel.introspection_response import answer_error
from zdemo.zitadel.records import Application, Credential, Organization, Project

CERTAIN, LIKELY, OPEN, _ = Certainty

DEAD = answer(401, {"error": "access_denied", "error_description": "access token invalid"})
DISCOVERED = {Probe.DISCOVERY: answer(200, {"issuer": ORIGIN})}
KEY = SigningKey(subject="312909075212468231", key_id="312909075212468555", private_key="PRIVATE KEY")
WITH_KEY = replace(SETTINGS, client_id=KEY.subject, client_secret="", key=KEY)
FOUND = ClientRecords(
    whole_instance=True,
    application=Application(id="1", name="api", client_id="2", active=True),
    project=Project(id="3", name="zdemo", organization_id="4", active=True),
    organization=Organization(id="4", name="acme", active=True),
    keys=(Credential(id=KEY.key_id, expires=None),),
)
USERINFO, ADMINISTRATOR = Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO
PAT, SECRET = secrets.token_urlsafe(53), "x" * 64
SAME_ID = {"client_id": "7" * 18, "project_id": "7" * 18}
NAMED = replace(SETTINGS, client_id="reader")  # as a service account's login name


def case_of(settings: Settings, token: str = PAT) -> TokenCase:
    error = answer_error(answer(400, UNAUTHORIZED), with_key=settings.key is not None)
    return TokenCase(error=error, settings=settings, token=token, form=token_form(token))


def refused(
    replies: Mapping[Probe, Response],
    settings: Settings = SETTINGS,
    *,
    ahead: float | None = None,
    records: ClientRecords | None = None,
) -> Finding:
    evidence = Evidence(
        replies=replies, clock_ahead_seconds=ahead, client_records=records, with_administrator=records is not None
    )
    finding = diagnose(REFUSED_CLIENT, replace(case_of(settings), evidence=evidence))
    assert finding.fix
    assert not any(secret in str(finding) for secret in ("PRIVATE", "s3cr"))
    return finding


def refused_key(replies: Mapping[Probe, Response] = DISCOVERED, ahead: float | None = None) -> Finding:
    finding = refused(replies, WITH_KEY, ahead=ahead)
    assert "CLIENT_SECRET" not in str(finding)
    return finding


def test_everything_refused_by_zitadel_is_another_or_a_recreated_one() -> None:
    finding = refused({USERINFO: DEAD, ADMINISTRATOR: DEAD})
    assert (finding.id, finding.certainty) == ("client.other_instance", LIKELY)
    open_cause = refused({USERINFO: DEAD})
    assert "token" not in str(open_cause).lower()
    assert "recreated" in open_cause.candidates[0]
    assert finding.fix[0] == open_cause.fix[0] == "correct ZITADEL_DOMAIN, if another ZITADEL is meant"
    assert "another ZITADEL" in refused_key({USERINFO: DEAD}).candidates[0]


@pytest.mark.parametrize(
    ("changed", "certainty", "fix"),
    [
        ({}, OPEN, "compare CLIENT_ID"),
        ({"client_secret": "s3cr" * 15}, LIKELY, "copy CLIENT_SECRET again"),
        ({"client_secret": "s3cr" * 15 + "s-cr"}, LIKELY, "copy CLIENT_SECRET again"),
        ({"client_id": SETTINGS.client_id[1:]}, LIKELY, "set CLIENT_ID to the API"),
        ({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, CERTAIN, "ZITADEL_DOMAIN=http://localhost:8484"),
    ],
)
def test_a_value_of_wrong_or_known_form_comes_first(changed: dict[str, str], certainty: Certainty, fix: str) -> None:
    finding = refused({}, replace(SETTINGS, **changed))  # type: ignore[arg-type]  # only texts change
    assert (finding.certainty, lines_of(finding)[0][: len(fix)]) == (certainty, fix)
    assert bool(finding.repair) is (fix == "copy CLIENT_SECRET again")
    assert (finding.candidates != ()) == (certainty is OPEN)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"access_token": "x"}),
        (400, {"error_description": "Errors.User.Machine.Secret.Invalid"}),
        (400, {"error_description": "Errors.User.NotActive"}),
    ],
)
def test_a_service_users_credentials_are_known_by_the_token_endpoint(status: int, body: dict[str, str]) -> None:
    finding = refused({Probe.OWN_PAIR_AT_TOKEN_ENDPOINT: answer(status, body)}, NAMED)
    assert (finding.id, finding.certainty) == ("client.is_service_user", CERTAIN)


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(62, "62 s ahead of ZITADEL"), (4000, "future"), (-600, "600 s behind ZITADEL"), (-90_000, "expired")],
)
def test_a_clock_that_is_too_far_off_for_any_assertion_is_the_cause(ahead: float, words: str) -> None:
    finding = refused_key(ahead=ahead)
    assert (finding.id, finding.certainty) == ("clock.skewed", LIKELY)
    assert words in finding.cause
    assert "NTP" in lines_of(finding)[0]


@pytest.mark.parametrize(("ahead", "named"), [(30, True), (-300, True), (2, False), (0, False), (None, False)])
def test_a_clock_that_is_off_by_less_is_a_candidate(ahead: float | None, named: bool) -> None:
    finding = refused_key(ahead=ahead)
    assert (finding.id, finding.certainty) == ("client.key_refused", OPEN)
    assert ("clock" in str(finding)) is named
    assert finding.candidates[0].startswith("this machine's clock") is named


@pytest.mark.parametrize("issuer", ["https://127.0.0.1:8080", ORIGIN + "/", "http://localhost:8080"])
def test_another_issuer_is_certainly_the_cause(issuer: str) -> None:
    finding = refused_key({Probe.DISCOVERY: answer(200, {"issuer": issuer})})
    assert (finding.id, finding.certainty) == ("client.issuer_differs", CERTAIN)
    assert finding.fix == (SetVariable("ZITADEL_DOMAIN", issuer, does="if that answers from here"),)


def test_who_does_not_see_the_whole_instance_proves_nothing_about_an_application() -> None:
    finding = refused({}, records=ClientRecords(whole_instance=False))
    assert (finding.id, finding.certainty) == ("client.unknown", OPEN)
    assert "organization that this administrator cannot see" in " ".join(finding.candidates)
    assert "IAM_OWNER" in does(finding.steps[-1])
    assert refused({}, records=ClientRecords(whole_instance=True)).certainty is CERTAIN


@pytest.mark.parametrize("ahead", [0, 600])
def test_a_key_that_is_not_listed_is_deleted_whatever_the_clock_says(ahead: float) -> None:
    finding = refused({}, WITH_KEY, records=replace(FOUND, keys=()), ahead=ahead)
    assert (finding.id, finding.certainty) == ("client.key_deleted", CERTAIN)


@pytest.mark.parametrize(("ahead", "name"), [(0, "client.key_differs"), (600, "clock.skewed")])
def test_a_good_key_that_is_refused_is_the_clock_or_another_private_key(ahead: float, name: str) -> None:
    finding = refused({}, WITH_KEY, records=FOUND, ahead=ahead)
    assert (finding.id, finding.certainty) == (name, LIKELY)


RECORDS, DISCOVERY = {Probe.CLIENT_RECORDS}, {Probe.DISCOVERY}


@pytest.mark.parametrize(
    ("case", "rounds"),
    [
        (case_of(SETTINGS), [RECORDS, {USERINFO, ADMINISTRATOR}]),
        (case_of(SETTINGS, ""), [RECORDS]),  # a random text would be refused anyway
        (case_of(SETTINGS, "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0." + "a" * 342), [RECORDS]),  # of another issuer
        (case_of(NAMED), [{Probe.OWN_PAIR_AT_TOKEN_ENDPOINT}, RECORDS, {USERINFO, ADMINISTRATOR}]),
        (case_of(WITH_KEY), [DISCOVERY, RECORDS, {USERINFO, ADMINISTRATOR}]),
        (case_of(replace(SETTINGS, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)), []),
        (case_of(replace(SETTINGS, client_id=SECRET, client_secret="3" * 18)), [{Probe.OWN_PAIR_AT_TOKEN_ENDPOINT}]),
        (case_of(replace(SETTINGS, client_secret=PAT), token=SECRET), []),
    ],
)
def test_what_settings_show_is_not_asked_and_the_cheapest_first(case: TokenCase, rounds: list[set[Probe]]) -> None:
    asker = Asker({})
    diagnose(REFUSED_CLIENT, case, asker)
    assert asker.rounds == rounds


@pytest.mark.parametrize(
    ("records", "name", "certainty"),
    [(FOUND, "client.wrong_secret", CERTAIN), (ClientRecords(application=FOUND.application), "client.refused", OPEN)],
)
def test_an_administrators_records_end_the_questions(records: ClientRecords, name: str, certainty: Certainty) -> None:
    asker = Asker({}, Evidence(client_records=records, with_administrator=True))
    finding = diagnose(REFUSED_CLIENT, case_of(replace(SETTINGS, client_secret="a" * 64)), asker)
    assert (finding.id, finding.certainty, asker.rounds) == (name, certainty, [RECORDS])
    assert bool(finding.repair) is (certainty is CERTAIN)


@pytest.mark.parametrize(
    ("change", "records", "words", "certainty"),
    [
        ({"client_secret": "x" * 63 + "\\n"}, FOUND, "CLIENT_SECRET has a backslash inside", CERTAIN),
        (SAME_ID, ClientRecords(whole_instance=True), "hold the same value", CERTAIN),
        (SAME_ID, ClientRecords(whole_instance=False), "hold the same value", LIKELY),
    ],
)
def test_a_value_that_the_records_show_to_be_wrong_is_judged_by_its_form(
    change: dict[str, str], records: ClientRecords, words: str, certainty: Certainty
) -> None:
    finding = refused({}, replace(SETTINGS, **change), records=records)  # type: ignore[arg-type]  # all are texts
    assert (finding.certainty, words in finding.cause) == (certainty, True)


def test_values_in_each_others_variables_need_no_administrator() -> None:
    swapped = diagnose(REFUSED_CLIENT, case_of(replace(SETTINGS, client_secret=PAT), token=SECRET))
    assert (swapped.id, swapped.certainty) == ("client.swapped_with_token", LIKELY)
    assert refused({}, replace(SETTINGS, client_id=SECRET, client_secret="3" * 18)).id == "client.swapped"
    assert refused({}, replace(SETTINGS, client_secret=PAT)).id == "client.misplaced"
    assert refused({}, replace(SETTINGS, project_id="my project")).id == "client.refused"  # another setting's problem
    assert refused({}, replace(SETTINGS, project_id="my project")).certainty is OPEN
