"""The calls of ZITADEL's API that setup makes, their answers as objects, and their refusals in words.

Nothing is listed here that was made in the same run: lists trail writes (ZITADEL: by milliseconds). An object that
was made with a chosen ID is asked for by that ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zdemo.errors import ManagementError, UnusableAnswer, ZdemoError
from zdemo.management.client import (
    APPLICATION_SERVICE,
    AUTHORIZATION_SERVICE,
    PROJECT_SERVICE,
    USER_SERVICE,
    ManagementClient,
)
from zdemo.management.model import Auth
from zdemo.management.refusals import ADMIN_PAT_REFUSED, NO_MEMBERSHIP, management_error

SERVICES = {
    "ProjectService": PROJECT_SERVICE,
    "ApplicationService": APPLICATION_SERVICE,
    "UserService": USER_SERVICE,
    "AuthorizationService": AUTHORIZATION_SERVICE,
}
USERINFO = "/oidc/v1/userinfo"
MY_PERMISSIONS = "/auth/v1/permissions/zitadel/me/_search"
MY_MEMBERSHIPS = "/auth/v1/memberships/me/_search"
KEY_METHOD = "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"
NAME_TAKEN = "V3-DKcYh"  # ZITADEL: any unique name or key
ID_TAKEN = ("COMMAND-opamwu", "COMMAND-k2una", "PROJECT-lxowmp")  # project, user, application
IGNORE_CASE = "TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PERMISSIONS = {  # what a method needs (ZITADEL: InternalAuthZ)
    "CreateProject": "project.create",
    "DeleteProject": "project.delete",
    "AddProjectRole": "project.role.write",
    "RemoveProjectRole": "project.role.delete",
    "CreateApplication": "project.app.write",
    "UpdateApplication": "project.app.write",
    "GenerateClientSecret": "project.app.write",
    "CreateApplicationKey": "project.app.write",
    "DeleteApplicationKey": "project.app.write",
    "DeleteApplication": "project.app.delete",
    "CreateUser": "user.write",
    "DeleteUser": "user.delete",
    "AddPersonalAccessToken": "user.write",
    "RemovePersonalAccessToken": "user.write",
    "CreateAuthorization": "user.grant.write",
    "UpdateAuthorization": "user.grant.write",
    "ActivateAuthorization": "user.grant.write",
    "DeleteAuthorization": "user.grant.delete",
    "ListProjects": "project.read",
    "GetProject": "project.read",
}


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """Whose token it is that setup works with. ``roles`` are shown only; empty when ZITADEL does not tell."""

    id: str
    login_name: str
    organization_id: str
    roles: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()  # those he is an administrator of, by ID


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project. ``ours``: it has the ID that setup chose."""

    id: str
    name: str
    organization_id: str
    active: bool
    ours: bool


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application; ``client_id`` is empty when it is none of type API."""

    id: str
    name: str
    client_id: str
    auth: Auth
    active: bool
    ours: bool


@dataclass(frozen=True, kw_only=True)
class ServiceUser:
    """A user; ``machine``: a service user. ``state`` is ZITADEL's word without its prefix, e.g. ``ACTIVE``."""

    id: str
    username: str
    organization_id: str
    state: str
    machine: bool
    ours: bool


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A PAT or a key in a list. ``expires`` is in milliseconds since 1970."""

    id: str
    expires: int | None


def ask(client: ManagementClient, what: str, **body: Any) -> dict[str, Any]:
    """Call ``Service/Method``. Raises ManagementError in words that say what to do."""
    service, _, method = what.partition("/")
    try:
        return client.call(SERVICES[service], method, body)
    except (ManagementError, UnusableAnswer) as error:
        raise _told(error, method) from error


def _told(error: ManagementError | UnusableAnswer, method: str) -> ZdemoError:
    """The error in setup's words, where they are better."""
    if isinstance(error, UnusableAnswer):
        return _too_old() if error.answer is not None and error.answer.status in (404, 501) else error
    if error.code in ("5", "12", "unimplemented"):  # REST's numbers: no such service at all
        return _too_old()
    if error.status == 403 and method in PERMISSIONS:
        return ManagementError(
            f"the administrator role of ZITADEL_ADMIN_PAT's user is too small: it lacks {PERMISSIONS[method]}",
            hint=error.hint,
            status=error.status,
            code=error.code,
            error_id=error.error_id,
        )
    return error


def _too_old() -> ZdemoError:
    return ZdemoError(
        "this ZITADEL is too old for setup: it lacks the v2 API for projects, applications and authorizations",
        hint="update ZITADEL to v4.5 or newer, or make the objects in its console (README, The same with your own "
        "ZITADEL); if it is new enough, a proxy before it does not pass on /zitadel.*",
    )


def shown(made: Mapping[str, Any], name: str) -> str:
    """A text that ZITADEL shows once, or an ID of its choice. Raises UnusableAnswer when its answer lacks it."""
    value = made.get(name)
    if isinstance(value, str) and value:
        return value
    raise UnusableAnswer(
        f"ZITADEL's answer lacks {name}, which it should show now",
        hint="check ZITADEL_DOMAIN and what stands between: something there changes what ZITADEL answers",
    )


def found(client: ManagementClient, what: str, key: str, **body: str) -> dict[str, Any] | None:
    """One object by its ID; ``None`` when there is none."""
    try:
        row = ask(client, what, **body).get(key)
    except ManagementError as error:
        if error.status == 404 and error.error_id != NO_MEMBERSHIP:
            return None
        raise
    return row if isinstance(row, dict) else None


