"""The objects of ZITADEL, typed: find, list, create, change and remove them.

Lists trail writes (ZITADEL: by milliseconds), so an object that was just created is read by its ID. ``get_…`` returns
``None`` when there is no such object. ``remove_…`` and ``delete_…`` count an object that is already gone as removed.
Every function raises what ``ManagementClient.call`` raises.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from zdemo.errors import ManagementError, UnusableAnswer
from zdemo.zitadel.management import (
    APPLICATION_SERVICE,
    AUTHORIZATION_SERVICE,
    ORGANIZATION_SERVICE,
    PROJECT_SERVICE,
    USER_SERVICE,
    ManagementClient,
    is_missing,
    management_error,
)
from zdemo.zitadel.records import (
    KEY_METHOD,
    Application,
    Auth,
    Credential,
    NewApplication,
    NewCredential,
    Organization,
    Project,
    ProjectGrant,
    RoleAssignment,
    User,
    UserEvent,
    moment_of,
    read_application,
    read_assignment,
    read_credential,
    read_event,
    read_organization,
    read_project,
    read_project_grant,
    read_user,
)

EVENTS = "/admin/v1/events/_search"
MOST_EVENTS = 1000  # ZITADEL returns no more at a time
EQUALS = "TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE"
MOST_USERS = 100  # with one name


# --- organizations, projects and roles


def get_organization(client: ManagementClient, organization_id: str) -> Organization | None:
    """Return the organization with this ID."""
    body = {"queries": [{"idQuery": {"id": organization_id}}]}
    rows = client.call(ORGANIZATION_SERVICE, "ListOrganizations", body).get("result") or []
    return next(map(read_organization, rows), None)


def get_project(client: ManagementClient, project_id: str) -> Project | None:
    """Return the project with this ID."""
    row = _get(client, PROJECT_SERVICE, "GetProject", "project", projectId=project_id)
    return read_project(row) if row else None


def list_projects(client: ManagementClient, *, name: str = "", organization_id: str = "") -> Iterator[Project]:
    """Yield the projects with this name, whatever its case, in an organization or in all."""
    filters: list[dict[str, Any]] = []
    if name:
        filters.append({"projectNameFilter": {"projectName": name, "method": EQUALS}})
    if organization_id:
        filters.append({"organizationIdFilter": {"organizationId": organization_id}})
    return map(read_project, client.rows(PROJECT_SERVICE, "ListProjects", {"filters": filters}, "projects"))


def create_project(client: ManagementClient, *, project_id: str, organization_id: str, name: str) -> None:
    """Create a project with a chosen ID."""
    body = {"projectId": project_id, "organizationId": organization_id, "name": name}
    client.call(PROJECT_SERVICE, "CreateProject", body)


def delete_project(client: ManagementClient, project_id: str) -> None:
    """Delete a project with its roles, applications and role assignments."""
    _remove(client, PROJECT_SERVICE, "DeleteProject", projectId=project_id)


def list_project_grants(client: ManagementClient, project_id: str) -> tuple[tuple[ProjectGrant, ...], int]:
    """Return the organizations that may assign roles of a project, and how many of them cannot be seen."""
    body = {"filters": [{"inProjectIdsFilter": {"ids": [project_id]}}]}
    pages = list(client.pages(PROJECT_SERVICE, "ListProjectGrants", body, "projectGrants"))
    grants = tuple(read_project_grant(row) for rows, _ in pages for row in rows)
    return grants, max(0, pages[0][1] - len(grants))


def list_roles(client: ManagementClient, project_id: str) -> tuple[str, ...]:
    """Return the keys of the roles that a project defines."""
    rows = client.rows(PROJECT_SERVICE, "ListProjectRoles", {"projectId": project_id}, "projectRoles")
    return tuple(str(row.get("key") or "") for row in rows)


def add_role(client: ManagementClient, project_id: str, role: str) -> None:
    """Define a role in a project."""
    body = {"projectId": project_id, "roleKey": role, "displayName": role}
    client.call(PROJECT_SERVICE, "AddProjectRole", body)


# --- applications


def get_application(client: ManagementClient, application_id: str) -> Application | None:
    """Return the application with this ID."""
    row = _get(client, APPLICATION_SERVICE, "GetApplication", "application", applicationId=application_id)
    return read_application(row) if row else None


def find_application(client: ManagementClient, client_id: str) -> Application | None:
    """Return the application with this client ID; where ZITADEL has no filter for it, all are read."""
    body = {"filters": [{"clientIdFilter": {"clientId": client_id}}]}
    try:
        found = map(read_application, client.rows(APPLICATION_SERVICE, "ListApplications", body, "applications"))
        return next(found, None)
    except ManagementError as error:
        if error.status != 400:
            raise
    return next((app for app in list_applications(client) if app.client_id == client_id), None)


def list_applications(client: ManagementClient, *, project_id: str = "", name: str = "") -> Iterator[Application]:
    """Yield the applications of a project or of all, with this name, whatever its case."""
    filters: list[dict[str, Any]] = []
    if project_id:
        filters.append({"projectIdFilter": {"projectId": project_id}})
    if name:
        filters.append({"nameFilter": {"name": name, "method": EQUALS}})
    rows = client.rows(APPLICATION_SERVICE, "ListApplications", {"filters": filters}, "applications")
    return map(read_application, rows)


def create_application(
    client: ManagementClient, *, project_id: str, application_id: str, name: str, auth: Auth
) -> NewApplication:
    """Create an API application with a chosen ID.

    With the ID of an application that exists in the project, ZITADEL replaces that one's client ID and secret.
    """
    body = {
        "projectId": project_id,
        "applicationId": application_id,
        "name": name,
        "apiConfiguration": _configuration(auth),
    }
    made = client.call(APPLICATION_SERVICE, "CreateApplication", body).get("apiConfiguration") or {}
    secret = _shown(made, "clientSecret") if auth is Auth.BASIC else ""
    return NewApplication(client_id=_shown(made, "clientId"), client_secret=secret)


def set_application_auth(client: ManagementClient, project_id: str, application_id: str, auth: Auth) -> None:
    """Change how an API application authenticates."""
    body = {"projectId": project_id, "applicationId": application_id, "apiConfiguration": _configuration(auth)}
    client.call(APPLICATION_SERVICE, "UpdateApplication", body)


def generate_client_secret(client: ManagementClient, project_id: str, application_id: str) -> str:
    """Return a new client secret; the old one stops working at once."""
    body = {"projectId": project_id, "applicationId": application_id}
    return _shown(client.call(APPLICATION_SERVICE, "GenerateClientSecret", body), "clientSecret")


def delete_application(client: ManagementClient, project_id: str, application_id: str) -> None:
    """Delete the application with this ID."""
    _remove(client, APPLICATION_SERVICE, "DeleteApplication", projectId=project_id, applicationId=application_id)


def list_application_keys(client: ManagementClient, application_id: str) -> tuple[Credential, ...]:
    """Return the keys of an application."""
    filters = [{"applicationIdFilter": {"applicationId": application_id}}]
    rows = client.rows(APPLICATION_SERVICE, "ListApplicationKeys", {"filters": filters}, "keys")
    return tuple(map(read_credential, rows))


def create_application_key(
    client: ManagementClient, project_id: str, application_id: str, *, expires: int
) -> NewCredential:
    """Create a key that expires at this time (milliseconds since 1970); ``secret`` is the text of its key file."""
    body = {"projectId": project_id, "applicationId": application_id, "expirationDate": moment_of(expires)}
    made = client.call(APPLICATION_SERVICE, "CreateApplicationKey", body)
    try:
        text = base64.b64decode(_shown(made, "keyDetails"), validate=True).decode()
    except ValueError as error:
        raise _changed_answer("keyDetails") from error
    return NewCredential(id=_shown(made, "keyId"), secret=text)


def delete_application_key(client: ManagementClient, project_id: str, application_id: str, key_id: str) -> None:
    """Delete a key of an application."""
    ids = {"projectId": project_id, "applicationId": application_id, "keyId": key_id}
    _remove(client, APPLICATION_SERVICE, "DeleteApplicationKey", **ids)


def _configuration(auth: Auth) -> dict[str, str]:
    return {"authMethodType": KEY_METHOD} if auth is Auth.KEY else {}


# --- users and their tokens


def get_user(client: ManagementClient, user_id: str) -> User | None:
    """Return the user with this ID."""
    row = _get(client, USER_SERVICE, "GetUserByID", "user", userId=user_id)
    return read_user(row) if row else None


def find_user(client: ManagementClient, name: str) -> User | None:
    """Return the user with this login name, username or ID; ``None`` when the administrator sees no such user."""
    queries = [
        {"loginNameQuery": {"loginName": name, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}},
        {"userNameQuery": {"userName": name, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}},
        {"inUserIdsQuery": {"userIds": [name]}},
    ]
    return next(_users(client, {"orQuery": {"queries": queries}}), None)


def list_users(client: ManagementClient, username: str) -> tuple[User, ...]:
    """Return the users with this username, whatever its case, in all organizations: 100 at most."""
    query = {"userName": username, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}
    return tuple(_users(client, {"userNameQuery": query}))


def list_similar_users(client: ManagementClient, name: str) -> tuple[User, ...]:
    """Return users whose username begins or ends as a name does, or any users for an empty name: 100 at most."""
    if not name:
        return tuple(_users(client))
    starts = {"userName": name[:1], "method": "TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}
    ends = {"userName": name[-1:], "method": "TEXT_QUERY_METHOD_ENDS_WITH_IGNORE_CASE"}
    return tuple(_users(client, {"orQuery": {"queries": [{"userNameQuery": starts}, {"userNameQuery": ends}]}}))


def _users(client: ManagementClient, *queries: dict[str, Any]) -> Iterator[User]:
    body = {"queries": queries, "query": {"limit": MOST_USERS, "asc": True}}
    return map(read_user, client.call(USER_SERVICE, "ListUsers", body).get("result") or [])


def create_service_user(
    client: ManagementClient, *, user_id: str, organization_id: str, username: str, description: str
) -> None:
    """Create a service account with a chosen ID."""
    machine = {"name": username, "description": description}
    body = {"userId": user_id, "organizationId": organization_id, "username": username, "machine": machine}
    client.call(USER_SERVICE, "CreateUser", body)


def delete_user(client: ManagementClient, user_id: str) -> None:
    """Delete a user with their tokens and role assignments."""
    _remove(client, USER_SERVICE, "DeleteUser", userId=user_id)


def deactivate_user(client: ManagementClient, user_id: str) -> None:
    """Deactivate a user, which ends their tokens for good."""
    client.call(USER_SERVICE, "DeactivateUser", {"userId": user_id})


def reactivate_user(client: ManagementClient, user_id: str) -> None:
    """Make a deactivated user active again; their tokens stay dead."""
    client.call(USER_SERVICE, "ReactivateUser", {"userId": user_id})


def list_pats(client: ManagementClient, user_id: str) -> tuple[Credential, ...]:
    """Return the personal access tokens of a user, dead ones included."""
    filters = [{"userIdFilter": {"id": user_id}}]
    rows = client.rows(USER_SERVICE, "ListPersonalAccessTokens", {"filters": filters}, "result")
    return tuple(map(read_credential, rows))


def list_user_keys(client: ManagementClient, user_id: str) -> tuple[Credential, ...]:
    """Return the keys of a service account."""
    rows = client.rows(USER_SERVICE, "ListKeys", {"filters": [{"userIdFilter": {"id": user_id}}]}, "result")
    return tuple(map(read_credential, rows))


def add_pat(client: ManagementClient, user_id: str, *, expires: int) -> NewCredential:
    """Create a personal access token that expires at this time (milliseconds since 1970)."""
    body = {"userId": user_id, "expirationDate": moment_of(expires)}
    made = client.call(USER_SERVICE, "AddPersonalAccessToken", body)
    return NewCredential(id=_shown(made, "tokenId"), secret=_shown(made, "token"))


def remove_pat(client: ManagementClient, user_id: str, pat_id: str) -> None:
    """Delete a personal access token."""
    _remove(client, USER_SERVICE, "RemovePersonalAccessToken", userId=user_id, tokenId=pat_id)


def list_user_events(client: ManagementClient, user_id: str, types: Iterable[str]) -> tuple[UserEvent, ...] | None:
    """Return at most ``MOST_EVENTS`` changes of a user, latest first; ``None`` unless the user has an IAM role."""
    body = {"aggregateId": user_id, "aggregateTypes": ["user"], "eventTypes": list(types), "limit": MOST_EVENTS}
    answer = client.request("POST", EVENTS, body)
    if answer.status != 200 or not isinstance(answer.json(), dict):
        return None
    try:
        return tuple(map(read_event, answer.json_object().get("events") or []))
    except (AttributeError, TypeError, ValueError) as error:
        raise management_error(answer) from error


# --- role assignments


def list_assignments(
    client: ManagementClient, *, project_id: str | None = None, user_id: str | None = None
) -> tuple[RoleAssignment, ...]:
    """Return the role assignments that the token's user may see: in a project, of a user, or both."""
    filters: list[dict[str, Any]] = []
    if project_id:
        filters.append({"projectId": {"id": project_id}})
    if user_id:
        filters.append({"inUserIds": {"ids": [user_id]}})
    rows = client.rows(AUTHORIZATION_SERVICE, "ListAuthorizations", {"filters": filters}, "authorizations")
    return tuple(map(read_assignment, rows))


