"""Role assignments: who has which role in the project, give one, take one, and wait until ZITADEL shows it.

Works with any ZITADEL through ``ManagementClient``; knows nothing of the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from zdemo.errors import IntrospectionError, ManagementError, ZdemoError
from zdemo.introspection.model import Introspector
from zdemo.management.client import ManagementClient
from zdemo.management.model import RoleAssignment, User

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.01, 0.25
GIVE_UP_SECONDS = 10.0
ROLE_NOT_IN_GRANT = "COMMAND-mm9F4"  # ZITADEL: neither the project nor its grant to that organization has it


class ChangeOutcome(StrEnum):
    """What a change came to."""

    CREATED = "created"
    ADDED = "added"
    ACTIVATED = "activated"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a role assignment that ZITADEL has accepted."""

    done: ChangeOutcome
    user: User
    role: str
    project_id: str


def find_user(client: ManagementClient, name: str) -> User:
    """The user, by login name, username or ID.

    Raises:
        ZdemoError: there is none that the administrator may see.
    """
    user = client.user(name)
    if user is None:
        raise ZdemoError(f"there is no user {name}", hint="zdemo role list shows the users that have a role")
    return user


def _known_role(client: ManagementClient, project_id: str, role: str) -> None:
    keys = client.role_keys(project_id)
    if role in keys:
        return
    if not keys:
        client.project(project_id)  # which says so if there is no such project
    near = next((key for key in keys if key.lower() == role.lower()), None)
    hint = f"the project has {', '.join(keys) or 'no role yet'}; role keys are compared exactly"
    if near:
        hint = f"did you mean {near}? Role keys are compared exactly"
    raise ZdemoError(f"project {project_id} has no role {role}", hint=hint)


def _of_user(client: ManagementClient, project_id: str, user: User) -> list[RoleAssignment]:
    return client.assignments(project_id=project_id, user_id=user.id)


def grant(client: ManagementClient, project_id: str, name: str, role: str) -> Change:
    """Give a user a role in the project; a deactivated assignment that holds it is activated.

    It is added to the assignment that the user has already, else one is made that the project's organization owns.

    Raises:
        ZdemoError: unknown user or role, no permission.
    """
    _known_role(client, project_id, role)  # first: who is no administrator is told so, and not that there is no user
    user = find_user(client, name)
    assignments = _of_user(client, project_id, user)

    def change(done: ChangeOutcome) -> Change:
        return Change(done=done, user=user, role=role, project_id=project_id)

    if any(a.active and role in a.role_keys for a in assignments):
        return change(ChangeOutcome.UNCHANGED)
    if sleeping := next((a for a in assignments if not a.active and role in a.role_keys), None):
        client.activate(sleeping.id)
        return change(ChangeOutcome.ACTIVATED)
    if done := _add(client, assignments, role):
        return change(done)
    _, organization_id = client.project(project_id)
    client.assign(user.id, project_id, organization_id, [role])
    return change(ChangeOutcome.CREATED)


def _add(client: ManagementClient, assignments: list[RoleAssignment], role: str) -> ChangeOutcome | None:
    """Add the role to an assignment, an active one if there is one; ``None`` when no owner of one may give it.

    An organization to which the project is granted may give the roles of that grant only.
    """
    for assignment in sorted(assignments, key=lambda a: not a.active):
        try:
            client.set_roles(assignment.id, [*assignment.role_keys, role])
        except ManagementError as error:
            if error.error_id != ROLE_NOT_IN_GRANT:
                raise
            continue
        if assignment.active:
            return ChangeOutcome.ADDED
        client.activate(assignment.id)
        return ChangeOutcome.ACTIVATED
    return None


def revoke(client: ManagementClient, project_id: str, name: str, role: str) -> Change:
    """Take a role from a user, out of every assignment in the project that holds it; one left empty is deleted.

    Raises:
        ZdemoError: unknown user or role, no permission.
    """
    _known_role(client, project_id, role)  # first: who is no administrator is told so, and not that there is no user
    user = find_user(client, name)
    holding = [a for a in _of_user(client, project_id, user) if role in a.role_keys]
    for assignment in holding:
        left = [key for key in assignment.role_keys if key != role]
        if left:
            client.set_roles(assignment.id, left)
        else:
            client.unassign(assignment.id)
    done = ChangeOutcome.REMOVED if holding else ChangeOutcome.UNCHANGED
    return Change(done=done, user=user, role=role, project_id=project_id)


def pauses() -> Iterator[float]:
    """How long to wait before each further look, in seconds: at once, then 10, 20, 40 ms … 250 ms."""
    pause = FIRST_WAIT_SECONDS
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_WAIT_SECONDS)


def wait_until(
    holds: Callable[[], bool],
    *,
    give_up_seconds: float = GIVE_UP_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """Look until something holds; the seconds that it took, or ``None`` when it was given up."""
    start = clock()
    for pause in pauses():
        if holds():
            return clock() - start
        if clock() - start + pause > give_up_seconds:
            break
        sleep(pause)
    return None


def shows_in_list(client: ManagementClient, change: Change) -> bool:
    """Whether ZITADEL's list of assignments shows the change."""
    has = any(a.active and change.role in a.role_keys for a in _of_user(client, change.project_id, change.user))
    return has == (change.done is not ChangeOutcome.REMOVED)


def shows_in_introspection(introspector: Introspector, token: str, change: Change) -> bool | None:
    """Whether introspection shows the change; ``None`` when the token cannot tell: it is another user's, or dead."""
    try:
        found = introspector.introspect(token)
    except IntrospectionError:
        return None
    if not found.active or found.text("sub") != change.user.id:
        return None
    return (change.role in found.roles(change.project_id)) == (change.done is not ChangeOutcome.REMOVED)
