"""What an investigation asks of a ZITADEL that works: the probes behind the findings, and their credentials.

Which evidence means what is in ``tests/diagnosis``; each fault end to end is in ``tests/catalogue``.
"""

from collections.abc import Iterator

import pytest

from tests.support.planting import AUDIENCE, ROLE, Planter, find, look
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, READER, VISITOR, emulate


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


@pytest.mark.parametrize("token", ["", "\n", "\udc80abc"])
def test_a_text_that_cannot_be_sent_is_not_sent(token: str) -> None:
    settings = Settings(issuer="http://localhost:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    found = look(settings, token)
    assert found.answer is None
    assert found.error is not None
    assert found.finding is not None


def test_more_assignments_than_a_page_are_all_read(planter: Planter) -> None:
    for number in range(101):
        made = planter.do(
            "project.v2.ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name=f"project {number}"
        )["projectId"]
        if number == 100:
            planter.role(ROLE, made)
        planter.grant(*([ROLE] if number == 100 else []), project_id=made)
    assert "project 100" in find(planter.settings, VISITOR.pat).cause


def test_a_session_token_lists_its_assignments_only_with_zitadels_own_audience(planter: Planter) -> None:
    assert find(planter.settings, planter.tokens(AUDIENCE)["access_token"]).id == "role.missing"
    may = planter.tokens(AUDIENCE, "urn:zitadel:iam:org:project:id:zitadel:aud")
    assert find(planter.settings, may["access_token"]).id == "role.not_granted"


def test_the_administrators_pat_is_introspected_and_not_shown(planter: Planter) -> None:
    token = planter.tokens()["access_token"]
    finding = find(planter.settings, token, admin_pat=ADMIN.pat)
    assert finding.id == "token.other_audience"
    assert AUDIENCE in finding.fix[0]
    assert ADMIN.pat not in str(finding)


def test_the_keys_show_which_jwt_was_signed_by_another_zitadel_or_changed(planter: Planter) -> None:
    token = str(planter.tokens(AUDIENCE, jwt=True)["access_token"])
    at = token.rindex(".") + 1
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert find(planter.settings, changed).id == "token.damaged"
    with emulate() as other:
        foreign = find(planter.settings, Planter(other).tokens(AUDIENCE, jwt=True)["access_token"])
        assert foreign.id == "token.other_issuer"
        assert other.url in foreign.cause
        assert "same ZITADEL" not in foreign.cause
