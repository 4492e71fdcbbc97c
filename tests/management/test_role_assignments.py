"""Role assignments: every change from every state, and the wait until it shows."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.support.connection_faults import FAULTS, INACTIVE
from tests.support.upstream import upstream
from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import Settings
from zdemo.emulator import (
    AUTHORIZATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    ORGANIZATION_ID,
    PROJECT_ID,
    READER,
    VISITOR,
    Emulator,
)
from zdemo.errors import ManagementError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.management.client import ManagementClient
from zdemo.management.model import User
from zdemo.management.resources import create_assignment, list_assignments
from zdemo.management.role_assignments import (
    GIVE_UP_SECONDS,
    Change,
    ChangeOutcome,
    grant,
    revoke,
    shows_in_introspection,
    shows_in_list,
    wait_until,
)

ROLE = "read:messages"
Do = Callable[[ManagementClient, str, str, str], Change]


CHANGE = Change(
    outcome=ChangeOutcome.ADDED, user=User(id=READER.id, login_name="reader"), role=ROLE, project_id=PROJECT_ID
)


@pytest.fixture
def introspector(emulator: Emulator) -> Iterator[IntrospectionClient]:
    client = IntrospectionClient(Settings(issuer=emulator.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET))
    yield client
    client.close()


def roles(client: ManagementClient, user_id: str) -> list[tuple[bool, tuple[str, ...]]]:
    return [(a.active, a.role_keys) for a in list_assignments(client, project_id=PROJECT_ID, user_id=user_id)]


def test_from_nothing_an_assignment_is_created_by_the_projects_organization(client: ManagementClient) -> None:
    assert grant(client, PROJECT_ID, "visitor", ROLE).outcome is ChangeOutcome.CREATED
    (made,) = list_assignments(client, user_id=VISITOR.id)
    assert (made.active, made.role_keys, made.organization_id) == (True, (ROLE,), ORGANIZATION_ID)


def test_to_other_roles_it_is_added_and_they_stay(client: ManagementClient) -> None:
    assert grant(client, PROJECT_ID, "reader", "admin").outcome is ChangeOutcome.ADDED
    assert roles(client, READER.id) == [(True, (ROLE, "admin"))]
    assert revoke(client, PROJECT_ID, "reader", ROLE).outcome is ChangeOutcome.REMOVED
    assert roles(client, READER.id) == [(True, ("admin",))]


def test_where_the_owner_may_not_give_the_role_the_projects_organization_does(client: ManagementClient) -> None:
    made = client.call("zitadel.org.v2.OrganizationService", "AddOrganization", {"name": "other"})
    given = {"projectId": PROJECT_ID, "grantedOrganizationId": made["organizationId"], "roleKeys": ["admin"]}
    client.call("zitadel.project.v2.ProjectService", "CreateProjectGrant", given)
    create_assignment(
        client,
        user_id=VISITOR.id,
        project_id=PROJECT_ID,
        organization_id=made["organizationId"],
        role_keys=["admin"],
    )
    assert grant(client, PROJECT_ID, "visitor", ROLE).outcome is ChangeOutcome.CREATED
    assert roles(client, VISITOR.id) == [(True, ("admin",)), (True, (ROLE,))]
    assert grant(client, PROJECT_ID, "visitor", "admin").outcome is ChangeOutcome.UNCHANGED


@pytest.mark.parametrize(("role", "after"), [(ROLE, (ROLE,)), ("admin", (ROLE, "admin"))])
def test_a_deactivated_assignment_is_activated_with_the_role_in_it(
    emulator: Emulator, client: ManagementClient, role: str, after: tuple[str, ...]
) -> None:
    emulator.world.authorizations[AUTHORIZATION_ID].active = False
    assert grant(client, PROJECT_ID, "reader", role).outcome is ChangeOutcome.ACTIVATED
    assert roles(client, READER.id) == [(True, after)]


@pytest.mark.parametrize("active", [True, False])
def test_an_assignment_without_a_role_is_deleted(emulator: Emulator, client: ManagementClient, active: bool) -> None:
    emulator.world.authorizations[AUTHORIZATION_ID].active = active
    assert revoke(client, PROJECT_ID, "reader", ROLE).outcome is ChangeOutcome.REMOVED
    assert roles(client, READER.id) == []


def test_a_grant_or_revocation_that_is_already_so_changes_nothing(client: ManagementClient) -> None:
    assert grant(client, PROJECT_ID, "reader", ROLE).outcome is ChangeOutcome.UNCHANGED
    assert revoke(client, PROJECT_ID, "visitor", ROLE).outcome is ChangeOutcome.UNCHANGED
    assert revoke(client, PROJECT_ID, "reader", "admin").outcome is ChangeOutcome.UNCHANGED
    assert roles(client, READER.id) == [(True, (ROLE,))]


@pytest.mark.parametrize("do", [grant, revoke])
def test_unknown_names_are_errors_and_change_nothing(client: ManagementClient, do: Do) -> None:
    with pytest.raises(ZdemoError, match="no user stranger"):
        do(client, PROJECT_ID, "stranger", ROLE)
    with pytest.raises(ZdemoError, match="has no role Admin") as near:
        do(client, PROJECT_ID, "reader", "Admin")
    assert "did you mean admin? Role keys" in near.value.hint
    with pytest.raises(ZdemoError, match="no project with the ID 1") as unknown:
        do(client, "1", "reader", ROLE)
    assert "ZITADEL_PROJECT_ID" in unknown.value.hint
    assert roles(client, READER.id) == [(True, (ROLE,))]


@pytest.mark.parametrize("do", [grant, revoke])
def test_a_user_without_a_membership_is_not_an_administrator(emulator: Emulator, do: Do) -> None:
    with ManagementClient(ZitadelAddress(emulator.url), VISITOR.pat, timeout_seconds=5) as other:
        for name in ("reader", "visitor", "stranger"):
            with pytest.raises(ManagementError, match="not an administrator"):
                do(other, PROJECT_ID, name, ROLE)


# --- the wait


PAUSES = [0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25]


@pytest.mark.parametrize(("after", "looks"), [(0, 1), (0.01, 2), (0.05, 4), (0.81, 8), (11, None)])
def test_the_first_look_is_at_once_and_further_ones_are_rarer(after: float, looks: int | None) -> None:
    slept: list[float] = []
    took = wait_until(lambda: sum(slept) >= after - 1e-9, clock=lambda: sum(slept), sleep=slept.append)
    if looks is None:
        assert took is None
        assert sum(slept) <= GIVE_UP_SECONDS
    else:
        assert slept == pytest.approx(PAUSES[: looks - 1])
        assert took == sum(slept)


# --- where a change shows


def test_a_change_shows_in_the_list_but_not_a_deactivated_assignment(
    emulator: Emulator, client: ManagementClient
) -> None:
    granted = grant(client, PROJECT_ID, "visitor", ROLE)
    assert shows_in_list(client, granted)
    assert shows_in_list(client, replace(CHANGE, outcome=ChangeOutcome.REMOVED, role="admin"))
    removed = revoke(client, PROJECT_ID, "visitor", ROLE)
    assert shows_in_list(client, removed)
    assert not shows_in_list(client, granted)
    assert shows_in_list(client, CHANGE)
    emulator.world.authorizations[AUTHORIZATION_ID].active = False
    assert not shows_in_list(client, CHANGE)


def test_a_change_shows_in_introspection_of_the_users_own_token(
    client: ManagementClient, introspector: IntrospectionClient
) -> None:
    granted = grant(client, PROJECT_ID, "visitor", ROLE)
    assert shows_in_introspection(introspector, VISITOR.pat, granted) is True
    removed = revoke(client, PROJECT_ID, "visitor", ROLE)
    assert shows_in_introspection(introspector, VISITOR.pat, removed) is True
    assert shows_in_introspection(introspector, VISITOR.pat, granted) is False


def test_anothers_token_a_dead_one_and_a_failure_cannot_tell(introspector: IntrospectionClient) -> None:
    assert shows_in_introspection(introspector, VISITOR.pat, CHANGE) is None
    assert shows_in_introspection(introspector, "A" * 71, CHANGE) is None
    for behaviour in (INACTIVE, FAULTS["500"].behaviour, FAULTS["HTML"].behaviour):
        with upstream(behaviour) as server:
            other = IntrospectionClient(Settings(issuer=server.url, client_id="1", client_secret="2"))
            assert shows_in_introspection(other, READER.pat, CHANGE) is None
            other.close()
