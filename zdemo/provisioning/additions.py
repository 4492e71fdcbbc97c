"""What others added to the objects that setup created: it would be removed with them, though it is not setup's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from zdemo.errors import ManagementError
from zdemo.management import listings
from zdemo.management.client import ManagementClient
from zdemo.management.listings import Listing
from zdemo.management.model import AdministratorRoles, Application, Credential, Project, RoleAssignment, User
from zdemo.management.refusals import is_withheld
from zdemo.provisioning.current import UserFields
from zdemo.provisioning.proof import made_assignment, was_issued
from zdemo.provisioning.state import IssuedCredential, SetupState


@dataclass(frozen=True, kw_only=True)
class Addition:
    """An object of somebody else, in the words of the table."""

    what: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What others added to an object, and what of it the administrator may not see (``unseen``)."""

    additions: tuple[Addition, ...] = ()
    unseen: tuple[str, ...] = ()


Part = tuple[str, str, Callable[[ManagementClient, str], Listing[Any]], Callable[[Any], str]]
"""A list: its name, what is in it, how to ask for it, and the name of an object in it, empty for one of setup's own."""


def _contents(client: ManagementClient, owner_id: str, parts: Iterable[Part]) -> Contents:
    additions: list[Addition] = []
    unseen: list[str] = []
    for of, what, ask, name_of in parts:
        try:
            listing = ask(client, owner_id)
        except ManagementError as error:
            if not is_withheld(error):
                raise
            unseen.append(of)
            continue
        additions += [Addition(what=what, name=name) for name in map(name_of, listing.objects) if name]
        if listing.hidden:
            unseen.append(f"{listing.hidden} of the {of}")
    return Contents(additions=tuple(dict.fromkeys(additions)), unseen=tuple(unseen))


def added_to_project(client: ManagementClient, state: SetupState, project: Project, admin_id: str) -> Contents:
    """Return what is in a project that setup created, and is not setup's."""
    of, own_users = f"of the project {project.name}", (admin_id, *state.own_users)
    # fmt: off
    parts: list[Part] = [
        (f"applications {of}", "application", listings.applications_of_project,
         lambda a: "" if a.id == state.application_id else f"{a.name} ({a.id})"),
        (f"roles {of}", "role", listings.roles_of_project,
         lambda role: "" if role.key in state.added_roles else role.key),
        (f"role assignments {of}", "role for", listings.assignments_of_project,
         lambda a: "" if _is_own_assignment(state, a) else assignment_name(a, a.role_keys)),
        (f"project grants {of}", "project grant", listings.grants_of_project,
         lambda g: f"to {g.organization_name or 'the organization'} ({g.organization_id})"),
        (f"administrators {of}", "administrator", listings.administrators_of_project,
         lambda a: "" if a.user.id in own_users else _administrator_name(a)),
    ]
    # fmt: on
    return _contents(client, project.id, parts)


def _is_own_assignment(state: SetupState, assignment: RoleAssignment) -> bool:
    """Return whether an assignment in setup's own project is setup's, or as good: ``zdemo role`` makes such ones."""
    of_own_user = assignment.user.id in state.own_users and {*assignment.role_keys} <= {*state.added_roles}
    return of_own_user or made_assignment(state, assignment)


def added_to_user(client: ManagementClient, state: SetupState, fields: UserFields, user: User) -> Contents:
    """Return what a user that setup created has beyond what setup gave them."""
    of, own = f"of {user.username}", fields.issued(state)
    # fmt: off
    parts: list[Part] = [
        (f"PATs {of}", "PAT of", listings.pats_of_user, _credential_name(client, user.username, own)),
        (f"keys {of}", "key of", listings.keys_of_user, _credential_name(client, user.username, ())),
        (f"role assignments {of}", "role for", listings.assignments_of_user,
         lambda a: "" if _is_expected(state, a) else f"{assignment_name(a, a.role_keys)} in {a.project_name}"),
        (f"administrator roles {of}", "administrator", listings.administrator_roles_of_user, _administrator_name),
    ]
    # fmt: on
    contents = _contents(client, user.id, parts)
    secret = (Addition(what="client secret", name=user.username),) if user.has_secret else ()
    return Contents(additions=contents.additions + secret, unseen=contents.unseen)


def _is_expected(state: SetupState, assignment: RoleAssignment) -> bool:
    """Return whether an assignment of setup's user is one that setup can have made, or is in setup's own project.

    What is in that project is judged with it.
    """
    setups_roles = {state.assignment_role, *state.added_roles}
    in_shared = assignment.project_id == state.shared_project_id and {*assignment.role_keys} <= setups_roles
    return assignment.project_id == state.project_id or in_shared


def added_to_application(client: ManagementClient, state: SetupState, application: Application) -> Contents:
    """Return the keys of an application that setup created, and that setup did not issue."""
    name_of = _credential_name(client, application.name, state.keys)
    of = f"keys of the application {application.name}"
    return _contents(client, application.id, [(of, "key of", listings.keys_of_application, name_of)])


def _credential_name(
    client: ManagementClient, owner: str, issued: tuple[IssuedCredential, ...]
) -> Callable[[Credential], str]:
    """Return a function that names a credential, unless setup issued it, or it has expired: then it cannot be used."""

    def name(credential: Credential) -> str:
        is_harmless = was_issued(credential, issued) or credential.has_expired(client.now())
        return "" if is_harmless else f"{owner} ({credential.id})"

    return name


def assignment_name(assignment: RoleAssignment, role_keys: Iterable[str]) -> str:
    """Return whose assignment it is, with some of its roles."""
    return f"{assignment.user.login_name or assignment.user.id}: {', '.join(role_keys) or 'no role'}"


def _administrator_name(roles: AdministratorRoles) -> str:
    return f"{roles.user.login_name or roles.user.id}: {', '.join(roles.roles)} of {roles.of}"
