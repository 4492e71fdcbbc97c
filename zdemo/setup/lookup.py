"""Ask ZITADEL and ``.env`` for everything that the plan depends on; changes nothing."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from zdemo.config.address import ADMIN_PAT
from zdemo.config.new_dotenv import usable_at
from zdemo.config.variables import is_public
from zdemo.errors import CredentialsRefused, ManagementError, SettingsError, UnusableAnswer, ZdemoError
from zdemo.setup.current import READER, VISITOR, CredentialState, CurrentState, CurrentUser, SetupOptions, UserFields
from zdemo.setup.plan import NOTHING_CHANGED, domain_line
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.state_file import SetupState, aside, digest, lost_credentials, state_path
from zdemo.text.masking import B64TOKEN
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import TOO_OLD, ManagementClient
from zdemo.zitadel.records import Application, Auth, Credential, Project, User

# how long to wait after an interrupted run: ZITADEL's reads trail its writes by 163 ms, a new secret is refused for 49
SETTLE_SECONDS = 0.3
MADE_UP_TOKEN = "zdemo-setup-tests-whether-its-credentials-are-accepted"  # noqa: S105  # never valid


def look(client: ManagementClient, files: SetupFiles, options: SetupOptions) -> CurrentState:
    """Return what exists. Raises ZdemoError for what stands in the way of any plan."""
    state, admin = files.state, resources.administrator(client)
    if state.unfinished:
        time.sleep(SETTLE_SECONDS)
    try:
        resources.list_assignments(client, user_id=admin.id)  # older ZITADELs lack this service: better known now
    except UnusableAnswer as error:
        if error.answer and error.answer.status in (404, 501):
            raise ManagementError(TOO_OLD[0], hint=TOO_OLD[1], answer=error.answer) from error
        raise
    names = {READER: options.reader_name, VISITOR: options.visitor_name}
    home = admin.organization_id
    projects = resources.list_projects(client, name=options.project_name, organization_id=home)
    named = next((project for project in projects if project.organization_id == home), None)
    project = resources.get_project(client, state.shared_project_id or state.project_id) or named
    application = _application(client, project, state.application_id, options.app_name)
    login_app = _application(client, project, state.login_app_id, options.login_app_name)
    users = _users(client, state, names, admin)
    options = _with_own_names(options, state, (project, application, *users.values()))
    names = {READER: options.reader_name, VISITOR: options.visitor_name}
    if not any(thing and state.owns(thing.id) for thing in (project, application, *users.values())):
        check_same_zitadel(files, client.zitadel.issuer)
    auth = options.auth or (application.auth if application else Auth.BASIC)
    credentials, key_id = _credentials(client, files, application, auth)
    keys = expiries(resources.list_application_keys(client, application.id)) if application and state.keys else {}
    rotates = options.rotate_secret or state.rotating
    issued = [key.id for key in state.keys if rotates and key.id in keys and keys[key.id] == key.expires]
    reader, visitor = (_current_user(client, files, of, name, users[of], project) for of, name in names.items())
    return CurrentState(
        issuer=client.zitadel.issuer,
        state=state,
        options=options,
        admin=admin,
        permissions=resources.list_permissions(client),
        project=project,
        role_keys=resources.list_roles(client, project.id) if project else (),
        application=application,
        auth=auth,
        credentials=credentials,
        rotates=rotates,
        old_keys=(*lost_credentials(state.keys, keys, key_id), *issued),
        reader=reader,
        visitor=visitor,
        login_app=login_app,
        organization=resources.get_organization(client, client.organization_id),
        foreign_admin_pat=is_public(admin_pat := files.get(ADMIN_PAT)) and not client.has_token(admin_pat),
    )


def _with_own_names(
    options: SetupOptions, state: SetupState, things: Iterable[Project | Application | User | None]
) -> SetupOptions:
    """Return the options with the names of what setup used where no option gives another than the default."""
    fields = ("project_name", "app_name", "reader_name", "visitor_name")
    own: dict[str, Any] = {
        field: thing.username if isinstance(thing, User) else thing.name
        for field, thing in zip(fields, things, strict=True)
        if thing and (state.owns(thing.id) or thing.id == state.shared_project_id)
        if getattr(options, field) == getattr(SetupOptions, field)
    }
    role = state.assignment_role if options.role == SetupOptions.role else ""
    return replace(options, **own, role=role or options.role)


def _application(client: ManagementClient, project: Project | None, recorded_id: str, name: str) -> Application | None:
    """Return the recorded application, or that with the name; ``None`` without a name."""
    project_id = project.id if project else ""  # asked without one, too: older ZITADELs lack this service
    named = resources.list_applications(client, project_id=project_id, name=name) if name else ()
    if project is None:
        return None
    recorded = resources.get_application(client, recorded_id) if name else None
    return recorded or next(iter(named), None)


def check_same_zitadel(files: SetupFiles, issuer: str) -> None:
    """Raise ZdemoError when the state, none of whose objects is at ``issuer``, was recorded at another address."""
    place, path = files.state.zitadel, state_path(files.path)
    if place and domain_line(place, issuer) != place:
        what = f"{path} belongs to the ZITADEL at {place}, and none of its objects is at {issuer}; {NOTHING_CHANGED}"
        other = f"add --domain {place}, or use another --env-file for {issuer}"
        raise ZdemoError(what, hint=(other, aside(path, "old")))


def _users(
    client: ManagementClient, state: SetupState, names: Mapping[UserFields, str], admin: User
) -> dict[UserFields, User | None]:
    """Return the users with the recorded IDs, else with the names, in the administrator's organization first."""
    users = {of: resources.get_user(client, getattr(state, of.user_id)) for of in names}
    missing = {of: name for of, name in names.items() if not users.get(of)}
    listed = resources.list_users(client, usernames=missing.values())
    for of, name in missing.items():
        named = [user for user in listed if user.username.casefold() == name.casefold()]
        users[of] = min(named, key=lambda user: user.organization_id != admin.organization_id, default=None)
    return users


