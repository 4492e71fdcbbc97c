"""Grant and revoke roles in the project, and wait until ZITADEL shows the change."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from zdemo.config.names import MANAGER_ROLES, could_be_new_role, near_role
from zdemo.config.settings import AdminSettings
from zdemo.errors import ROLE_SCOPE, IntrospectionError, ManagementError, SettingsError, ZdemoError
from zdemo.errors.steps import Command, Step
from zdemo.text.spelling import did_you_mean
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_answer import Introspector, project_behind
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import BIGGER_ROLE, NAME_TAKEN, ManagementClient
from zdemo.zitadel.records import Project, RoleAssignment, User

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.01, 0.25
GIVE_UP_SECONDS = 10.0
REFUSALS = {  # of a grant, by ZITADEL's ID: the message and the hint
    "COMMAND-4f8sg": ("there is no user with the ID {user}", "compare it with the user's page"),
    "COMMAND-mm9F4": (
        "project {project} has no role {role}, or does not grant it to the administrator's organization",
        "role keys are compared exactly",
    ),
    NAME_TAKEN: ("{user} has a role assignment in project {project} that the administrator may not see", BIGGER_ROLE),
}


class ChangeOutcome(StrEnum):
    """The outcome of a change."""

    CREATED = "created"
    ADDED = "added"
    ACTIVATED = "activated"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a role assignment that ZITADEL has accepted."""

    outcome: ChangeOutcome
    user: User
    role: str
    project_id: str


def find_project_id(settings: AdminSettings, introspector: IntrospectionClient | None) -> str:
    """Return the configured project's ID, else the API application's. Raises ZdemoError when neither is known."""
    if settings.project_id:
        return settings.project_id
    if introspector is None:
        hint = "set it, or set CLIENT_ID and CLIENT_SECRET to use the API application's project"
        raise SettingsError(["ZITADEL_PROJECT_ID is not set: the project's ID, e.g. 312909075212468225"], hint=hint)
    project_id = project_behind(introspector.client_id, introspector.introspect(settings.admin_pat).audience)
    if project_id is None:
        what = "the administrator's token is not an active personal access token: it does not show the API's project"
        hint = "set ZITADEL_PROJECT_ID, or use an administrator's PAT that is active"
        raise ZdemoError(what, hint=hint)
    return project_id


def require_project(client: ManagementClient, project_id: str) -> Project:
    """Return the project. Raises ZdemoError when the administrator sees no such project."""
    project = resources.find_project(client, project_id)
    if project is None:
        raise ZdemoError(
            f"there is no project with the ID {project_id}, or the administrator cannot see it",
            hint=(
                "copy the ID from the project's page to ZITADEL_PROJECT_ID, or unset it",
                Command("setup", does="creates all again, if this ZITADEL was recreated since"),
            ),
        )
    return project


def require_user(client: ManagementClient, project_id: str, name: str) -> User:
    """Return the user with this login name, username, e-mail address or ID. Raises ZdemoError for an unknown name.

    An administrator of one organization or project cannot see every user, so an ID is used as it is.
    """
    if user := resources.find_user(client, name):
        return user
    for row in resources.list_assignments(client, project_id=project_id):
        if name == row.user_id or name.casefold() == row.login_name.casefold():
            return User(id=row.user_id, login_name=row.login_name)
    hint: Step = Command("role list", does="shows the users that have a role")
    if not resources.sees_everything(client):
        if resources.is_user_id(name):
            return User(id=name, login_name=name)
        hint = "a user of another organization may be hidden from this administrator: give the user's ID"
    elif not resources.is_user_id(name):
        similar = resources.list_similar_users(client, name)
        names = [text for user in similar for text in (user.username, user.login_name)]
        near = did_you_mean(name, names) or did_you_mean(name.partition("@")[0], names)
        hint = f"did you mean {near}?" if near else hint
    if name in (project_id, *resources.list_roles(client, project_id)):
        hint = Command("role list", does=f"shows users: {name} names a role, or the project")
    raise ZdemoError(f"there is no user {name}", hint=hint)


def _assignments_of(
    client: ManagementClient, project_id: str, name: str, role: str, *, define: Command | None = None
) -> tuple[User, resources.Rows[RoleAssignment]]:
    """Return a user and their assignments in the project.

    The role is checked first: without an administrator's membership that is refused, and says so; the list of users
    would be empty instead. Where roles are hidden, ZITADEL decides. ``define`` is the command that defines it, for the
    hint.
    """
    keys = resources.list_roles(client, project_id)
    if not keys and not keys.hidden:
        require_project(client, project_id)
    if role not in keys and not keys.hidden:
        near, known = near_role(role, keys), ", ".join(keys) or "no role yet"
        more: Step = "role keys are compared exactly"
        if define and not near and could_be_new_role(role, name):
            more = f"{role} is a user: write the user, then a role" if resources.find_user(client, role) else define
        if near.casefold() == role.casefold():
            more = "ZITADEL compares role keys exactly, and refuses a second one that differs only in case"
        hint: tuple[Step, ...] = (f"did you mean {near}?" if near else f"the project has {known}", more)
        if name in keys:
            hint = (f"write the user first, then the role {name}",)
        if role.startswith(ROLE_SCOPE):
            hint = (f"give the role's key alone, not its scope: {role.removeprefix(ROLE_SCOPE)}",)
        if near in role.split(","):
            hint = (f"give one role at a time, first {near}",)
        if role in MANAGER_ROLES:
            hint = (f"{role} is a role of ZITADEL's administrators: make the user one there",)
        raise ZdemoError(f"project {project_id} has no role {role}", hint=hint)
    user = require_user(client, project_id, name)
    return user, resources.list_assignments(client, project_id=project_id, user_id=user.id)


