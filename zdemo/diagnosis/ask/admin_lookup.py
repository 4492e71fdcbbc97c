"""Look up, with an administrator's PAT, what a refused client ID or a dead PAT belongs to; nothing is changed."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from zdemo.config.address import ADMIN_PAT, ZitadelAddress, why_withheld
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import ClientRecords, PatRecords
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.rules.inactive_pat import DECISIVE_EVENTS
from zdemo.diagnosis.rules.token_form import paste_problem
from zdemo.errors import ZdemoError
from zdemo.setup.state_file import issued_pat
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.own_user import list_memberships, manager_roles
from zdemo.zitadel.records import Application, Project, RoleAssignment, User
from zdemo.zitadel.resources import (
    MOST_EVENTS,
    find_application,
    find_user,
    get_application,
    get_organization,
    get_project,
    get_user,
    list_application_keys,
    list_applications,
    list_assignments,
    list_pats,
    list_projects,
    list_user_events,
)

BY_HAND = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")  # where a person may say whose PAT it is, and which


@dataclass(frozen=True, kw_only=True)
class PatIds:
    """Whose PAT a token is, and which. ``pat_id`` may be empty.

    ``user`` is an ID or a login name. ``variable`` holds the PAT; ``named_by`` are the variables that hold the IDs,
    empty when setup's state file proves that the IDs are this token's.
    """

    user: str
    pat_id: str = ""
    variable: str = "PAT"
    named_by: tuple[str, ...] = BY_HAND


def pat_ids(environment: Environment, token: str) -> PatIds | None:
    """Return the IDs of this token from setup's state file, else from variables; ``None`` when they are not known.

    Variables count only from the place where the token comes from: from elsewhere they are most likely another token's.
    """
    if issued := issued_pat(environment.file, token):
        return PatIds(variable=issued[0], user=issued[1], pat_id=issued[2], named_by=())
    user, pat_id = (environment.get(name, "").strip() for name in BY_HAND)
    same_place = environment.source("PAT") == environment.source(BY_HAND[0])
    if not user or not same_place or environment.get("PAT", "").strip() != token.strip():
        return None
    return PatIds(user=user, pat_id=pat_id, named_by=BY_HAND if pat_id else BY_HAND[:1])


def usable_admin_pat(environment: Environment, zitadel: ZitadelAddress) -> str | None:
    """Return the administrator's PAT, if there is one and it can be sent to this ZITADEL."""
    pat = environment.get(ADMIN_PAT, "").strip()
    return pat if pat and not unusable_admin_pat(environment, zitadel) else None


def unusable_admin_pat(environment: Environment, zitadel: ZitadelAddress) -> str:
    """Return what to do so that the administrator's PAT that is set can be sent; empty when it can, or none is set."""
    pat = environment.get(ADMIN_PAT, "").strip()
    if pat and (problem := paste_problem(pat)):
        return f"correct {ADMIN_PAT}: {problem.cause}"
    withheld = why_withheld(environment, zitadel)
    return f"{ADMIN_PAT} was not sent, because only .env names this address; {withheld[1]}" if withheld else ""


class AdminLookup:
    """Looks up records with an administrator's PAT; each is ``None`` when ZITADEL refuses, or does not answer."""

    def __init__(self, zitadel: ZitadelAddress, admin_pat: str, *, seconds_left: Callable[[], float]) -> None:
        self._client = ManagementClient(zitadel, admin_pat, timeout_seconds=seconds_left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def client(self, settings: Settings) -> ClientRecords | None:
        """Return what the client ID belongs to."""
        try:
            whole = self._sees_everything()
            application = find_application(self._client, settings.client_id)
            if application is None:
                with_own_id = get_application(self._client, settings.client_id)
                return ClientRecords(whole_instance=whole, with_own_id=with_own_id)
            project = self._project(application, settings.project_id)
            return ClientRecords(
                whole_instance=whole,
                application=application,
                project=project,
                organization=get_organization(self._client, project.organization_id) if project else None,
                keys=list_application_keys(self._client, application.id) if settings.key else None,
            )
        except ZdemoError:
            return None

    def pat(self, ids: PatIds) -> PatRecords | None:
        """Return the user and the state of a PAT."""
        try:
            user = (None if ids.user.isdigit() else find_user(self._client, ids.user)) or get_user(
                self._client, ids.user
            )
            user_id = user.id if user else ids.user
            events = list_user_events(self._client, user_id, DECISIVE_EVENTS)
            return PatRecords(
                user=_name(user, ids.user),
                user_id=user_id if user or user_id.isdigit() else "",
                state=user.state if user else "REMOVED",
                pat_id=ids.pat_id,
                pats=list_pats(self._client, user_id) if user else None,
                events=events,
                all_events=events is None or len(events) < MOST_EVENTS,
                variable=ids.variable,
                named_by=ids.named_by,
            )
        except ZdemoError:
            return None

    def assignments(self, user_id: str, role: str) -> tuple[RoleAssignment, ...] | None:
        """Return a user's role assignments; ``None`` when one that holds the role may be invisible."""
        try:
            found = list_assignments(self._client, user_id=user_id)
            whole = any(role in assignment.role_keys for assignment in found) or self._sees_everything()
        except ZdemoError:
            return None
        return found if whole else None

    def rights(self) -> tuple[str, ...] | None:
        """Return the administrator roles of the administrator's PAT."""
        try:
            return manager_roles(self._client)
        except ZdemoError:
            return None

    def _sees_everything(self) -> bool:
        return any(membership.whole_instance for membership in list_memberships(self._client))

    def _project(self, application: Application, likely: str | None) -> Project | None:
        """Return the application's project. Some versions of ZITADEL do not name it: then search in each project."""
        if application.project_id:
            return get_project(self._client, application.project_id)
        for project in sorted(list_projects(self._client), key=lambda project: project.id != likely):
            if application.id in [other.id for other in list_applications(self._client, project_id=project.id)]:
                return project
        return None


def _name(user: User | None, otherwise: str) -> str:
    return quoted((user and (user.login_name or user.username)) or otherwise, 60)
