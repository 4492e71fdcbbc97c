"""Ask ZITADEL and ``.env`` for everything that the plan depends on; changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zdemo.errors import CredentialsRefused, ManagementError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.management import resources
from zdemo.management.client import ManagementClient
from zdemo.management.model import Administrator, Application, Auth, Credential, Project, RoleAssignment, User
from zdemo.management.refusals import NO_MEMBERSHIP
from zdemo.management.role_assignments import wait_until
from zdemo.provisioning.current import READER, VISITOR, CredentialState, CurrentState, CurrentUser, UserFields
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.safety import check_same_zitadel
from zdemo.provisioning.state import IssuedCredential, SetupState, digest, lost_credentials

SETTLE_SECONDS = 0.3  # ZITADEL's reads were seen to trail its writes by 163 ms
NEW_SECRET_SECONDS = 0.5  # ZITADEL may refuse a new secret for 49 ms; an interrupted run may be that recent
MADE_UP_TOKEN = "zdemo-setup-tests-whether-its-credentials-are-accepted"  # noqa: S105  # never valid


@dataclass(frozen=True, kw_only=True)
class _Lookup:
    client: ManagementClient
    files: SetupFiles
    options: SetupOptions
    issuer: str
    timeout_seconds: float


def look(
    client: ManagementClient, files: SetupFiles, options: SetupOptions, *, issuer: str, timeout_seconds: float
) -> CurrentState:
    """Return what exists. Raises ZdemoError for what stands in the way of any plan."""
    lookup = _Lookup(client=client, files=files, options=options, issuer=issuer, timeout_seconds=timeout_seconds)
    state, admin = files.state, resources.administrator(client)
    settle(state)
    resources.list_assignments(client, user_id=admin.id)  # older ZITADELs lack this service: better known now
    with explained_membership(admin):
        project = _project(lookup, admin)
        application = _application(lookup, project)
        users = {READER: _user(lookup, READER, options.reader_name, admin)}
        users[VISITOR] = _user(lookup, VISITOR, options.visitor_name, admin)
    if not any(thing and state.owns(thing.id) for thing in (project, application, *users.values())):
        check_same_zitadel(state, files.path, issuer)
    auth = options.auth or (application.auth if application else Auth.BASIC)
    credentials = _credentials(lookup, application, auth)
    key_id = _key_id(lookup) if credentials is CredentialState.GOOD else ""
    lost_keys, issued_keys = _keys(lookup, application, key_id)
    return CurrentState(
        issuer=issuer,
        state=state,
        options=options,
        admin=admin,
        permissions=resources.list_permissions(client),
        project=project,
        role_keys=resources.list_roles(client, project.id) if project else (),
        application=application,
        credentials=credentials,
        lost_keys=lost_keys,
        issued_keys=issued_keys,
        reader=_current_user(lookup, READER, options.reader_name, users[READER], project),
        visitor=_current_user(lookup, VISITOR, options.visitor_name, users[VISITOR], project),
    )


def settle(state: SetupState) -> None:
    """Wait until ZITADEL's reads show what an interrupted run has written."""
    if state.unfinished:
        time.sleep(SETTLE_SECONDS)


@contextmanager
def explained_membership(admin: Administrator) -> Iterator[None]:
    """Say where the administrator has a role when it has none where an object of setup's is, or shall be."""
    try:
        yield
    except ManagementError as error:
        if error.error_id != NO_MEMBERSHIP or not admin.organizations:
            raise
        raise ZdemoError(
            f"{admin.login_name} is an administrator of {', '.join(admin.organizations)}, but what setup uses is in "
            f"another organization (new objects go to its own, {admin.organization_id})",
            hint="use the PAT of an administrator of the organization that holds the project, or shall hold it",
        ) from error


def _project(lookup: _Lookup, admin: Administrator) -> Project | None:
    """The project with the recorded ID, else with the name in the administrator's organization."""
    listed = resources.list_projects(
        lookup.client, name=lookup.options.project_name, organization_id=admin.organization_id
    )
    named = next((project for project in listed if project.organization_id == admin.organization_id), None)
    recorded = lookup.files.state.project_id
    return (resources.get_project(lookup.client, recorded) if recorded else None) or named