def _credentials(
    client: ManagementClient, files: SetupFiles, application: Application | None, auth: Auth
) -> tuple[CredentialState, str]:
    """Return whether ZITADEL accepts what ``.env`` holds, and the ID of the key if that is one that it accepts."""
    try:
        settings = files.settings(client)
    except SettingsError:
        return CredentialState.MISSING, ""
    is_its_own = application is not None and application.active and settings.client_id == application.client_id
    if not is_its_own or (settings.key is not None) != (auth is Auth.KEY):
        return CredentialState.MISSING, ""
    with closing(IntrospectionClient(settings)) as introspector:
        try:
            introspector.introspect(MADE_UP_TOKEN)
        except CredentialsRefused:
            return CredentialState.REFUSED, ""
    return CredentialState.GOOD, settings.key.key_id if settings.key else ""


def expiries(listed: Iterable[Credential]) -> dict[str, int | None]:
    """Return when each credential expires (milliseconds since 1970), by its ID."""
    return {credential.id: credential.expires for credential in listed}


def _current_user(
    client: ManagementClient,
    files: SetupFiles,
    fields: UserFields,
    name: str,
    user: User | None,
    project: Project | None,
) -> CurrentUser:
    token = usable_at(client.zitadel.issuer, files.get(fields.setting))
    owner = resources.user_id_of_token(client, token) if B64TOKEN.fullmatch(token) else None
    if owner is None:
        pat = CredentialState.REFUSED if token else CredentialState.MISSING
    else:
        pat = CredentialState.GOOD if user and user.id == owner else CredentialState.OTHER
    if user is None or not user.machine:
        return CurrentUser(fields=fields, name=name, user=user, pat=pat)
    listed, issued = expiries(resources.list_pats(client, user.id)), fields.issued(files.state)
    in_file = next((p for p in issued if p.digest and p.digest == digest(token)), None)
    dead = [p.id for p in issued if p is in_file and listed.get(p.id) == p.expires and pat is CredentialState.REFUSED]
    assignments = resources.list_assignments(client, project_id=project.id, user_id=user.id) if project else ()
    return CurrentUser(
        fields=fields,
        name=name,
        user=user,  # the project's organization owns one assignment at most (ZITADEL)
        assignment=next((a for a in assignments if project and a.organization_id == project.organization_id), None),
        pat=pat,
        pat_expires=in_file.expires if in_file else None,
        lost=tuple(sorted({*lost_credentials(issued, listed, token), *dead})),
    )
