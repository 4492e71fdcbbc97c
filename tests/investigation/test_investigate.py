"""Tokens with faults, planted in the emulator: each is named, what cannot be known stays open."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.support.planting import AUDIENCE, ROLE, Planter, find, look
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty
from zdemo.emulator import emulate
from zdemo.emulator.seed import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

TOKEN_WORDS = ("deleted", "expired", "deactivated", "locked", "another zitadel")


@pytest.fixture
def planter() -> Iterator[Planter]:
    with emulate() as emulator:
        yield Planter(emulator)


def test_a_good_token_has_no_finding(planter: Planter) -> None:
    found = look(planter.settings, READER.pat)
    assert found.finding is None
    assert found.error is None
    assert found.introspection is not None
    assert found.answer is not None
    assert found.answer.json_object()["active"] is True
    assert "scope also lists the role admin" in found.notes[0]


@pytest.mark.parametrize("more", ["\n", "\r\n"])
def test_a_line_end_behind_a_token_is_no_fault(planter: Planter, more: str) -> None:
    assert look(planter.settings, READER.pat + more).finding is None
    assert find(planter.settings, VISITOR.pat + more).id == "role.not_granted"


# the text of the token: faults 17, 31, and other things that are no token


@pytest.mark.parametrize(
    ("token", "name", "named"),
    [
        (READER.pat[:-1], "token.cut", "70 characters instead of 71"),
        (READER.pat[:-2], "token.cut", "69 characters instead of 71"),
        (f"Bearer {READER.pat}", "token.pasted", "Bearer"),
        (f'"{READER.pat}"', "token.pasted", "quotes"),
        (f"\u201c{READER.pat}\u201d", "token.pasted", "curly quotes"),
        (f" {READER.pat}", "token.pasted", "blank"),
        (f"{READER.pat}=", "token.pasted", "="),
        (f"{READER.pat}\u200b", "token.pasted", "U+200B"),
        ("garbage", "token.too_short", "7 characters"),
        (CLIENT_SECRET, "token.another_value", "CLIENT_SECRET"),
    ],
)
def test_a_text_that_is_no_whole_token_is_named(planter: Planter, token: str, name: str, named: str) -> None:
    finding = find(planter.settings, token)
    assert finding.id == name
    assert named in finding.cause


@pytest.mark.parametrize("token", ["", "\n", "\udc80abc"])
def test_what_cannot_be_sent_is_not_sent(token: str) -> None:
    settings = Settings(issuer="http://localhost:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    found = look(settings, token)
    assert found.answer is None
    assert found.error is not None
    assert found.finding is not None


# a dead PAT: faults 18, 19, 20, 26, 40, 41


def unrelated(_: Planter) -> str:
    return secrets.token_urlsafe(53)


def deleted(planter: Planter) -> str:
    planter.user("RemovePersonalAccessToken", tokenId=READER.token_id)
    return READER.pat


def deactivated(planter: Planter) -> str:
    planter.user("DeactivateUser")
    return READER.pat


def reactivated(planter: Planter) -> str:
    planter.user("DeactivateUser")
    planter.user("ReactivateUser")
    return READER.pat


def locked(planter: Planter) -> str:
    planter.user("LockUser")
    return READER.pat


def removed(planter: Planter) -> str:
    planter.user("DeleteUser")
    return READER.pat


@pytest.mark.parametrize("plant", [unrelated, deleted, deactivated, reactivated, locked, removed])
def test_a_dead_pat_stays_open(planter: Planter, plant: Callable[[Planter], str]) -> None:
    finding = find(planter.settings, plant(planter))
    assert (finding.id, finding.certainty) == ("token.dead", Certainty.OPEN)
    said = " ".join(finding.candidates).lower()
    assert [word for word in TOKEN_WORDS if word not in said] == []
    assert "new PAT" in finding.fix[0]
    assert ("credentials", "good: ZITADEL answers this API's client ID and secret, and refuses others") in finding.seen


def test_an_administrators_pat_shows_that_zitadel_is_sound(planter: Planter) -> None:
    finding = find(planter.settings, unrelated(planter), admin_pat=ADMIN.pat)
    assert "sound" in str(finding.seen)
    assert ADMIN.pat not in str(finding)


# tokens of other kinds: faults 25, 26b, 32, 47, 49, 50


@pytest.mark.parametrize("jwt", [False, True])
def test_a_token_for_another_audience_is_alive(planter: Planter, jwt: bool) -> None:
    token = planter.tokens(jwt=jwt)["access_token"]
    for settings in (planter.settings, dataclasses.replace(planter.settings, project_id=PROJECT_ID)):
        finding = find(settings, token)
        assert (finding.id, finding.certainty) == ("token.other_audience", Certainty.CERTAIN)
    assert AUDIENCE in finding.fix[0]
    assert AUDIENCE in find(planter.settings, token, admin_pat=ADMIN.pat).fix[0]


def test_a_token_for_another_project_is_alive(planter: Planter) -> None:
    other = planter.project(ROLE)
    token = planter.tokens(f"urn:zitadel:iam:org:project:id:{other}:aud")["access_token"]
    assert find(planter.settings, token).id == "token.other_audience"


def test_an_id_token_is_named(planter: Planter) -> None:
    assert find(planter.settings, planter.tokens(AUDIENCE)["id_token"]).id == "token.is_id_token"


def test_a_jwt_through_another_port_has_another_issuer_of_the_same_zitadel(planter: Planter) -> None:
    token = planter.tokens(AUDIENCE, jwt=True, host="localhost:59999")["access_token"]
    finding = find(planter.settings, token)
    assert (finding.id, finding.certainty) == ("token.other_issuer", Certainty.CERTAIN)
    assert "http://localhost:59999" in finding.cause
    assert planter.url in finding.cause
    assert "same ZITADEL" in finding.cause


def test_a_jwt_of_another_zitadel_is_of_another(planter: Planter) -> None:
    with emulate() as other:
        token = Planter(other).tokens(AUDIENCE, jwt=True)["access_token"]
        finding = find(planter.settings, token)
        assert finding.id == "token.other_issuer"
        assert other.url in finding.cause


def test_a_changed_signature_is_a_damaged_token(planter: Planter) -> None:
    token = str(planter.tokens(AUDIENCE, jwt=True)["access_token"])
    at = token.rindex(".") + 1
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert find(planter.settings, changed).id == "token.damaged"


@pytest.mark.parametrize("jwt", [False, True])
def test_a_session_token_of_a_user_who_is_off_has_ended(planter: Planter, jwt: bool) -> None:
    tokens = planter.tokens(AUDIENCE, jwt=jwt)
    planter.user("DeactivateUser", tokens["user_id"])
    finding = find(planter.settings, tokens["access_token"])
    assert (finding.id, finding.certainty) == ("token.ended", Certainty.OPEN)
    assert "PAT" not in str(finding)
    assert "deactivated" in " ".join(finding.candidates)
    assert "new" in finding.fix[0]