def subject(client: ManagementClient, token: str | None = None) -> str | None:
    """The ID of a token's user, the administrator's without ``token``; ``None`` when the token is dead."""
    answer = client.request("GET", USERINFO, token=token)
    if answer.status == 401 and answer.json_object():
        return None
    user_id = answer.json_object().get("sub")
    if answer.status != 200 or not isinstance(user_id, str):
        raise management_error(answer)
    return user_id


def administrator(client: ManagementClient) -> Administrator:
    """Whose token this is. Raises ManagementError when it is dead."""
    user_id = subject(client)
    if user_id is None:
        message, hint = ADMIN_PAT_REFUSED
        raise ManagementError(message, hint=hint, status=401)
    row = ask(client, "UserService/GetUserByID", userId=user_id).get("user") or {}
    memberships = _memberships(client)
    return Administrator(
        id=user_id,
        login_name=str(row.get("preferredLoginName") or row.get("username") or user_id),
        organization_id=str((row.get("details") or {}).get("resourceOwner", "")),
        roles=tuple(dict.fromkeys(str(role) for m in memberships for role in _listed(m, "roles"))),
        organizations=tuple(str(m["orgId"]) for m in memberships if m.get("orgId")),
    )


def _memberships(client: ManagementClient) -> list[dict[str, Any]]:
    """What the token's user is an administrator of; empty when ZITADEL does not tell (that API is v1's)."""
    answer = client.request("POST", MY_MEMBERSHIPS, {})
    return [row for row in _listed(answer.json_object(), "result") if isinstance(row, dict)]


def _listed(row: Mapping[str, Any], name: str) -> list[Any]:
    value = row.get(name)
    return value if isinstance(value, list) else []


def permissions(client: ManagementClient) -> frozenset[str] | None:
    """What the administrator may in his organization; ``None`` when ZITADEL does not tell (that API is v1's)."""
    answer = client.request("POST", MY_PERMISSIONS, {})
    held = answer.json_object().get("result")
    return frozenset(map(str, held)) if answer.status == 200 and isinstance(held, list) else None


def project_of(row: dict[str, Any], recorded: str) -> Project:
    """A row of a list, or what ``GetProject`` shows."""
    project_id = str(row.get("projectId", ""))
    return Project(
        id=project_id,
        name=str(row.get("name", "")),
        organization_id=str(row.get("organizationId", "")),
        active=row.get("state") != "PROJECT_STATE_INACTIVE",
        ours=bool(recorded) and project_id == recorded,
    )


def application_of(row: dict[str, Any], recorded: str) -> Application:
    """A row of a list, or what ``GetApplication`` shows."""
    application_id, configuration = str(row.get("applicationId", "")), row.get("apiConfiguration") or {}
    return Application(
        id=application_id,
        name=str(row.get("name", "")),
        client_id=str(configuration.get("clientId", "")),
        auth=Auth.KEY if configuration.get("authMethodType") == KEY_METHOD else Auth.BASIC,
        active=row.get("state") != "APPLICATION_STATE_INACTIVE",
        ours=bool(recorded) and application_id == recorded,
    )


def user_of(row: dict[str, Any], recorded: str) -> ServiceUser:
    """A row of a list, or what ``GetUserByID`` shows."""
    user_id = str(row.get("userId", ""))
    return ServiceUser(
        id=user_id,
        username=str(row.get("username", "")),
        organization_id=str((row.get("details") or {}).get("resourceOwner", "")),
        state=str(row.get("state", "")).removeprefix("USER_STATE_"),
        machine="machine" in row,
        ours=bool(recorded) and user_id == recorded,
    )


def user_named(client: ManagementClient, username: str, recorded: str, *, home: str = "") -> ServiceUser | None:
    """The user with this username in any organization that the administrator may see, first in ``home``."""
    query = {"userName": username, "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}
    rows = ask(client, "UserService/ListUsers", queries=[{"userNameQuery": query}]).get("result") or []
    users = sorted((user_of(row, recorded) for row in rows), key=lambda user: user.organization_id != home)
    return users[0] if users else None


def pats(client: ManagementClient, user_id: str) -> tuple[Credential, ...]:
    """The personal access tokens of a user, dead ones too."""
    filters = [{"userIdFilter": {"id": user_id}}]
    rows = client.rows(USER_SERVICE, "ListPersonalAccessTokens", {"filters": filters}, "result")
    return tuple(_credentials(rows, "id"))


def keys(client: ManagementClient, application_id: str) -> tuple[Credential, ...]:
    """The keys of an application."""
    filters = [{"applicationIdFilter": {"applicationId": application_id}}]
    rows = client.rows(APPLICATION_SERVICE, "ListApplicationKeys", {"filters": filters}, "keys")
    return tuple(_credentials(rows, "keyId"))


def _credentials(rows: Iterator[dict[str, Any]], id_name: str) -> Iterator[Credential]:
    for row in rows:
        yield Credential(id=str(row.get(id_name, "")), expires=milliseconds(str(row.get("expirationDate", ""))))


def milliseconds(moment: str) -> int | None:
    """An RFC 3339 time in milliseconds since 1970, rounded; ``None`` for what is none."""
    try:
        return round((datetime.fromisoformat(moment) - EPOCH) / timedelta(milliseconds=1))
    except (ValueError, TypeError):  # no time, or one without a zone
        return None


def moment_of(epoch_milliseconds: int) -> str:
    """An RFC 3339 time in UTC with three digits of a second."""
    return (EPOCH + timedelta(milliseconds=epoch_milliseconds)).isoformat(timespec="milliseconds")[:-6] + "Z"
