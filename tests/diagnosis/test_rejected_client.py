"""Refused credentials: which evidence clears them, and what an administrator's records decide."""

from __future__ import annotations

import base64
import dataclasses

import pytest

from tests.config.test_key_file import KEY_ID, content
from tests.diagnosis.test_unusable_response import ORIGIN, SETTINGS, UNAUTHORIZED, answer, refused
from tests.support.key_site import settings_for
from zdemo.config.key_file import application_key
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty, ClientRecords, Evidence, Finding, Probe, finding_for_error
from zdemo.introspection.refusals import answer_error
from zdemo.management.model import Application, Credential, Organization, Project

DEAD = answer(401, {"error": "access_denied", "error_description": "access token invalid"})
LOG_IN = answer(401, "<html>log in</html>", kind="text/html", headers={"www-authenticate": "Basic"})
WITH_KEY = settings_for(ORIGIN, application_key(content()))
FOUND = ClientRecords(
    whole_instance=True,
    application=Application(id="1", name="api", client_id="2", active=True),
    project=Project(id="3", name="zdemo", organization_id="4", active=True),
    organization=Organization(id="4", name="acme", active=True),
    keys=(Credential(id=KEY_ID, expires=None),),
)
USERINFO, ADMINISTRATOR = Probe.USERINFO, Probe.ADMINISTRATOR_USERINFO


def test_everything_refused_by_zitadel_is_another_or_a_recreated_one() -> None:
    finding = refused({USERINFO: DEAD, ADMINISTRATOR: DEAD})
    assert (finding.id, finding.certainty) == ("client.other_instance", Certainty.LIKELY)


def test_a_proxy_that_wants_credentials_at_userinfo_refuses_no_token() -> None:
    finding = refused({USERINFO: LOG_IN, ADMINISTRATOR: LOG_IN, Probe.RANDOM_TOKEN: answer(400, UNAUTHORIZED)})
    assert (finding.id, finding.certainty) == ("client.refused", Certainty.OPEN)
    assert "recreated" not in finding.candidates[0]
    assert "userinfo" not in dict(finding.seen)


def test_what_is_accepted_a_moment_later_may_have_just_been_made() -> None:
    finding = refused({Probe.RANDOM_TOKEN: answer(200, {"active": False})})
    assert (finding.id, finding.certainty) == ("zitadel.filtered", Certainty.OPEN)
    assert "a moment ago" in finding.candidates[0]
    assert "try again" in finding.fix[0]


@pytest.mark.parametrize(
    ("client_id", "secret", "named"),
    [
        ("<312909075212468229>", "s3cr" * 16, 'CLIENT_ID has "<" in front of it'),
        ("123@zdemo", "s3cr" * 16, "CLIENT_ID does not look like a client ID"),
        ("312909075212468229", "${SECRET}", "CLIENT_SECRET is the name of a variable"),
        ("312909075212468229", "s3cr" * 16 + "\\n", "CLIENT_SECRET has a backslash inside"),
        ("312909075212468229", base64.b64encode(b"s3cr" * 16).decode(), "CLIENT_SECRET is base64-encoded"),
    ],
)
def test_what_a_paste_left_in_the_credentials_is_the_first_candidate(client_id: str, secret: str, named: str) -> None:
    finding = refused({}, Settings(issuer=ORIGIN, client_id=client_id, client_secret=secret))
    assert named in finding.candidates[0]


# what an administrator sees


def recorded(records: ClientRecords | None, settings: Settings = SETTINGS, ahead: float | None = None) -> Finding:
    error = answer_error(answer(400, UNAUTHORIZED), with_key=settings.key is not None)
    evidence = Evidence(client_records=records, with_administrator=True, clock_ahead_seconds=ahead)
    return finding_for_error(error, settings, evidence)


def test_who_does_not_see_the_whole_instance_proves_nothing_about_an_application() -> None:
    finding = recorded(ClientRecords(whole_instance=False))
    assert (finding.id, finding.certainty) == ("client.unknown", Certainty.OPEN)
    assert "organization that this administrator cannot see" in " ".join(finding.candidates)
    assert "IAM_OWNER" in finding.fix[-1]
    assert recorded(ClientRecords(whole_instance=True)).certainty is Certainty.CERTAIN


def test_what_is_odd_about_the_values_is_seen_beside_the_records() -> None:
    settings = Settings(issuer=ORIGIN, client_id="<312909075212468229>", client_secret="s3cr" * 16)
    finding = recorded(ClientRecords(whole_instance=True), settings)
    assert finding.id == "client.unknown"
    assert '"<" in front' in dict(finding.seen)["values"]


UNSEEN = dataclasses.replace(FOUND, whole_instance=False, organization=None)


@pytest.mark.parametrize(("records", "settings"), [(None, SETTINGS), (None, WITH_KEY), (UNSEEN, WITH_KEY)])
def test_an_administrators_pat_that_did_not_tell_is_not_asked_for_again(
    records: ClientRecords | None, settings: Settings
) -> None:
    finding = recorded(records, settings)
    assert finding.certainty is Certainty.OPEN
    assert "ZITADEL_ADMIN_PAT did not show" in finding.fix[-1]


def test_what_an_administrator_of_the_project_sees_is_no_candidate_any_more() -> None:
    finding = recorded(UNSEEN)
    assert finding.certainty is Certainty.OPEN
    assert "CLIENT_ID is right" in finding.cause
    said = " ".join(finding.candidates)
    assert "CLIENT_SECRET is wrong" in said
    assert "organization is inactive" in said
    assert "CLIENT_ID" not in said


def test_the_client_id_of_a_key_is_corrected_in_its_file() -> None:
    records = ClientRecords(whole_instance=True, instead="the application api itself", right="312909075212468230")
    finding = recorded(records, WITH_KEY)
    assert "correct clientId in the file of ZITADEL_KEY_FILE: 312909075212468230" in finding.fix[0]
    assert "CLIENT_ID=" not in str(finding)
    assert recorded(records).fix[0] == "set CLIENT_ID=312909075212468230"


def test_a_key_that_is_not_listed_was_deleted_or_its_file_changed() -> None:
    finding = recorded(dataclasses.replace(FOUND, keys=()), WITH_KEY)
    assert (finding.id, finding.certainty) == ("client.key_deleted", Certainty.CERTAIN)
    for word in ("api", "deleted", "clientId or keyId in the file was changed"):
        assert word in finding.cause


def test_a_deleted_key_goes_before_the_clock_and_both_are_to_be_mended() -> None:
    finding = recorded(dataclasses.replace(FOUND, keys=()), WITH_KEY, ahead=600)
    assert finding.id == "client.key_deleted"
    assert "NTP" in finding.fix[-1]
    assert "600 s ahead" in str(finding.seen)


@pytest.mark.parametrize(("ahead", "name"), [(0, "client.key_differs"), (600, "clock.skewed")])
def test_a_good_key_that_is_refused_is_the_clock_or_another_private_key(ahead: float, name: str) -> None:
    finding = recorded(FOUND, WITH_KEY, ahead=ahead)
    assert (finding.id, finding.certainty) == (name, Certainty.LIKELY)
