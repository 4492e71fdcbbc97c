"""What is there already: everything that the plan depends on, asked of ZITADEL and of ``.env``; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from zdemo.errors import CredentialsRefused, ManagementError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.model import Auth
from zdemo.management.refusals import NO_MEMBERSHIP
from zdemo.management.resources import Administrator, Application, Project, ServiceUser
from zdemo.management.role_assignments import wait_until
from zdemo.provisioning.by_id import application_by_id, project_by_id
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import APPLICATION_ID, CLIENT_ID, KEY_EXPIRES, KEY_ID, PROJECT_ID, READER, VISITOR
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.people import Person, find_user, look_at_person
from zdemo.provisioning.same_zitadel import check_place

NEW_SECRET_SECONDS = 0.5  # ZITADEL may refuse a new secret for as long as 49 ms; an interrupted run may be that recent
YOUNGEST = ("ApplicationService/ListApplications", "AuthorizationService/ListAuthorizations")
"""Asked before anything is made: they came to ZITADEL's v2 API last, and whoever may not see a row may ask."""

NOBODYS_TOKEN = "zdemo-setup-asks-whether-its-credentials-are-accepted-and-nothing-else"  # noqa: S105  # never valid


class Accepted(StrEnum):
    """What ``.env`` holds for the application."""

    GOOD = "good"  # introspection takes it
    MISSING = "missing"  # there is nothing, or it is of another application
    REFUSED = "refused"  # it is this application's by its client ID, and ZITADEL refuses it


@dataclass(frozen=True, kw_only=True)
class CurrentState:
    """All of it. ``permissions`` is ``None`` when ZITADEL does not tell; ``useless_keys`` are as a person's PATs.

    ``key_elsewhere``: one of those was written to a file, and may be in use.
    ``wishes`` name what setup made under other names than the usual ones, unless others are asked for.
    """

    issuer: str
    wishes: SetupOptions
    admin: Administrator
    permissions: frozenset[str] | None
    project: Project | None
    role_keys: tuple[str, ...]
    application: Application | None
    accepted: Accepted
    useless_keys: tuple[str, ...]
    key_elsewhere: bool
    reader: Person
    visitor: Person

    @property
    def persons(self) -> tuple[Person, Person]:
        """Both, the reader first."""
        return self.reader, self.visitor


def look(
    client: ManagementClient, env: EnvFile, wishes: SetupOptions, *, issuer: str, timeout_seconds: float
) -> CurrentState:
    """Ask for everything. Raises ZdemoError for what stands in the way of any plan."""
    admin = calls.administrator(client)
    with _membership_told(admin):
        project = find_project(client, env, wishes, admin)
    for service in YOUNGEST:
        calls.ask(client, service, pagination={"limit": 1})
    application = find_application(client, env, wishes, project)
    users = _users(client, env, wishes, admin)
    if not any(thing and thing.ours for thing in (project, application, *users)):
        check_place(env, env.get("ZITADEL_DOMAIN"), issuer)
    wishes = _adopted(wishes, project, application, users)
    auth = wishes.auth or (application.auth if application else Auth.BASIC)
    accepted = _accepted(env, application, auth, issuer, timeout_seconds)
    stays = accepted is Accepted.GOOD and not wishes.rotate_secret
    keys = _useless_keys(client, env, application, _key_id(env, issuer) if stays else "")
    return CurrentState(
        issuer=issuer,
        wishes=wishes,
        admin=admin,
        permissions=calls.permissions(client),
        project=project,
        role_keys=tuple(client.role_keys(project.id)) if project else (),
        application=application,
        accepted=accepted,
        useless_keys=keys,
        key_elsewhere=_was_written(env, keys),
        reader=look_at_person(client, env, READER, wishes.reader_name, users[0], project),
        visitor=look_at_person(client, env, VISITOR, wishes.visitor_name, users[1], project),
    )


def _users(
    client: ManagementClient, env: EnvFile, wishes: SetupOptions, admin: Administrator
) -> list[ServiceUser | None]:
    named = ((READER, wishes.reader_name), (VISITOR, wishes.visitor_name))
    return [find_user(client, env, variables, name, admin.organization_id) for variables, name in named]


