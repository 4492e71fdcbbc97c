"""The few calls of ZITADEL's v2 API that zdemo needs: Connect protocol, JSON, an administrator's or any token.

ZITADEL's answers leave out defaults (empty lists, ``false``), and its lists trail writes by milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zdemo.errors import ConnectionFailed, ManagementError, UnusableAnswer
from zdemo.introspection import answer_error, introspection_error
from zdemo.transport import Answer, Transport

NOT_IMPLEMENTED = 501  # how the gRPC gateway of older ZITADELs answers paths that it does not have
PAGE_SIZE = 100
MOST_PAGES = 1000  # of a list; no project is that large, and an endless list would be read for ever
NO_PROJECT = "QUERY-fk2fs"
USER_SERVICE = "zitadel.user.v2.UserService"
PROJECT_SERVICE = "zitadel.project.v2.ProjectService"
APPLICATION_SERVICE = "zitadel.application.v2.ApplicationService"
ORGANIZATION_SERVICE = "zitadel.org.v2.OrganizationService"
AUTHORIZATION_SERVICE = "zitadel.authorization.v2.AuthorizationService"
NO_MEMBERSHIP = "AUTHZ-cdgFk"  # ZITADEL: valid token, its user is no administrator

LISTS = frozenset(("applications", "authorizations", "keys", "projectRoles", "projects", "result", "roles"))
OBJECTS = frozenset(("apiConfiguration", "application", "details", "organization", "pagination", "project", "user"))
"""What zdemo reads of answers that holds objects, and what is one."""

ADMIN_PAT_REFUSED = (
    "ZITADEL_ADMIN_PAT is not valid at this ZITADEL: deleted, expired, not copied whole, of another instance, "
    "or no PAT but a token that is not meant for ZITADEL's API",
    "create a new PAT for an administrator and set ZITADEL_ADMIN_PAT",
)
"""What is wrong when ZITADEL's API answers 401, and what to do."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A user; ``login_name`` is what a person knows it by."""

    id: str
    login_name: str


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """A role assignment (an authorization, in ZITADEL's v2 words). ``organization_id`` owns it."""

    id: str
    user: User
    project_id: str
    project_name: str
    organization_id: str
    organization_name: str
    active: bool
    role_keys: tuple[str, ...]


def role_assignment(row: Mapping[str, Any]) -> RoleAssignment:
    """A row of ``ListAuthorizations``; what is missing is empty."""
    user, project, organization = (row.get(part) or {} for part in ("user", "project", "organization"))
    return RoleAssignment(
        id=str(row.get("id", "")),
        user=User(id=str(user.get("id", "")), login_name=str(user.get("preferredLoginName", ""))),
        project_id=str(project.get("id", "")),
        project_name=str(project.get("name", "")),
        organization_id=str(organization.get("id", "")),
        organization_name=str(organization.get("name", "")),
        active=row.get("state") == "STATE_ACTIVE",
        role_keys=tuple(str(role.get("key", "")) for role in row.get("roles") or []),
    )


