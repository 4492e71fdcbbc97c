"""The two service users as they are: who they are, what they may, and whether the tokens in ``.env`` are theirs."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.model import RoleAssignment
from zdemo.management.resources import Credential, Project, ServiceUser
from zdemo.provisioning.by_id import user_by_id
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import PersonVariables


class PatState(StrEnum):
    """What ``.env`` holds for a person."""

    GOOD = "good"
    MISSING = "missing"
    DEAD = "dead"
    OTHER = "other"  # alive, and another user's


@dataclass(frozen=True, kw_only=True)
class Person:
    """One of the two users as he is.

    ``useless``: PATs that setup made for him, now dead, or lost before anybody saw their texts. ``elsewhere``: those
    that may be in use though ``.env`` does not hold them.
    """

    variables: PersonVariables
    name: str
    user: ServiceUser | None = None
    assignment: RoleAssignment | None = None
    pat: PatState = PatState.MISSING
    pat_expires: int | None = None
    useless: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


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
    useless, elsewhere = _beside(env, variables, state, listed)
    return Person(
        variables=variables,
        name=name,
        user=user,
        assignment=assignment_of(client, project, user) if project else None,
        pat=state,
        pat_expires=next((p.expires for p in listed if p.id == recorded_id), None),
        useless=useless,
        elsewhere=elsewhere,
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


def made_pats(env: EnvFile, variables: PersonVariables, listed: Iterable[Credential]) -> list[Credential]:
    """Those of a user's PATs that setup made: by ID, or by the time of expiry written down before they were made."""
    expires, made = calls.milliseconds(env.get(variables.pat_expires)), env.listed(variables.pats_made)
    return [pat for pat in listed if pat.id in made or (expires is not None and pat.expires == expires)]


def _beside(
    env: EnvFile, variables: PersonVariables, state: PatState, listed: tuple[Credential, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of setup's PATs are useless, and which of them live elsewhere, beside the one in ``.env``.

    One whose text was written down may have been copied: it is useless only when it is known to be dead.
    """
    told = env.listed(variables.pats_made) or [env.get(variables.pat_id)]  # files of before have no list
    if state is PatState.GOOD and not told[-1]:
        return (), ()  # one of them is in use, and it is not known which
    ours = variables.pat in env.written
    now = time.time() * 1000
    dead = {pat.id for pat in listed if pat.expires is not None and pat.expires < now}
    dead |= {told[-1]} if ours and state is PatState.DEAD else set()
    held = told[-1] if ours and state is PatState.GOOD else ""
    made = [pat.id for pat in made_pats(env, variables, listed) if pat.id != held]
    useless = tuple(pat_id for pat_id in made if pat_id not in told or pat_id in dead)
    return useless, tuple(pat_id for pat_id in made if pat_id not in useless)
