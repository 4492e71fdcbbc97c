"""Role assignments: every change from every state, and the wait until it shows."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.apis import settings_for
from tests.support.introspector_doubles import Scripted, unavailable
from zdemo.emulator import AUTHORIZATION_ID, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.errors import ZdemoError
from zdemo.zitadel.introspection_answer import Introspection, Introspector
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.resources import create_assignment, list_assignments
from zdemo.zitadel.role_assignments import GIVE_UP_SECONDS, Change, ChangeOutcome, grant, is_shown, revoke, wait_until

ROLE = "read:messages"
Do = Callable[[ManagementClient, str, str, str], Change]


def roles(client: ManagementClient, user_id: str) -> list[tuple[bool, tuple[str, ...]]]:
    return [(a.active, a.role_keys) for a in list_assignments(client, project_id=PROJECT_ID, user_id=user_id)]


Roles = list[tuple[bool, tuple[str, ...]]]
CHANGES: list[tuple[str, bool, Do, str, ChangeOutcome, Roles]] = [  # the reader has the role; is that active?
    ("visitor", True, grant, ROLE, ChangeOutcome.CREATED, [(True, (ROLE,))]),
    ("reader", True, grant, "admin", ChangeOutcome.ADDED, [(True, (ROLE, "admin"))]),
    ("reader", False, grant, ROLE, ChangeOutcome.ACTIVATED, [(True, (ROLE,))]),
    ("reader", True, grant, ROLE, ChangeOutcome.UNCHANGED, [(True, (ROLE,))]),
    ("reader", True, revoke, ROLE, ChangeOutcome.REMOVED, []),
    ("reader", False, revoke, ROLE, ChangeOutcome.REMOVED, []),
    ("reader", True, revoke, "admin", ChangeOutcome.UNCHANGED, [(True, (ROLE,))]),
    ("visitor", True, revoke, ROLE, ChangeOutcome.UNCHANGED, []),
]


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: f"{row[0]} {row[2].__name__} {row[3]} {row[4]}")
def test_each_change_from_each_state(
    own: Emulator, client: ManagementClient, row: tuple[str, bool, Do, str, ChangeOutcome, Roles]
) -> None:
    name, active, do, role, outcome, after = row
    own.world.authorizations[AUTHORIZATION_ID].active = active
    change = do(client, PROJECT_ID, name, role)
    assert (change.outcome, roles(client, change.user.id)) == (outcome, after)
    assert {a.organization_id for a in list_assignments(client, user_id=change.user.id)} <= {ORGANIZATION_ID}
    if outcome is not ChangeOutcome.UNCHANGED:
        other = ChangeOutcome.ADDED if outcome is ChangeOutcome.REMOVED else ChangeOutcome.REMOVED
        changes = [replace(change, outcome=state) for state in (outcome, other)]
        assert [is_shown(client, variant, introspector=None, token="") for variant in changes] == [True, False]


def test_a_role_is_taken_out_of_an_assignment_with_others(client: ManagementClient) -> None:
    grant(client, PROJECT_ID, "reader", "admin")
    assert revoke(client, PROJECT_ID, "reader", ROLE).outcome is ChangeOutcome.REMOVED
    assert roles(client, READER.id) == [(True, ("admin",))]


def test_where_the_owner_may_not_give_the_role_the_projects_organization_does(client: ManagementClient) -> None:
    add = client.request("POST", "/zitadel.org.v2.OrganizationService/AddOrganization", {"name": "other"})
    owner = add.json_object()["organizationId"]
    given = {"projectId": PROJECT_ID, "grantedOrganizationId": owner, "roleKeys": ["admin"]}
    client.request("POST", "/zitadel.project.v2.ProjectService/CreateProjectGrant", given)
    create_assignment(client, VISITOR.id, PROJECT_ID, owner, ["admin"])
    assert grant(client, PROJECT_ID, "visitor", ROLE).outcome is ChangeOutcome.CREATED
    assert roles(client, VISITOR.id) == [(True, ("admin",)), (True, (ROLE,))]


@pytest.mark.parametrize("do", [grant, revoke])
def test_an_unknown_project_is_an_error(client: ManagementClient, do: Do) -> None:
    with pytest.raises(ZdemoError, match="no project with the ID 1"):
        do(client, "1", "reader", ROLE)


PAUSES = [0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25]


@pytest.mark.parametrize(("after", "looks"), [(0, 1), (0.05, 4), (0.81, 8), (11, None)])
def test_the_first_look_is_at_once_and_further_ones_are_rarer(after: float, looks: int | None) -> None:
    slept: list[float] = []
    took = wait_until(lambda: sum(slept) >= after - 1e-9, clock=lambda: sum(slept), sleep=slept.append)
    assert took == (None if looks is None else sum(slept))
    assert sum(slept) <= GIVE_UP_SECONDS
    assert looks is None or slept == pytest.approx(PAUSES[: looks - 1])


def test_a_change_shows_in_the_users_own_token_else_in_the_list(own: Emulator, client: ManagementClient) -> None:
    introspector = IntrospectionClient(settings_for(own.url))

    def is_seen(change: Change, token: str, asked: Introspector = introspector) -> bool:
        return is_shown(client, change, introspector=asked, token=token)

    granted = grant(client, PROJECT_ID, "visitor", ROLE)
    old = Introspection(active=True, claims={"sub": VISITOR.id})
    for token, asked, expected in (
        (VISITOR.pat, introspector, True),
        (VISITOR.pat, Scripted(old), False),
        (VISITOR.pat, Scripted(replace(old, claims={"sub": READER.id})), True),
        (VISITOR.pat, Scripted(replace(old, active=False)), True),
        (VISITOR.pat, Scripted(unavailable()), True),
        ("", Scripted(old), True),
    ):
        assert is_seen(granted, token, asked) is expected
    removed = revoke(client, PROJECT_ID, "visitor", ROLE)
    assert (is_seen(removed, VISITOR.pat), is_seen(granted, VISITOR.pat)) == (True, False)
    introspector.close()