def _adopted(
    wishes: SetupOptions, project: Project | None, application: Application | None, users: list[ServiceUser | None]
) -> SetupOptions:
    """With the names of what setup made, where nobody asked for others."""
    reader, visitor = users
    return wishes.adopting(
        project_name=project.name if project and project.ours else "",
        app_name=application.name if application and application.ours else "",
        reader_name=reader.username if reader and reader.ours else "",
        visitor_name=visitor.username if visitor and visitor.ours else "",
    )


@contextmanager
def _membership_told(admin: Administrator) -> Iterator[None]:
    """Who is no administrator here, but is one elsewhere, is told where."""
    try:
        yield
    except ManagementError as error:
        elsewhere = [o for o in admin.organizations if o != admin.organization_id]
        if error.error_id != NO_MEMBERSHIP or not elsewhere:
            raise
        raise ZdemoError(
            f"{admin.login_name} is an administrator of another organization ({', '.join(elsewhere)}), and not of "
            f"its own ({admin.organization_id}), where setup would make things",
            hint="make it ORG_OWNER of its own organization, or use the PAT of an administrator who belongs to the "
            "organization that shall hold the project",
        ) from error


def find_project(client: ManagementClient, env: EnvFile, wishes: SetupOptions, admin: Administrator) -> Project | None:
    """By the ID that setup chose, else by name in the administrator's organization."""
    recorded = env.get(PROJECT_ID)
    named = {"projectName": wishes.project_name, "method": calls.IGNORE_CASE}
    filters = [{"projectNameFilter": named}, {"organizationIdFilter": {"organizationId": admin.organization_id}}]
    rows = calls.ask(client, "ProjectService/ListProjects", filters=filters).get("projects") or []
    if recorded and (project := project_by_id(client, recorded)):
        return project
    listed = (calls.project_of(row, recorded) for row in rows)
    return next((p for p in listed if p.organization_id == admin.organization_id), None)


def find_application(
    client: ManagementClient, env: EnvFile, wishes: SetupOptions, project: Project | None
) -> Application | None:
    """By the ID that setup chose, else by name in the project."""
    recorded = env.get(APPLICATION_ID)
    if project is None:
        return None
    if recorded and (application := application_by_id(client, recorded)):
        return application
    named = {"name": wishes.app_name, "method": calls.IGNORE_CASE}
    filters = [{"projectIdFilter": {"projectId": project.id}}, {"nameFilter": named}]
    rows = calls.ask(client, "ApplicationService/ListApplications", filters=filters).get("applications") or []
    return next((calls.application_of(row, recorded) for row in rows), None)


def _accepted(
    env: EnvFile, application: Application | None, auth: Auth, issuer: str, timeout_seconds: float
) -> Accepted:
    """Whether ZITADEL takes what ``.env`` holds; a wrong pair is dear for it, so it is asked a few times at most."""
    settings = env.settings(issuer, timeout_seconds)
    if application is None or settings is None or settings.client_id != application.client_id:
        return Accepted.MISSING
    if (settings.key is not None) != (auth is Auth.KEY) or not application.active:
        return Accepted.MISSING
    client = IntrospectionClient(settings)

    def taken() -> bool:
        try:
            client.introspect(NOBODYS_TOKEN)
        except CredentialsRefused:
            return False
        return True

    try:
        return Accepted.GOOD if wait_until(taken, give_up_seconds=NEW_SECRET_SECONDS) is not None else Accepted.REFUSED
    finally:
        client.close()


def _key_id(env: EnvFile, issuer: str) -> str:
    settings = env.settings(issuer, 1)
    return settings.key.key_id if settings and settings.key else ""


def _useless_keys(
    client: ManagementClient, env: EnvFile, application: Application | None, used: str
) -> tuple[str, ...]:
    """The keys that setup made, found by their time of expiry, which need not be kept.

    While one is in use, a person's own say, the one that was written down last may be so elsewhere.
    """
    expires = calls.milliseconds(env.get(KEY_EXPIRES))
    if application is None or expires is None:
        return ()
    kept = {used, env.get(KEY_ID)} if used else set()
    return tuple(key.id for key in calls.keys(client, application.id) if key.expires == expires and key.id not in kept)


def _was_written(env: EnvFile, keys: tuple[str, ...]) -> bool:
    """Whether one of the keys went to a file; ``.env`` files of before tell only that the last one did."""
    return env.get(KEY_ID) in keys if env.get(KEY_ID) else bool(keys and env.get(CLIENT_ID))