class ManagementClient:
    """Calls the management API with one bearer token.

    ``timeout_seconds`` is per call; with ``seconds_left``, a call takes no longer than that says when it begins.
    """

    def __init__(
        self, issuer: str, token: str, *, timeout_seconds: float, seconds_left: Callable[[], float] | None = None
    ) -> None:
        self._transport = Transport(issuer, setting="ZITADEL_DOMAIN")
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._seconds_left = seconds_left or (lambda: timeout_seconds)

    def call(self, service: str, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One unary Connect call.

        Raises:
            ManagementError: ZITADEL says no; in words that say what to do.
            IntrospectionError: no ZITADEL answered there, or it cannot now.
        """
        answer = self.request("POST", f"/{service}/{method}", body)
        said = answer.json()
        if answer.status == 200 and isinstance(said, dict) and _has_known_shape(said):
            return said
        raise management_error(answer)

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Answer:
        """One request with the bearer token, or with another; the answer, whatever it says.

        Raises:
            IntrospectionError: none came.
        """
        headers = {"Authorization": f"Bearer {token or self._token}", "Accept-Language": "en"}
        if body is not None:
            headers["Connect-Protocol-Version"] = "1"
        try:
            return self._transport.send(
                method,
                path,
                timeout_seconds=min(self._timeout_seconds, self._seconds_left()),
                headers=headers,
                json=None if body is None else dict(body),
            )
        except ConnectionFailed as failure:
            raise introspection_error(failure) from failure

    def rows(self, service: str, method: str, body: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page, oldest first.

        Raises:
            ManagementError, IntrospectionError: as of ``call``; or the list does not end.
        """
        offset = 0
        for _ in range(MOST_PAGES):
            page = {"offset": str(offset), "limit": PAGE_SIZE, "asc": True}
            answer = self.call(service, method, {**body, "pagination": page})
            found = answer.get(key) or []
            yield from found
            offset += len(found)
            if not found or offset >= _total(answer):
                return
        raise UnusableAnswer(
            f"ZITADEL's list does not end ({method}): after {MOST_PAGES} pages there are said to be more",
            hint="check ZITADEL_DOMAIN and what stands between: something there may send one page again and again",
        )

    def user(self, name: str) -> User | None:
        """The user with this login name, username or ID; ``None`` when the token's user sees no such one."""
        queries = [
            {"loginNameQuery": {"loginName": name, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}},
            {"userNameQuery": {"userName": name, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}},
            {"inUserIdsQuery": {"userIds": [name]}},
        ]
        answer = self.call(USER_SERVICE, "ListUsers", {"queries": [{"orQuery": {"queries": queries}}]})
        for row in answer.get("result") or []:
            return User(id=str(row.get("userId", "")), login_name=str(row.get("preferredLoginName", "")))
        return None

    def project(self, project_id: str) -> tuple[str, str]:
        """Name and owning organization's ID of a project."""
        found = self.call(PROJECT_SERVICE, "GetProject", {"projectId": project_id}).get("project") or {}
        return str(found.get("name", "")), str(found.get("organizationId", ""))

    def role_keys(self, project_id: str) -> list[str]:
        """The keys of the roles that are defined in a project."""
        rows = self.rows(PROJECT_SERVICE, "ListProjectRoles", {"projectId": project_id}, "projectRoles")
        return [str(row.get("key", "")) for row in rows]

    def assignments(self, *, project_id: str | None = None, user_id: str | None = None) -> list[RoleAssignment]:
        """The role assignments that the token's user may see: in a project, of a user, or both."""
        filters: list[dict[str, Any]] = []
        if project_id:
            filters.append({"projectId": {"id": project_id}})
        if user_id:
            filters.append({"inUserIds": {"ids": [user_id]}})
        rows = self.rows(AUTHORIZATION_SERVICE, "ListAuthorizations", {"filters": filters}, "authorizations")
        return [role_assignment(row) for row in rows]

    def assign(self, user_id: str, project_id: str, organization_id: str, role_keys: list[str]) -> None:
        """Create a role assignment."""
        body = {
            "userId": user_id,
            "projectId": project_id,
            "organizationId": organization_id,
            "roleKeys": role_keys,
        }
        self.call(AUTHORIZATION_SERVICE, "CreateAuthorization", body)

    def set_roles(self, assignment_id: str, role_keys: list[str]) -> None:
        """Replace the roles of an assignment."""
        self.call(AUTHORIZATION_SERVICE, "UpdateAuthorization", {"id": assignment_id, "roleKeys": role_keys})

    def activate(self, assignment_id: str) -> None:
        """Activate a deactivated assignment."""
        self.call(AUTHORIZATION_SERVICE, "ActivateAuthorization", {"id": assignment_id})

    def unassign(self, assignment_id: str) -> None:
        """Delete an assignment."""
        self.call(AUTHORIZATION_SERVICE, "DeleteAuthorization", {"id": assignment_id})

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _has_known_shape(answer: dict[str, Any]) -> bool:
    """Whether lists of objects and objects are where the v2 API has them; checked here, so that no reader need to."""
    waiting = [answer]
    while waiting:
        for name, value in waiting.pop().items():
            if value is None:
                continue
            if name in LISTS:
                if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
                    return False
                waiting += value
            elif name in OBJECTS:
                if not isinstance(value, dict):
                    return False
                waiting.append(value)
    return True


def _total(answer: Mapping[str, Any]) -> int:
    """How many rows a list has in all; 0 when that is not said."""
    try:
        return int(str((answer.get("pagination") or {}).get("totalResult", "0")))
    except ValueError:
        return 0


def management_error(answer: Answer) -> Exception:
    """The error that an answer of the management API means (ZITADEL v4; Connect error JSON)."""
    body = answer.json_object()
    code, text = str(body.get("code", "")), str(body.get("message", ""))
    if answer.status in (429, 502, 503, 504) or "unable to set instance" in answer.text:
        return answer_error(answer)
    if not text or answer.status in (200, NOT_IMPLEMENTED):
        kind = answer.media_type or "no media type"
        return UnusableAnswer(
            f"what answers at ZITADEL_DOMAIN is not ZITADEL's v2 API ({answer.status}, {kind})",
            hint="check ZITADEL_DOMAIN and what stands between; ZITADEL has this API since v4",
            answer=answer,
        )
    error_id = text.rpartition("(")[2].rstrip(")") if text.endswith(")") else ""
    message, hint = _words(answer.status, error_id, text)
    return ManagementError(message, hint=hint, status=answer.status, code=code, error_id=error_id)


def _words(status: int, error_id: str, text: str) -> tuple[str, str]:
    if status == 401:
        return ADMIN_PAT_REFUSED
    if error_id == NO_MEMBERSHIP:
        return (
            "ZITADEL_ADMIN_PAT is a valid token, but its user is no administrator (no membership)",
            "make its user ORG_OWNER of the organization (or IAM_OWNER), or use an administrator's PAT",
        )
    if status == 403:
        return (
            "the administrator role of ZITADEL_ADMIN_PAT's user is too small for this (no permission)",
            "make its user ORG_OWNER of the organization (or IAM_OWNER)",
        )
    if error_id == NO_PROJECT:
        return (
            "there is no project with the ID in ZITADEL_PROJECT_ID, or the administrator may not see it",
            "copy the ID from the project's page, or unset ZITADEL_PROJECT_ID: the API application's is taken then",
        )
    return f"ZITADEL says: {text}", ""
