"""What others added to the objects that setup created: it would be removed with them, though it is not setup's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from zdemo.errors import ManagementError
from zdemo.management import listings
from zdemo.management.client import ManagementClient
from zdemo.management.listings import Listing
from zdemo.management.model import AdministratorRoles, Application, Credential, Project, RoleAssignment, User
from zdemo.management.refusals import is_withheld
from zdemo.provisioning.current import UserFields
from zdemo.provisioning.proof import made_assignment, was_issued
from zdemo.provisioning.state import SetupState


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


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One list: ``name`` returns the name of an object that is not setup's, and an empty text for setup's own."""

    of: str
    what: str
    ask: Callable[[], Listing[Any]]
    name: Callable[[Any], str]


def _contents(parts: Iterable[_Part]) -> Contents:
    additions: list[Addition] = []
    unseen: list[str] = []
    for part in parts:
        try:
            listing = part.ask()
        except ManagementError as error:
            if not is_withheld(error):
                raise
            unseen.append(part.of)
            continue
        names = filter(None, map(part.name, listing.objects))
        additions += [Addition(what=part.what, name=name) for name in names]
        if listing.hidden:
            unseen.append(f"{listing.hidden} of the {part.of}")
    return Contents(additions=tuple(dict.fromkeys(additions)), unseen=tuple(unseen))


def added_to_project(client: ManagementClient, state: SetupState, project: Project, admin_id: str) -> Contents:
    """Return what is in a project that setup created, and is not setup's."""
    asked, of = (client, project.id), f"of the project {project.name}"
    return _contents(
        (
            _Part(
                of=f"applications {of}",
                what="application",
                ask=partial(listings.applications_of_project, *asked),
                name=lambda a: "" if a.id == state.application_id else f"{a.name} ({a.id})",
            ),
            _Part(
                of=f"roles {of}",
                what="role",
                ask=partial(listings.roles_of_project, *asked),
                name=lambda role: "" if role.key in state.added_roles else role.key,
            ),
            _Part(
                of=f"role assignments {of}",
                what="role for",
                ask=partial(listings.assignments_of_project, *asked),
                name=lambda a: "" if _is_own_assignment(state, a) else assignment_name(a, a.role_keys),
            ),
            _Part(
                of=f"project grants {of}",
                what="project grant",
                ask=partial(listings.grants_of_project, *asked),
                name=lambda g: f"to {g.organization_name or 'the organization'} ({g.organization_id})",
            ),
            _Part(
                of=f"administrators {of}",
                what="administrator",
                ask=partial(listings.administrators_of_project, *asked),
                name=lambda a: "" if a.user.id in (admin_id, *state.own_users) else _administrator(a),
            ),
        )
    )


def _is_own_assignment(state: SetupState, assignment: RoleAssignment) -> bool:
    """Return whether an assignment in setup's own project is setup's, or as good: ``zdemo role`` makes such ones."""
    of_own_user = assignment.user.id in state.own_users and {*assignment.role_keys} <= {*state.added_roles}
    return of_own_user or made_assignment(state, assignment)


def added_to_user(client: ManagementClient, state: SetupState, fields: UserFields, user: User) -> Contents:
    """Return what a user that setup created has beyond what setup gave them."""
    asked, of = (client, user.id), f"of {user.username}"
    contents = _contents(
        (
            _Part(
                of=f"PATs {of}",
                what="PAT of",
                ask=partial(listings.pats_of_user, *asked),
                name=_credential_name(client, user.username, lambda pat: was_issued(pat, fields.issued(state))),
            ),
            _Part(
                of=f"keys {of}",
                what="key of",
                ask=partial(listings.keys_of_user, *asked),
                name=_credential_name(client, user.username, lambda _: False),
            ),
            _Part(
                of=f"role assignments {of}",
                what="role for",
                ask=partial(listings.assignments_of_user, *asked),
                name=lambda a: (
                    "" if _is_expected(state, a) else f"{assignment_name(a, a.role_keys)} in {a.project_name}"
                ),
            ),
            _Part(
                of=f"administrator roles {of}",
                what="administrator",
                ask=partial(listings.administrator_roles_of_user, *asked),
                name=_administrator,
            ),
        )
    )
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
    part = _Part(
        of=f"keys of the application {application.name}",
        what="key of",
        ask=partial(listings.keys_of_application, client, application.id),
        name=_credential_name(client, application.name, lambda key: was_issued(key, state.keys)),
    )
    return _contents([part])


def _credential_name(
    client: ManagementClient, owner: str, is_own: Callable[[Credential], bool]
) -> Callable[[Credential], str]:
    """Return a function that names a credential, unless it is setup's own or has expired: nobody can use it then."""

    def name(credential: Credential) -> str:
        if is_own(credential) or credential.has_expired(client.now()):
            return ""
        return f"{owner} ({credential.id})"

    return name


def assignment_name(assignment: RoleAssignment, role_keys: Iterable[str]) -> str:
    """Return whose assignment it is, with some of its roles."""
    return f"{assignment.user.login_name or assignment.user.id}: {', '.join(role_keys) or 'no role'}"


def _administrator(roles: AdministratorRoles) -> str:
    return f"{roles.user.login_name or roles.user.id}: {', '.join(roles.roles)} of {roles.of}"
