"""Lists of what is in a project, and of what belongs to a user or an application: also how much of it is hidden.

ZITADEL leaves out the rows that the token's user may not see, but counts them. Every function raises what
``ManagementClient.listing`` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from zdemo.management.client import (
    ADMINISTRATOR_SERVICE,
    APPLICATION_SERVICE,
    AUTHORIZATION_SERVICE,
    PROJECT_SERVICE,
    USER_SERVICE,
    ManagementClient,
)
from zdemo.management.model import (
    AdministratorRoles,
    Application,
    Credential,
    ProjectGrant,
    Role,
    RoleAssignment,
    read_administrator_roles,
    read_application,
    read_assignment,
    read_credential,
    read_project_grant,
    read_role,
)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[T]):
    """The objects that the token's user may see, and how many others there are (``hidden``)."""

    objects: tuple[T, ...]
    hidden: int


def applications_of_project(client: ManagementClient, project_id: str) -> Listing[Application]:
    """List the applications of a project."""
    body = _filtered(projectIdFilter={"projectId": project_id})
    return _listing(client, APPLICATION_SERVICE, "ListApplications", body, "applications", read_application)


def roles_of_project(client: ManagementClient, project_id: str) -> Listing[Role]:
    """List the roles of a project."""
    body = {"projectId": project_id}
    return _listing(client, PROJECT_SERVICE, "ListProjectRoles", body, "projectRoles", read_role)


def grants_of_project(client: ManagementClient, project_id: str) -> Listing[ProjectGrant]:
    """List the organizations that may assign roles of a project."""
    body = _filtered(inProjectIdsFilter={"ids": [project_id]})
    return _listing(client, PROJECT_SERVICE, "ListProjectGrants", body, "projectGrants", read_project_grant)


def assignments_of_project(client: ManagementClient, project_id: str) -> Listing[RoleAssignment]:
    """List the role assignments of a project."""
    return _assignments(client, projectId={"id": project_id})


def assignments_of_user(client: ManagementClient, user_id: str) -> Listing[RoleAssignment]:
    """List the role assignments of a user."""
    return _assignments(client, inUserIds={"ids": [user_id]})


def administrators_of_project(client: ManagementClient, project_id: str) -> Listing[AdministratorRoles]:
    """List the users that have an administrator role for a project."""
    return _administrators(client, resource={"projectId": project_id})


def administrator_roles_of_user(client: ManagementClient, user_id: str) -> Listing[AdministratorRoles]:
    """List the administrator roles of a user."""
    return _administrators(client, inUserIdsFilter={"ids": [user_id]})


def pats_of_user(client: ManagementClient, user_id: str) -> Listing[Credential]:
    """List the personal access tokens of a user, dead ones included."""
    body = _filtered(userIdFilter={"id": user_id})
    return _listing(client, USER_SERVICE, "ListPersonalAccessTokens", body, "result", read_credential)


def keys_of_user(client: ManagementClient, user_id: str) -> Listing[Credential]:
    """List the keys of a service user."""
    body = _filtered(userIdFilter={"id": user_id})
    return _listing(client, USER_SERVICE, "ListKeys", body, "result", read_credential)


def keys_of_application(client: ManagementClient, application_id: str) -> Listing[Credential]:
    """List the keys of an application."""
    body = _filtered(applicationIdFilter={"applicationId": application_id})
    return _listing(client, APPLICATION_SERVICE, "ListApplicationKeys", body, "keys", read_credential)


def _assignments(client: ManagementClient, **by: Mapping[str, Any]) -> Listing[RoleAssignment]:
    body = _filtered(**by)
    return _listing(client, AUTHORIZATION_SERVICE, "ListAuthorizations", body, "authorizations", read_assignment)


def _administrators(client: ManagementClient, **by: Mapping[str, Any]) -> Listing[AdministratorRoles]:
    body, read = _filtered(**by), read_administrator_roles
    return _listing(client, ADMINISTRATOR_SERVICE, "ListAdministrators", body, "administrators", read)


def _filtered(**by: Mapping[str, Any]) -> dict[str, Any]:
    return {"filters": [by]}


def _listing(
    client: ManagementClient,
    service: str,
    method: str,
    body: Mapping[str, Any],
    key: str,
    read: Callable[[Mapping[str, Any]], T],
) -> Listing[T]:
    listed = client.listing(service, method, body, key)
    return Listing(objects=tuple(map(read, listed.rows)), hidden=listed.hidden)
