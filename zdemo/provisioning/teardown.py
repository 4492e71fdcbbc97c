"""Remove what setup made, and nothing else: what has an ID or a time of expiry that setup wrote down before making it.

Safe to be interrupted: what is gone already is not looked for, and the lines of ``.env`` go last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.model import RoleAssignment
from zdemo.management.resources import Administrator, Application, Project
from zdemo.provisioning.by_id import user_by_id
from zdemo.provisioning.context import Reporter, remove
from zdemo.provisioning.current import find_application, find_project
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import (
    APPLICATION_ID,
    ASSIGNMENT_ID,
    CLIENT_ID,
    KEY_EXPIRES,
    KEY_ID,
    NOTES,
    PENDING,
    PROJECT_ID,
    READER,
    ROLE,
    SETTINGS,
    VISITOR,
    ZITADEL,
    PersonVariables,
)
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.people import assignment_of, made_pats, owner_of_token
from zdemo.provisioning.previous_values import given_back
from zdemo.provisioning.same_zitadel import OWN_NOTES, check_place, domain_line
from zdemo.provisioning.shown_once import KEY_FILES, key_in, owner_of

IDS = (
    PROJECT_ID,
    APPLICATION_ID,
    ASSIGNMENT_ID,
    KEY_ID,
    *(v for p in (READER, VISITOR) for v in (p.user_id, p.pats_made)),
)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing. ``call`` is empty when it goes with another, or stays; ``note`` says which."""

    what: str
    name: str
    call: str = ""
    body: dict[str, str] = field(default_factory=dict)
    note: str = ""
    stays: bool = False
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What will be removed, in this order, and which lines are taken out of ``.env`` after it.

    ``back``: the settings that get the values of before setup. ``admin`` removes it at ``issuer``.
    """

    removals: tuple[Removal, ...]
    lines: frozenset[str]
    back: tuple[str, ...] = ()
    issuer: str = ""
    admin: Administrator | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.lines) or any(removal.call for removal in self.removals)


def knows_nothing(env: EnvFile) -> bool:
    """Whether ``env`` tells of nothing that setup made; then there is nothing to ask of ZITADEL either."""
    return not any(env.get(name) for name in OWN_NOTES)


def plan_teardown(client: ManagementClient, env: EnvFile, wishes: SetupOptions, *, issuer: str) -> Teardown:
    """Look for what setup made; changes nothing. ``wishes`` names what setup found and did not make.

    Raises:
        ZdemoError: none of it is here, since it was made at another ZITADEL.
    """
    if knows_nothing(env):
        return Teardown(removals=(), lines=frozenset())
    admin = calls.administrator(client)
    removals = list(_removals(client, env, wishes, admin))
    if not any(_is_proven(env, removal) for removal in removals):
        check_place(env, env.get(ZITADEL) or env.get("ZITADEL_DOMAIN"), issuer)
    removals += (Removal(what="key file", name=str(file), file=file) for file in _key_files(env))
    lines = frozenset(_lines(client, env, issuer))
    back = tuple(name for name in SETTINGS if given_back(env.values, lines).get(name))
    return Teardown(removals=tuple(removals), lines=lines, back=back, issuer=issuer, admin=admin)


def _is_proven(env: EnvFile, removal: Removal) -> bool:
    """Whether a thing has an ID that is written down, and no mere name, which another ZITADEL may know as well."""
    return not {env_id for name in IDS for env_id in env.listed(name)}.isdisjoint(removal.body.values())


def _removals(client: ManagementClient, env: EnvFile, wishes: SetupOptions, admin: Administrator) -> Iterator[Removal]:
    """What is in ZITADEL."""
    project = find_project(client, env, wishes, admin)
    application = find_application(client, env, wishes, project)
    yield from _of_person(client, env, READER, wishes.reader_name)
    yield from _of_person(client, env, VISITOR, wishes.visitor_name)
    if project and not project.ours:
        yield from _in_foreign_project(client, env, wishes, project, application)
    elif project:
        if application and application.ours:
            yield Removal(what="application", name=application.name, note="with its project")
        yield Removal(
            what="project",
            name=f"{project.name} ({project.id})",
            call="ProjectService/DeleteProject",
            body={"projectId": project.id},
            note="with its roles and applications",
        )


def _key_files(env: EnvFile) -> Iterator[Path]:
    """The files beside ``.env`` that hold the key which setup made last."""
    key, application = env.get(KEY_ID), env.get(APPLICATION_ID)
    for file in sorted(env.path.parent.glob(KEY_FILES)):
        if (key_in(file) == key) if key else (application and owner_of(file) == application):
            yield file


def tear_down(client: ManagementClient, env: EnvFile, teardown: Teardown, story: Reporter) -> None:
    """Remove it, then the key file, then the lines."""
    for removal in teardown.removals:
        if removal.file:
            removal.file.unlink(missing_ok=True)
        elif removal.call:
            _remove(client, removal)
        else:
            continue
        story.tell(f"{removal.what} {removal.name}: removed")
    env.take_out(set(teardown.lines))
    story.tell(f"{env.path}: setup's lines taken out")
    if teardown.back:
        story.tell(f"{env.path}: {', '.join(teardown.back)} as before setup")


def _remove(client: ManagementClient, removal: Removal) -> None:
    try:
        remove(client, removal.call, **removal.body)
    except ManagementError as error:
        if error.status == 403 and removal.call.endswith("/DeleteApplication"):
            raise _not_for_owners(removal) from error
        raise


def _not_for_owners(removal: Removal) -> ZdemoError:
    return ZdemoError(
        f"ZITADEL lets an ORG_OWNER make applications but not delete them, so {removal.name} is still there",
        hint="set ZITADEL_ADMIN_PAT to an IAM_OWNER's PAT, or delete it in ZITADEL's console; then run "
        "zdemo setup --teardown again",
    )


def _of_person(client: ManagementClient, env: EnvFile, variables: PersonVariables, name: str) -> Iterator[Removal]:
    recorded = env.get(variables.user_id)
    user = user_by_id(client, recorded, variables.user_id) if recorded else None
    if user:
        yield Removal(
            what="service user",
            name=f"{user.username} ({user.id})",
            call="UserService/DeleteUser",
            body={"userId": user.id},
            note="with its PATs and roles",
        )
        return
    named = calls.user_named(client, name, recorded)
    user_id = env.get(variables.pat_user_id) or (named.id if named else "")
    if not user_id or not (env.get(variables.pat_expires) or env.get(variables.pats_made)):
        return
    for pat in made_pats(env, variables, calls.pats(client, user_id)):
        yield Removal(
            what="PAT of",
            name=f"{name} ({pat.id})",
            call="UserService/RemovePersonalAccessToken",
            body={"userId": user_id, "tokenId": pat.id},
        )


def _in_foreign_project(
    client: ManagementClient, env: EnvFile, wishes: SetupOptions, project: Project, application: Application | None
) -> Iterator[Removal]:
    """What setup made in a project that it found."""
    assignments = client.assignments(project_id=project.id)
    made = _made_assignment(client, env, wishes, project)
    if made:
        yield Removal(
            what="role for",
            name=made.user.login_name,
            call="AuthorizationService/DeleteAuthorization",
            body={"id": made.id},
        )
    if application:
        yield from _of_application(client, env, project, application)
    role = env.get(ROLE)
    if role and role in client.role_keys(project.id):
        ours = {env.get(READER.user_id), env.get(VISITOR.user_id)} - {""}
        others = [
            a for a in assignments if role in a.role_keys and a.user.id not in ours and (not made or a.id != made.id)
        ]
        if others:
            note = f"stays: {others[0].user.login_name} has it too"
            yield Removal(what="role", name=role, note=note, stays=True)
        else:
            body = {"projectId": project.id, "roleKey": role}
            yield Removal(what="role", name=role, call="ProjectService/RemoveProjectRole", body=body)


def _of_application(
    client: ManagementClient, env: EnvFile, project: Project, application: Application
) -> Iterator[Removal]:
    body = {"projectId": project.id, "applicationId": application.id}
    if application.ours:
        name = f"{application.name} ({application.id})"
        yield Removal(what="application", name=name, call="ApplicationService/DeleteApplication", body=body)
        return
    expires = calls.milliseconds(env.get(KEY_EXPIRES))
    for key in calls.keys(client, application.id) if expires is not None else ():
        if key.expires == expires:
            yield Removal(
                what="key of",
                name=f"{application.name} ({key.id})",
                call="ApplicationService/DeleteApplicationKey",
                body=body | {"keyId": key.id},
            )


def _made_assignment(
    client: ManagementClient, env: EnvFile, wishes: SetupOptions, project: Project
) -> RoleAssignment | None:
    noted = env.get(ASSIGNMENT_ID)
    user = calls.user_named(client, wishes.reader_name, "") if noted else None
    assignment = assignment_of(client, project, user) if user else None
    return assignment if assignment and noted in (PENDING, assignment.id) else None


def _lines(client: ManagementClient, env: EnvFile, issuer: str) -> Iterator[str]:
    """Setup's notes, and the settings that still have the values that setup gave them."""
    yield from (name for name in NOTES if name in env.values)
    written = env.written
    if domain_line(env.get("ZITADEL_DOMAIN"), issuer) == env.get("ZITADEL_DOMAIN"):
        yield from {"ZITADEL_DOMAIN"} & written
    if env.get(PROJECT_ID) in ("", env.get("ZITADEL_PROJECT_ID")):
        yield from {"ZITADEL_PROJECT_ID"} & written
    if env.get(CLIENT_ID) in ("", env.get("CLIENT_ID")):
        yield from {"CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE"} & written
    for variables in (READER, VISITOR):
        if variables.pat in written and _still_ours(client, env, variables):
            yield variables.pat


def _still_ours(client: ManagementClient, env: EnvFile, variables: PersonVariables) -> bool:
    """A token that lives and is another user's was put there by somebody else."""
    token = env.get(variables.pat)
    return not token or owner_of_token(client, token) in (None, env.get(variables.pat_user_id))
