"""The two service users as they are: who they are, what they may, and whether the tokens in ``.env`` are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zdemo.provisioning import calls
from zdemo.provisioning.by_id import user_by_id
from zdemo.provisioning.calls import Credential, Project, ServiceUser
from zdemo.provisioning.env_file import EnvFile
from zdemo.setup_names import PersonVariables
from zdemo.zitadel import ManagementClient, RoleAssignment


class PatState(StrEnum):
    """What ``.env`` holds for a person."""

    GOOD = "good"
    MISSING = "missing"
    DEAD = "dead"
    OTHER = "other"  # alive, and another user's


@dataclass(frozen=True, kw_only=True)
class Person:
    """One of the two users as he is. ``useless``: PATs that setup made for him, now dead, or their texts are lost."""

    variables: PersonVariables
    name: str
    user: ServiceUser | None = None
    assignment: RoleAssignment | None = None
    pat: PatState = PatState.MISSING
    pat_expires: int | None = None
    useless: tuple[str, ...] = ()


def find_user(
    client: ManagementClient, env: EnvFile, variables: PersonVariables, name: str, home: str
) -> ServiceUser | None:
    """By the ID that setup chose, else by name, in the organization ``home`` before any other."""
    recorded = env.get(variables.user_id)
    user = user_by_id(client, recorded, variables.user_id) if recorded else None
    return user or calls.user_named(client, name, recorded, home=home)


def look_at_person(
    client: ManagementClient,
    env: EnvFile,
    variables: PersonVariables,
    name: str,
    user: ServiceUser | None,
    project: Project | None,
) -> Person:
    """What is there of a person; ``name`` is the one he shall have."""
    if user is None or not user.machine:
        return Person(variables=variables, name=name, user=user, pat=_other(client, env, variables))
    listed = calls.pats(client, user.id)
    state = _pat_state(client, env, variables, user)
    recorded_id = env.get(variables.pat_id)
    return Person(
        variables=variables,
        name=name,
        user=user,
        assignment=assignment_of(client, project, user) if project else None,
        pat=state,
        pat_expires=next((p.expires for p in listed if p.id == recorded_id), None),
        useless=_useless_pats(env, variables, user, state, listed),
    )


def assignment_of(client: ManagementClient, project: Project, user: ServiceUser) -> RoleAssignment | None:
    """That which the project's organization owns; there can be one only (ZITADEL)."""
    found = client.assignments(project_id=project.id, user_id=user.id)
    return next((a for a in found if a.organization_id == project.organization_id), None)


def _other(client: ManagementClient, env: EnvFile, variables: PersonVariables) -> PatState:
    """Of a user who is not there, no PAT is good."""
    token = env.get(variables.pat)
    if not token:
        return PatState.MISSING
    return PatState.OTHER if owner_of_token(client, token) else PatState.DEAD


def _pat_state(client: ManagementClient, env: EnvFile, variables: PersonVariables, user: ServiceUser) -> PatState:
    token = env.get(variables.pat)
    if not token:
        return PatState.MISSING
    owner = owner_of_token(client, token)
    if owner is None:
        return PatState.DEAD
    return PatState.GOOD if owner == user.id else PatState.OTHER


def owner_of_token(client: ManagementClient, token: str) -> str | None:
    """Whose token it is, asked with the token itself; what cannot stand in a header is nobody's."""
    return calls.subject(client, token) if token.isascii() and token.isprintable() and " " not in token else None


def _useless_pats(
    env: EnvFile,
    variables: PersonVariables,
    user: ServiceUser,
    state: PatState,
    listed: tuple[Credential, ...],
) -> tuple[str, ...]:
    kept = env.get(variables.pat_id) if state is PatState.GOOD else ""
    if state is PatState.GOOD and not kept:
        return ()  # one of them is in use, and it is not known which
    expires = calls.milliseconds(env.get(variables.pat_expires))
    ours = {p.id for p in listed if expires is not None and p.expires == expires}
    if env.get(variables.pat_user_id) == user.id and env.get(variables.pat_expires):
        ours |= {p.id for p in listed if p.id == env.get(variables.pat_id)}
    return tuple(p.id for p in listed if p.id in ours and p.id != kept)
