"""Look up, with an administrator's PAT, what tells the causes of a refusal apart; it changes nothing.

A module of its own because it is the one place that asks ZITADEL about applications, users and PATs of others. What
it finds are facts (``diagnosis.records``); whatever fails on the way makes them ``None``: no proof, no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis import (
    DECISIVE_EVENTS,
    ApplicationRecord,
    ClientRecords,
    KeyRecord,
    PatRecords,
    paste_problem,
    quoted,
)
from zdemo.errors import ManagementError, ZdemoError
from zdemo.management.client import (
    APPLICATION_SERVICE,
    ORGANIZATION_SERVICE,
    PROJECT_SERVICE,
    USER_SERVICE,
    ManagementClient,
)
from zdemo.management.model import RoleAssignment, UserEvent
from zdemo.management.refusals import NO_MEMBERSHIP
from zdemo.management.resources import find_user
from zdemo.provisioning import issued_pat

BY_HAND = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")  # where a person may say whose PAT it is, and which

MY_MEMBERSHIPS = "/auth/v1/memberships/me/_search"
EVENTS = "/admin/v1/events/_search"
MOST_EVENTS = 1000  # ZITADEL gives no more at a time
NO_USER = "QUERY-Dfbg2"  # ZITADEL: the user is not there; other refusals do not say so


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


def usable_admin_pat(environment: Environment) -> str | None:
    """The administrator's PAT, if there is one and it can be sent."""
    pat = environment.get("ZITADEL_ADMIN_PAT", "").strip()
    return pat if pat and paste_problem(pat) is None else None


