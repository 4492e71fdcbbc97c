"""Roles and credentials with faults, planted in the emulator: each is named, and no wrong cause is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from tests.support.planting import AUDIENCE, ROLE, Planter, find, look
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty
from zdemo.emulator import emulate
from zdemo.emulator.seed import AUTHORIZATION_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR


@pytest.fixture
def planter() -> Iterator[Planter]:
    with emulate() as emulator:
        yield Planter(emulator)


# roles: faults 21, 22, 23, 24, 45, 46


def test_a_role_that_is_not_granted(planter: Planter) -> None:
    finding = find(planter.settings, VISITOR.pat)
    assert (finding.id, finding.certainty) == ("role.not_granted", Certainty.CERTAIN)
    assert finding.fix == ("zdemo role grant visitor read:messages",)


def test_a_role_that_is_granted_in_another_project(planter: Planter) -> None:
    other = planter.project(ROLE)
    planter.grant(ROLE, project_id=other)
    finding = find(planter.settings, VISITOR.pat)
    assert (finding.id, finding.certainty) == ("role.in_other_project", Certainty.CERTAIN)
    assert f"elsewhere ({other})" in finding.cause
    assert PROJECT_ID in finding.cause


def test_more_assignments_than_a_page_are_all_read(planter: Planter) -> None:
    for number in range(101):
        made = planter.do(
            "project.v2.ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name=f"project {number}"
        )["projectId"]
        if number == 100:
            planter.role(ROLE, made)
        planter.grant(*([ROLE] if number == 100 else []), project_id=made)
    assert "project 100" in find(planter.settings, VISITOR.pat).cause


def test_a_role_whose_assignment_is_deactivated(planter: Planter) -> None:
    planter.do("authorization.v2.AuthorizationService/DeactivateAuthorization", id=AUTHORIZATION_ID)
    finding = find(planter.settings, READER.pat)
    assert (finding.id, finding.certainty) == ("role.deactivated", Certainty.CERTAIN)
    assert finding.fix[0].startswith("zdemo role grant reader read:messages")


def test_a_near_miss_in_the_roles_key(planter: Planter) -> None:
    planter.role("read:message")
    planter.grant("read:message")
    finding = find(planter.settings, VISITOR.pat)
    assert finding.id == "role.near_miss"
    assert "the role read:message," in finding.cause


def test_a_project_that_spells_the_role_in_another_case(planter: Planter) -> None:
    other = planter.project("Read:messages")
    planter.grant("Read:messages", project_id=other)
    finding = find(planter.app(other), VISITOR.pat)
    assert finding.id == "role.near_miss"
    assert "Read:messages" in finding.cause
    assert ROLE in finding.cause


def test_an_application_of_another_project_than_the_role(planter: Planter) -> None:
    other = planter.project("something:else")
    settings = planter.app(other)
    finding = find(settings, READER.pat)
    assert finding.id == "role.in_other_project"
    assert other in finding.cause
    assert f"zdemo ({PROJECT_ID})" in finding.cause
    assert "API application" in finding.fix[0]
    configured = find(dataclasses.replace(settings, project_id=PROJECT_ID), READER.pat)
    assert configured.id == "role.other_project_configured"
    assert other in configured.cause
    assert PROJECT_ID in configured.cause


def test_a_role_that_no_one_defines_here(planter: Planter) -> None:
    assert find(planter.app(planter.project("something:else")), VISITOR.pat).id == "role.undefined"


def test_a_token_that_is_narrowed_to_another_role(planter: Planter) -> None:
    tokens = planter.tokens(AUDIENCE, "urn:zitadel:iam:org:project:role:admin")
    planter.grant(ROLE, user_id=tokens["user_id"])
    assert find(planter.settings, tokens["access_token"]).id == "role.narrowed"


def test_a_session_token_cannot_ask_for_its_assignments_unless_it_may(planter: Planter) -> None:
    tokens = planter.tokens(AUDIENCE)
    finding = find(planter.settings, tokens["access_token"])
    assert (finding.id, finding.certainty) == ("role.missing", Certainty.OPEN)
    may = planter.tokens(AUDIENCE, "urn:zitadel:iam:org:project:id:zitadel:aud")
    assert find(planter.settings, may["access_token"]).id == "role.not_granted"


# the credentials: faults 10, 11, 14, 16, 37, 43


def other_id(planter: Planter) -> Settings:
    return dataclasses.replace(planter.settings, client_id="312909075212468229")


def wrong_secret(planter: Planter) -> Settings:
    return dataclasses.replace(planter.settings, client_secret="x" + CLIENT_SECRET[1:])


def rotated(planter: Planter) -> Settings:
    application = planter.do("application.v2.ApplicationService/ListApplications")["applications"][0]["applicationId"]
    ids = {"projectId": PROJECT_ID, "applicationId": application}
    planter.do("application.v2.ApplicationService/GenerateClientSecret", **ids)
    return planter.settings


def inactive_project(planter: Planter) -> Settings:
    planter.do("project.v2.ProjectService/DeactivateProject", projectId=PROJECT_ID)
    return planter.settings


@pytest.mark.parametrize("plant", [other_id, wrong_secret, rotated, inactive_project])
def test_refused_credentials_stay_open(planter: Planter, plant: Callable[[Planter], Settings]) -> None:
    settings = plant(planter)
    found = look(settings, READER.pat)
    finding = found.finding
    assert finding is not None
    assert (finding.id, finding.certainty) == ("client.refused", Certainty.OPEN)
    for word in ("CLIENT_ID", "CLIENT_SECRET", "rotated", "inactive", "key-only", "recreated"):
        assert word in " ".join(finding.candidates)
    assert "token" not in str(finding)
    assert settings.client_secret not in str(finding)


@pytest.mark.parametrize("right", [True, False])
def test_a_service_users_credentials_are_named(planter: Planter, right: bool) -> None:
    tokens = planter.tokens()
    secret = str(tokens["secret"] if right else "x" * 64)
    finding = find(dataclasses.replace(planter.settings, client_id=tokens["name"], client_secret=secret), READER.pat)
    assert (finding.id, finding.certainty) == ("client.is_service_user", Certainty.CERTAIN)