def define_role(client: ManagementClient, project_id: str, name: str, role: str) -> str | None:
    """Define a role that a user is to get, and return one that is nearly the same; ``None`` if it is there already."""
    keys = resources.list_roles(client, project_id)
    known = {key.casefold() for key in keys}
    if role.startswith(ROLE_SCOPE) or known.intersection(role.casefold().split(",")):
        return None
    require_user(client, project_id, name)
    resources.add_role(client, project_id, role, role)
    wait_until(lambda: role in resources.list_roles(client, project_id))
    return near_role(role, keys)


def grant(client: ManagementClient, project_id: str, name: str, role: str, *, define: Command | None = None) -> Change:
    """Grant a user a role: activate, extend or create an assignment. Raises ZdemoError for an unknown user or role."""
    user, assignments = _assignments_of(client, project_id, name, role, define=define)
    holding, outcome = [a for a in assignments if role in a.role_keys], ChangeOutcome.UNCHANGED
    if not any(a.active for a in holding):
        project = require_project(client, project_id)
        owner = project.granted_to or project.organization_id
        own = (a for a in assignments if a.organization_id == owner)  # another's Project Grant may lack the role
        try:
            if assignment := next(iter((*holding, *own)), None):
                outcome = give_role(client, assignment, role)
            else:
                resources.create_assignment(client, user.id, project_id, owner, [role])
                outcome = ChangeOutcome.CREATED
        except ManagementError as error:
            if error.error_id not in REFUSALS:
                raise
            what, hint = REFUSALS[error.error_id]
            raise ZdemoError(what.format(user=name, role=role, project=project_id), hint=hint) from error
    return Change(outcome=outcome, user=user, role=role, project_id=project_id)


def give_role(client: ManagementClient, assignment: RoleAssignment, role: str) -> ChangeOutcome:
    """Add a role to an assignment, unless it has it, and activate that."""
    if role not in assignment.role_keys:
        resources.set_assignment_roles(client, assignment.id, [*assignment.role_keys, role])
    if assignment.active:
        return ChangeOutcome.ADDED
    resources.activate_assignment(client, assignment.id)
    return ChangeOutcome.ACTIVATED


def revoke(client: ManagementClient, project_id: str, name: str, role: str) -> Change:
    """Revoke a role in every assignment of the project that holds it. Raises ZdemoError for an unknown user or role."""
    user, assignments = _assignments_of(client, project_id, name, role)
    holding = [a for a in assignments if role in a.role_keys]
    if assignments.hidden and not holding:
        what = f"{name} has role assignments in project {project_id} that the administrator may not see"
        raise ZdemoError(what, hint=BIGGER_ROLE)
    for assignment in holding:
        take_role(client, assignment, role)
    outcome = ChangeOutcome.REMOVED if holding else ChangeOutcome.UNCHANGED
    return Change(outcome=outcome, user=user, role=role, project_id=project_id)


def take_role(client: ManagementClient, assignment: RoleAssignment, role: str) -> None:
    """Take a role out of an assignment; one that would be left empty is deleted."""
    if left := [key for key in assignment.role_keys if key != role]:
        resources.set_assignment_roles(client, assignment.id, left)
    else:
        resources.delete_assignment(client, assignment.id)


def wait_until(
    holds: Callable[[], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float | None:
    """Poll until a condition holds; return the seconds that took, or ``None`` after 10 s.

    The pauses are 10, 20, 40 ms and so on up to 250 ms.
    """
    start, pause = clock(), FIRST_WAIT_SECONDS
    while not holds():
        if clock() - start + pause > GIVE_UP_SECONDS:
            return None
        sleep(pause)
        pause = min(pause * 2, LONGEST_WAIT_SECONDS)
    return clock() - start


def is_shown(client: ManagementClient, change: Change, *, introspector: Introspector | None, token: str) -> bool:
    """Return whether ZITADEL shows the change.

    The proof is the introspection of ``token`` if it is an active token of that user, else the list of assignments.
    """
    is_removed = change.outcome is ChangeOutcome.REMOVED
    if introspector and token:
        with suppress(IntrospectionError):
            introspection = introspector.introspect(token)
            if introspection.active and introspection.text("sub") == change.user.id:
                return (change.role in introspection.roles(change.project_id)) != is_removed
    assignments = resources.list_assignments(client, project_id=change.project_id, user_id=change.user.id)
    return any(a.active and change.role in a.role_keys for a in assignments) != is_removed
