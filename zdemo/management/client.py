"""The few calls of ZITADEL's v2 API that zdemo needs: Connect protocol, JSON, an administrator's or any token.

ZITADEL's answers leave out defaults (empty lists, ``false``), and its lists trail writes by milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zdemo.errors import ConnectionFailed, UnusableAnswer
from zdemo.http.response import Response
from zdemo.http.transport import Transport
from zdemo.introspection.refusals import introspection_error
from zdemo.management.model import RoleAssignment, User, role_assignment
from zdemo.management.refusals import management_error

PAGE_SIZE = 100
MOST_PAGES = 1000  # of a list; no project is that large, and an endless list would be read for ever
USER_SERVICE = "zitadel.user.v2.UserService"
PROJECT_SERVICE = "zitadel.project.v2.ProjectService"
APPLICATION_SERVICE = "zitadel.application.v2.ApplicationService"
ORGANIZATION_SERVICE = "zitadel.org.v2.OrganizationService"
AUTHORIZATION_SERVICE = "zitadel.authorization.v2.AuthorizationService"

LISTS = frozenset(("applications", "authorizations", "keys", "projectRoles", "projects", "result", "roles"))
OBJECTS = frozenset(("apiConfiguration", "application", "details", "organization", "pagination", "project", "user"))
"""What zdemo reads of answers that holds objects, and what is one."""


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
    ) -> Response:
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