class AdminLookup:
    """Asks with an administrator's PAT, for no longer than ``seconds_left`` says."""

    def __init__(self, issuer: str, admin_pat: str, *, seconds_left: Callable[[], float]) -> None:
        self._client = ManagementClient(issuer, admin_pat, timeout_seconds=seconds_left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def client(self, settings: Settings) -> ClientRecords | None:
        """What our client ID is, and whether all that it stands in is active."""
        try:
            whole = self._sees_everything()
            row = self._application(settings.client_id)
            if row is None:
                instead, right = self._instead(settings.client_id)
                return ClientRecords(whole_instance=whole, instead=instead, right=right)
            return ClientRecords(whole_instance=whole, application=self._record(row, settings))
        except (ZdemoError, TypeError, ValueError, AttributeError):  # refused, or no answer of the shape that is known
            return None

    def pat(self, ids: PatIds) -> PatRecords | None:
        """The user and the state of a PAT."""
        try:
            user = self._user(ids.user)
            user_id = ids.user if user is None else str(user.get("userId", ""))
            events = self._events(user_id)
            return PatRecords(
                user=_user_words(user, ids.user),
                user_id=user_id if user or user_id.isdigit() else "",
                state="REMOVED" if user is None else str(user.get("state", "")).removeprefix("USER_STATE_"),
                pat_id=ids.pat_id,
                pats=None if user is None else self._pats(user_id),
                events=events,
                all_events=events is None or len(events) < MOST_EVENTS,
                variable=ids.variable,
                named_by=ids.named_by,
            )
        except (ZdemoError, TypeError, ValueError, AttributeError):  # as above
            return None

    def assignments(self, user_id: str, role: str) -> tuple[RoleAssignment, ...] | None:
        """A user's role assignments; ``None`` when one that holds the role may be among those that are not seen."""
        try:
            found = tuple(self._client.assignments(user_id=user_id))
            whole = any(role in assignment.role_keys for assignment in found) or self._sees_everything()
        except (ZdemoError, TypeError, ValueError, AttributeError):  # as above
            return None
        return found if whole else None

    def _sees_everything(self) -> bool:
        answer = self._client.request("POST", MY_MEMBERSHIPS, {})
        rows = answer.json_object().get("result") or []
        return any(row.get("iam") is True for row in rows)

    def _application(self, client_id: str) -> dict[str, Any] | None:
        """ZITADEL has no filter for client IDs: page through all."""
        rows = self._client.rows(APPLICATION_SERVICE, "ListApplications", {}, "applications")
        return next((row for row in rows if _configuration(row).get("clientId") == client_id), None)

    def _instead(self, some_id: str) -> tuple[str, str]:
        """What has this as its own ID, and the client ID of that if it has one."""
        if found := self._get(APPLICATION_SERVICE, "GetApplication", "application", applicationId=some_id):
            name = quoted(found.get("name"), 60)
            return f"the application {name} itself (its resource ID)", str(_configuration(found).get("clientId", ""))
        if found := self._get(PROJECT_SERVICE, "GetProject", "project", projectId=some_id):
            return f"the project {quoted(found.get('name'), 60)}", ""
        if found := self._get(USER_SERVICE, "GetUserByID", "user", userId=some_id):
            return f"the user {_user_words(found, some_id)}", ""
        return "", ""

    def _get(self, service: str, method: str, key: str, **body: str) -> dict[str, Any] | None:
        """One object by its ID; ``None`` when there is none.

        Raises:
            ManagementError: the administrator may not see it.
        """
        try:
            found = self._client.call(service, method, body).get(key)
        except ManagementError as error:
            if error.status in (400, 404) and error.error_id != NO_MEMBERSHIP:
                return None
            raise
        return found if isinstance(found, dict) else None

    def _record(self, row: Mapping[str, Any], settings: Settings) -> ApplicationRecord:
        application_id = str(row.get("applicationId", ""))
        project = self._project(row, settings.project_id)
        organization = self._organization(str(project.get("organizationId", "")))
        return ApplicationRecord(
            id=application_id,
            name=str(row.get("name", "")),
            active=row.get("state") == "APPLICATION_STATE_ACTIVE",
            method=str(_configuration(row).get("authMethodType", "")),
            changed_since_creation=row.get("changeDate") != row.get("creationDate"),
            project_id=str(project.get("projectId", "")),
            project_name=str(project.get("name", "")),
            project_active=project.get("state") == "PROJECT_STATE_ACTIVE" if project else None,
            organization_name=str(organization.get("name", "")),
            organization_active=organization.get("state") == "ORGANIZATION_STATE_ACTIVE" if organization else None,
            keys=self._keys(application_id) if settings.key else None,
        )

    def _project(self, row: Mapping[str, Any], likely: str | None) -> Mapping[str, Any]:
        """The application's project. Not all versions name it in the row: then each project is asked for the name."""
        projects = list(self._client.rows(PROJECT_SERVICE, "ListProjects", {}, "projects"))
        first = row.get("projectId") or likely
        for project in sorted(projects, key=lambda p: p.get("projectId") != first):
            filters = [{"projectIdFilter": {"projectId": project.get("projectId")}}]
            if row.get("projectId") == project.get("projectId"):
                return project
            found = self._client.rows(APPLICATION_SERVICE, "ListApplications", {"filters": filters}, "applications")
            if any(other.get("applicationId") == row.get("applicationId") for other in found):
                return project
        return {}

    def _organization(self, organization_id: str) -> Mapping[str, Any]:
        if not organization_id:
            return {}
        queries = [{"idQuery": {"id": organization_id}}]
        rows = self._client.call(ORGANIZATION_SERVICE, "ListOrganizations", {"queries": queries}).get("result") or []
        return next(iter(rows), {})

    def _keys(self, application_id: str) -> tuple[KeyRecord, ...]:
        filters = [{"applicationIdFilter": {"applicationId": application_id}}]
        rows = self._client.rows(APPLICATION_SERVICE, "ListApplicationKeys", {"filters": filters}, "keys")
        return tuple(_key(row, "keyId") for row in rows)

    def _user(self, name: str) -> dict[str, Any] | None:
        """A user by ID or login name; ``None`` when there is none by that ID."""
        if not name.isdigit() and (found := find_user(self._client, name)):
            name = found.id
        try:
            user = self._client.call(USER_SERVICE, "GetUserByID", {"userId": name}).get("user")
        except ManagementError as error:
            if error.error_id == NO_USER:
                return None
            raise
        if not isinstance(user, dict):
            raise TypeError("no user in the answer")
        return user

    def _pats(self, user_id: str) -> tuple[KeyRecord, ...]:
        filters = [{"userIdFilter": {"id": user_id}}]
        rows = self._client.rows(USER_SERVICE, "ListPersonalAccessTokens", {"filters": filters}, "result")
        return tuple(_key(row, "id") for row in rows)

    def _events(self, user_id: str) -> tuple[UserEvent, ...] | None:
        """What happened to a user, latest first; ``None`` when the administrator may not read that: an IAM role may."""
        body = {
            "aggregateId": user_id,
            "aggregateTypes": ["user"],
            "eventTypes": list(DECISIVE_EVENTS),
            "limit": MOST_EVENTS,
        }
        answer = self._client.request("POST", EVENTS, body)
        if answer.status != 200 or not isinstance(answer.json(), dict):
            return None
        return tuple(_event(row) for row in answer.json_object().get("events") or [])


def _configuration(row: Mapping[str, Any]) -> Mapping[str, Any]:
    found = row.get("apiConfiguration") or row.get("oidcConfiguration") or {}
    return found if isinstance(found, dict) else {}


def _user_words(user: Mapping[str, Any] | None, otherwise: str) -> str:
    names = (user.get("preferredLoginName"), user.get("username")) if user else ()
    return quoted(next((name for name in names if name), otherwise), 60)


def _key(row: Mapping[str, Any], name: str) -> KeyRecord:
    expires = str(row.get("expirationDate", ""))
    return KeyRecord(id=str(row.get(name, "")), expires=quoted(expires, 40), expires_at=_epoch(expires))


def _epoch(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):  # no time, or one that no clock reaches: ZITADEL's year 9999
        return None


def _event(row: Mapping[str, Any]) -> UserEvent:
    return UserEvent(
        type=str((row.get("type") or {}).get("type", "")),
        when=quoted(row.get("creationDate"), 40),
        sequence=int(row.get("sequence", 0)),
        pat_id=str((row.get("payload") or {}).get("tokenId", "")),
    )