def create_assignment(
    client: ManagementClient, *, user_id: str, project_id: str, organization_id: str, role_keys: Iterable[str]
) -> str:
    """Create a role assignment that an organization owns, and return its ID."""
    body = {"userId": user_id, "projectId": project_id, "organizationId": organization_id, "roleKeys": list(role_keys)}
    return _shown(client.call(AUTHORIZATION_SERVICE, "CreateAuthorization", body), "id")


def set_assignment_roles(client: ManagementClient, assignment_id: str, role_keys: Iterable[str]) -> None:
    """Replace the roles of an assignment."""
    client.call(AUTHORIZATION_SERVICE, "UpdateAuthorization", {"id": assignment_id, "roleKeys": list(role_keys)})


def activate_assignment(client: ManagementClient, assignment_id: str) -> None:
    """Activate a deactivated assignment."""
    client.call(AUTHORIZATION_SERVICE, "ActivateAuthorization", {"id": assignment_id})


def delete_assignment(client: ManagementClient, assignment_id: str) -> None:
    """Delete the assignment with this ID."""
    _remove(client, AUTHORIZATION_SERVICE, "DeleteAuthorization", id=assignment_id)


# --- what they share


def _get(client: ManagementClient, service: str, method: str, key: str, **ids: str) -> dict[str, Any] | None:
    try:
        row = client.call(service, method, ids).get(key)
    except ManagementError as error:
        if is_missing(error):
            return None
        raise
    if not row:
        raise _changed_answer(key)
    return cast("dict[str, Any]", row)  # an object, as the client has checked


def _remove(client: ManagementClient, service: str, method: str, **ids: str) -> None:
    try:
        client.call(service, method, ids)
    except ManagementError as error:
        if not is_missing(error):
            raise


def _shown(made: Mapping[str, Any], name: str) -> str:
    """Return a text that ZITADEL shows once, or an ID of its choice. Raises UnusableAnswer when the answer lacks it."""
    value = made.get(name)
    if isinstance(value, str) and value:
        return value
    raise _changed_answer(name)


def _changed_answer(name: str) -> UnusableAnswer:
    return UnusableAnswer(
        f"ZITADEL's answer lacks a usable {name}",
        hint="check whether a proxy in front of ZITADEL changes its answers",
    )