def _application(lookup: _Lookup, project: Project | None) -> Application | None:
    """The application with the recorded ID, else with the name in the project; the list is asked in any case."""
    listed = resources.list_applications(
        lookup.client, project_id=project.id if project else "", name=lookup.options.app_name
    )
    named = next(iter(listed), None)
    if project is None:
        return None
    recorded = lookup.files.state.application_id
    return (resources.get_application(lookup.client, recorded) if recorded else None) or named


def _user(lookup: _Lookup, fields: UserFields, name: str, admin: Administrator) -> User | None:
    """The user with the recorded ID, else with the name, in the administrator's organization before any other."""
    recorded = getattr(lookup.files.state, fields.user_id)
    if recorded and (user := resources.get_user(lookup.client, recorded)):
        return user
    listed = resources.list_users(lookup.client, username=name)
    return min(listed, key=lambda user: user.organization_id != admin.organization_id, default=None)


def _credentials(lookup: _Lookup, application: Application | None, auth: Auth) -> CredentialState:
    """Whether ZITADEL accepts what ``.env`` holds. Refusing a wrong secret costs ZITADEL much: few tries."""
    settings = lookup.files.settings(lookup.issuer, lookup.timeout_seconds)
    if application is None or settings is None or settings.client_id != application.client_id:
        return CredentialState.MISSING
    if (settings.key is not None) != (auth is Auth.KEY) or not application.active:
        return CredentialState.MISSING
    client = IntrospectionClient(settings)

    def accepted() -> bool:
        try:
            client.introspect(MADE_UP_TOKEN)
        except CredentialsRefused:
            return False
        return True

    try:
        found = wait_until(accepted, give_up_seconds=NEW_SECRET_SECONDS)
    finally:
        client.close()
    return CredentialState.REFUSED if found is None else CredentialState.GOOD


def _key_id(lookup: _Lookup) -> str:
    settings = lookup.files.settings(lookup.issuer, lookup.timeout_seconds)
    return settings.key.key_id if settings and settings.key else ""


def _keys(lookup: _Lookup, application: Application | None, used: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of setup's that were lost, and those that were written to a file."""
    issued = lookup.files.state.keys
    if application is None or not issued:
        return (), ()
    listed = _by_id(resources.list_application_keys(lookup.client, application.id))
    lost = lost_credentials(issued, listed, used)
    return lost, tuple(key.id for key in issued if key.id in listed)


def _by_id(listed: Iterable[Credential]) -> dict[str, int | None]:
    return {credential.id: credential.expires for credential in listed}


def _current_user(
    lookup: _Lookup, fields: UserFields, name: str, user: User | None, project: Project | None
) -> CurrentUser:
    token = lookup.files.get(fields.setting)
    owner = owner_of_token(lookup.client, token)
    if user is None or not user.machine:
        pat = CredentialState.OTHER if owner else CredentialState.REFUSED if token else CredentialState.MISSING
        return CurrentUser(fields=fields, name=name, user=user, pat=pat)
    states = {user.id: CredentialState.GOOD, None: CredentialState.REFUSED if token else CredentialState.MISSING}
    pat = states.get(owner, CredentialState.OTHER)
    listed = _by_id(resources.list_pats(lookup.client, user.id))
    issued: tuple[IssuedCredential, ...] = getattr(lookup.files.state, fields.pats)
    in_file = next((p for p in issued if p.digest and p.digest == digest(token)), None)
    dead = {in_file.id} & listed.keys() if in_file and pat is CredentialState.REFUSED else set()
    lost = {*lost_credentials(issued, listed, token), *dead}
    return CurrentUser(
        fields=fields,
        name=name,
        user=user,
        assignment=_assignment(lookup.client, project, user) if project else None,
        pat=pat,
        pat_expires=in_file.expires if in_file else None,
        lost=tuple(sorted(lost)),
        elsewhere=sum(1 for p in issued if p.id in listed and p is not in_file and p.id not in lost),
    )


def _assignment(client: ManagementClient, project: Project, user: User) -> RoleAssignment | None:
    """The assignment that the project's organization owns; there can be only one (ZITADEL)."""
    found = resources.list_assignments(client, project_id=project.id, user_id=user.id)
    return next((a for a in found if a.organization_id == project.organization_id), None)


def owner_of_token(client: ManagementClient, token: str) -> str | None:
    """Return the ID of a token's user, asked with the token itself; ``None`` for a dead one or no token at all."""
    sendable = bool(token) and token.isascii() and token.isprintable() and " " not in token
    return resources.user_id_of_token(client, token) if sendable else None
