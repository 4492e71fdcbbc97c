"""The table of ZITADEL's management API: what zdemo finds, lists, creates, changes and removes there.

Each row is called with a client and the values of its fields: ``remove_pat(client, user_id, pat_id)``. All functions
raise what ``answered`` and ``ManagementClient.request`` raise. Lists trail writes (ZITADEL: by milliseconds), so an
object that was just created is read by its ID.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

from zdemo.errors import NO_MEMBERSHIP, ManagementError, UnusableAnswer, ZdemoError
from zdemo.zitadel import records
from zdemo.zitadel.introspection_answer import USERINFO_PATH
from zdemo.zitadel.management import ManagementClient, answered, is_missing, management_error
from zdemo.zitadel.records import Auth, RoleAssignment, User, read

T = TypeVar("T")
REDIRECT_URI = "http://127.0.0.1/callback"  # of a native application: ZITADEL then allows any loopback port
Fields = dict[str, Any]
PAGE_SIZE = 100
MOST_PAGES = 1000  # no project is that large; a list that repeats itself would be read without end
MOST_EVENTS = 1000  # ZITADEL returns no more at a time
EQUALS, IGNORE_CASE = "TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE", "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"
GLOBAL_USER = "/management/v1/global/users/_by_login_name"


class Rows(tuple[T, ...]):
    """The rows of a list, and how many others the token's user may not see."""

    hidden: int

    def __new__(cls, rows: Iterable[T], *, hidden: int = 0) -> Self:
        """Make a tuple with one attribute."""
        self = super().__new__(cls, rows)
        self.hidden = hidden
        return self


class Rpc:
    """A remote procedure call: a method of the v2 API. ``names`` are the fields of its request."""

    def __init__(self, service: str, name: str, *names: str) -> None:
        self._path, self._names = f"/zitadel.{service}Service/{name}", names

    def ask(self, client: ManagementClient, *values: Any, to: Callable[[Fields], T], **fields: Any) -> T:
        """Send these values of ``names`` and more fields, and return the answer, converted by ``to``.

        If the administrator is one of another organization than their own, ask again for that organization.
        """
        body = {**dict(zip(self._names, values, strict=True)), **fields}
        answer = client.request("POST", self._path, body)
        if NO_MEMBERSHIP in answer.text and not client.organization_id and (held := list_memberships(client)):
            client.organization_id = held[0].organization_id
            answer = client.request("POST", self._path, body)
        return answered(answer, to)

    def do(self, client: ManagementClient, *values: Any) -> None:
        """Change something."""
        self.ask(client, *values, to=lambda _: None)

    def remove(self, client: ManagementClient, *ids: str) -> None:
        """Remove an object; one that is already gone counts as removed."""
        try:
            self.do(client, *ids)
        except ManagementError as error:
            if not is_missing(error):
                raise


class TypedRpc(Rpc, Generic[T]):
    """A call whose answer holds objects of one ``kind`` at ``key``; the answer is the object if ``key`` is empty."""

    def __init__(self, kind: type[T], key: str, service: str, name: str, *names: str, old: bool = False) -> None:
        super().__init__(service, name, *names)
        self._kind, self._key = kind, key
        names = ("queries", "query", "details") if old else ("filters", "pagination", "pagination")
        self._filters, self._page, self._paging = names

    def create(self, client: ManagementClient, *values: Any) -> T:
        """Create an object, and return what only the answer says about it."""
        return self.ask(client, *values, to=lambda answer: read(self._kind, answer[self._key] if self._key else answer))

    def get(self, client: ManagementClient, object_id: str) -> T | None:
        """Return the object with this ID; ``None`` when there is no such object, or no ID."""
        try:
            return self.create(client, object_id) if object_id else None
        except ManagementError as error:
            if is_missing(error):
                return None
            raise

    def list(self, client: ManagementClient, *filters: Fields, most_pages: int = 0, **fields: str) -> Rows[T]:
        """Return the objects that pass all filters that are not empty, the oldest first.

        Raises UnusableAnswer if the list never ends.
        """
        rows, offset, count = list[T](), 0, 0

        def read_page(answer: Fields) -> tuple[Sequence[T], int, int]:
            paging = answer.get(self._paging) or {}
            page = [read(self._kind, row) for row in answer.get(self._key) or ()]
            return page, int(paging.get("totalResult", 0)), int(paging.get("appliedLimit", 0))

        for number in range(1, MOST_PAGES + 1):
            page = {"offset": str(offset), "limit": PAGE_SIZE, "asc": True}
            body = {self._filters: [condition for condition in filters if condition], **fields, self._page: page}
            part, total, limit = self.ask(client, to=read_page, **body)
            rows += part
            count = max(count, total)  # beyond the last page, ZITADEL leaves it out
            offset += max(len(part), min(limit, PAGE_SIZE))
            if not part or offset >= total or number == most_pages:
                return Rows(rows, hidden=max(0, count - len(rows)))
        name = self._path.rpartition("/")[2]
        what = f"ZITADEL's list does not end ({name}): after {MOST_PAGES} pages it announces more"
        hint = f"check {client.zitadel.setting}, and whether a proxy in front of it sends one page again and again"
        raise UnusableAnswer(what, hint=hint)

    def list_of(self, name: str, field: str) -> Callable[[ManagementClient, str], Rows[T]]:
        """Return a function that returns the objects of an owner, whose ID is that field of a filter."""
        return lambda client, owner_id: self.list(client, _where(name, **{field: owner_id}))


def _where(name: str, /, **fields: Any) -> Fields:
    """Return a filter; empty when its first field is, so that nothing is filtered."""
    return {name: fields} if next(iter(fields.values())) else {}


# --- organizations, projects and roles

ORGANIZATION, PROJECT = "org.v2.Organization", "project.v2.Project"
_ORGANIZATIONS = TypedRpc(records.Organization, "result", ORGANIZATION, "ListOrganizations", old=True)
list_organizations = _ORGANIZATIONS.list
_PROJECTS = TypedRpc(records.Project, "projects", PROJECT, "ListProjects")
_PROJECT_GRANTS = TypedRpc(records.Organization, "projectGrants", PROJECT, "ListProjectGrants")
_ROLES = TypedRpc(records.Reference, "projectRoles", PROJECT, "ListProjectRoles")
get_project = TypedRpc(records.Project, "project", PROJECT, "GetProject", "projectId").get
create_project = Rpc(PROJECT, "CreateProject", "projectId", "organizationId", "name").do
delete_project = Rpc(PROJECT, "DeleteProject", "projectId").remove
add_role = Rpc(PROJECT, "AddProjectRole", "projectId", "roleKey", "displayName").do


def get_organization(client: ManagementClient, organization_id: str) -> records.Organization | None:
    """Return the organization with this ID; ``None`` when there is no such organization, or no ID."""
    listed = _ORGANIZATIONS.list(client, _where("idQuery", id=organization_id)) if organization_id else ()
    return next(iter(listed), None)


def find_project(client: ManagementClient, project_id: str) -> records.Project | None:
    """Return a project, also one that is only granted to the administrator's organization."""
    with suppress(ManagementError):  # if nothing may be seen, the list says why
        if project := get_project(client, project_id):
            return project
    return next(iter(_PROJECTS.list(client, _where("inProjectIdsFilter", ids=[project_id]))), None)


def list_projects(client: ManagementClient, *, name: str = "", organization_id: str = "") -> Rows[records.Project]:
    """Return the projects with this name, whatever its case, in an organization or in all."""
    of_name = _where("projectNameFilter", projectName=name, method=EQUALS)
    return _PROJECTS.list(client, of_name, _where("organizationIdFilter", organizationId=organization_id))


def list_granted_organizations(client: ManagementClient, project_id: str) -> Rows[records.Organization]:
    """Return the organizations that may assign roles of a project."""
    return _PROJECT_GRANTS.list(client, _where("inProjectIdsFilter", ids=[project_id]))


def list_roles(client: ManagementClient, project_id: str) -> Rows[str]:
    """Return the keys of the roles that a project defines."""
    roles = _ROLES.list(client, projectId=project_id)
    return Rows((role.id for role in roles), hidden=roles.hidden)


# --- applications

APPLICATION = "application.v2.Application"
APPLICATION_IDS = ("projectId", "applicationId")
_APPLICATIONS = TypedRpc(records.Application, "applications", APPLICATION, "ListApplications")
list_application_keys = TypedRpc(records.Credential, "keys", APPLICATION, "ListApplicationKeys").list_of(
    "applicationIdFilter", "applicationId"
)
# given the ID of an existing application of the project, ZITADEL replaces its client ID and secret
_NEW = (APPLICATION, "CreateApplication", *APPLICATION_IDS, "name")
create_application = TypedRpc(records.NewApplication, "apiConfiguration", *_NEW, "apiConfiguration").create
create_login_app = TypedRpc(records.NewApplication, "oidcConfiguration", *_NEW, "oidcConfiguration").create
LOGIN_APP = {  # the configuration of an application for people at a terminal
    "redirectUris": [REDIRECT_URI],
    "responseTypes": ["OIDC_RESPONSE_TYPE_CODE"],
    "grantTypes": [f"OIDC_GRANT_TYPE_{name}" for name in ("AUTHORIZATION_CODE", "REFRESH_TOKEN", "DEVICE_CODE")],
    "applicationType": records.NATIVE,
    "authMethodType": records.NO_SECRET,
}
create_application_key = TypedRpc(
    records.NewKey, "", APPLICATION, "CreateApplicationKey", *APPLICATION_IDS, "expirationDate"
).create
get_application = TypedRpc(records.Application, "application", APPLICATION, "GetApplication", "applicationId").get
set_application_auth = Rpc(APPLICATION, "UpdateApplication", *APPLICATION_IDS, "apiConfiguration").do
generate_client_secret = TypedRpc(
    records.NewCredential, "", APPLICATION, "GenerateClientSecret", *APPLICATION_IDS
).create
delete_application = Rpc(APPLICATION, "DeleteApplication", *APPLICATION_IDS).remove
delete_application_key = Rpc(APPLICATION, "DeleteApplicationKey", *APPLICATION_IDS, "keyId").remove


def api_configuration(auth: Auth) -> dict[str, str]:
    """Return the configuration of an API application that authenticates like this; Basic is the default."""
    return {"authMethodType": records.KEY_METHOD} if auth is Auth.KEY else {}


def find_application(client: ManagementClient, client_id: str) -> records.Application | None:
    """Return the application with this client ID; where ZITADEL has no filter for it, all are read."""
    try:
        listed = _APPLICATIONS.list(client, _where("clientIdFilter", clientId=client_id))
    except ManagementError as error:
        if error.status != 400:
            raise
        listed = list_applications(client)
    return next((app for app in listed if app.client_id == client_id), None)


def list_applications(client: ManagementClient, *, project_id: str = "", name: str = "") -> Rows[records.Application]:
    """Return the applications of a project or of all, with this name, whatever its case."""
    of_name = _where("nameFilter", name=name, method=EQUALS)
    return _APPLICATIONS.list(client, _where("projectIdFilter", projectId=project_id), of_name)


# --- users and their tokens

USER = "user.v2.User"
_USERS = TypedRpc(User, "result", USER, "ListUsers", old=True)
list_all_users = _USERS.list
list_pats = TypedRpc(records.Credential, "result", USER, "ListPersonalAccessTokens").list_of("userIdFilter", "id")
list_user_keys = TypedRpc(records.Credential, "result", USER, "ListKeys").list_of("userIdFilter", "id")
add_pat = TypedRpc(records.NewCredential, "", USER, "AddPersonalAccessToken", "userId", "expirationDate").create
get_user = TypedRpc(User, "user", USER, "GetUserByID", "userId").get
create_user = Rpc(USER, "CreateUser", "userId", "organizationId", "username", "machine").do
delete_user = Rpc(USER, "DeleteUser", "userId").remove
deactivate_user = Rpc(USER, "DeactivateUser", "userId").do  # ends their tokens for good
reactivate_user = Rpc(USER, "ReactivateUser", "userId").do  # their tokens stay inactive
remove_pat = Rpc(USER, "RemovePersonalAccessToken", "userId", "tokenId").remove


def is_user_id(name: str) -> bool:
    """Return whether a text looks like an ID that ZITADEL made, and is never taken for a name."""
    return name.isdecimal() and len(name) >= 15  # 18 today


def find_user(client: ManagementClient, name: str) -> User | None:
    """Return the user with this ID, login name, username or e-mail address; ``None`` when none can be seen.

    Raises ZdemoError when several users have the username or the address, or it is another's login name.
    """
    if is_user_id(name):  # another user may have it as their username
        return next(iter(list_users(client, ids=[name])), None)
    queries = [_where("inUserIdsQuery", userIds=[name]), _by_username(name)]
    queries.append(_where("loginNameQuery", loginName=name, method=IGNORE_CASE))
    queries += [_where("emailQuery", emailAddress=name, method=IGNORE_CASE)] if "@" in name else []
    users = _USERS.list(client, _where("orQuery", queries=queries))
    if users:
        first, small = [user for user in users if user.id == name], name.casefold()
        named = [user for user in users if user.login_name.casefold() == small]
        by_address = [user for user in users if small not in (user.login_name.casefold(), user.username.casefold())]
        first = first or (named and [*named, *by_address]) or [*users]
        if len(first) > 1:
            ids = ", ".join(f"{user.id} ({user.login_name})" for user in first)
            raise ZdemoError(f"{name} is the name of several users", hint=f"use the ID of the right user: {ids}")
        return first[0]
    answer = client.request("GET", f"{GLOBAL_USER}?{urlencode({'loginName': name})}")  # in all organizations (v1)
    return answered(answer, lambda fields: read(User, fields["user"])) if answer.status == 200 else None


def list_users(
    client: ManagementClient, *, usernames: Iterable[str] = (), ids: Collection[str] = ()
) -> tuple[User, ...]:
    """Return the users with these usernames, whatever their case, or IDs, as far as the administrator sees them."""
    queries = [*map(_by_username, usernames), _where("inUserIdsQuery", userIds=[*ids])]
    queries = [query for query in queries if query]
    return _USERS.list(client, _where("orQuery", queries=queries)) if queries else ()


def list_similar_users(client: ManagementClient, name: str) -> tuple[User, ...]:
    """Return users whose username begins or ends as a name does, or any users for an empty name: a page at most."""
    ends = [_by_username(name[:1], "STARTS_WITH"), _by_username(name[-1:], "ENDS_WITH")] if name else []
    return _USERS.list(client, _where("orQuery", queries=ends), most_pages=1)


def _by_username(text: str, method: str = "EQUALS") -> Fields:
    return _where("userNameQuery", userName=text, method=f"TEXT_QUERY_METHOD_{method}_IGNORE_CASE")


def list_user_events(
    client: ManagementClient, user_id: str, types: Iterable[str]
) -> tuple[records.UserEvent, ...] | None:
    """Return at most ``MOST_EVENTS`` changes of a user, latest first; ``None`` unless the user has an IAM role (v1)."""
    body = {"aggregateId": user_id, "aggregateTypes": ["user"], "eventTypes": list(types), "limit": MOST_EVENTS}
    answer = client.request("POST", "/admin/v1/events/_search", body)
    if answer.status != 200:
        return None
    return answered(answer, lambda fields: tuple(read(records.UserEvent, row) for row in fields.get("events") or ()))


# --- role assignments

AUTHORIZATION = "authorization.v2.Authorization"
_ASSIGNMENTS = TypedRpc(RoleAssignment, "authorizations", AUTHORIZATION, "ListAuthorizations")
create_assignment = TypedRpc(
    records.Reference, "", AUTHORIZATION, "CreateAuthorization", "userId", "projectId", "organizationId", "roleKeys"
).create
set_assignment_roles = Rpc(AUTHORIZATION, "UpdateAuthorization", "id", "roleKeys").do
activate_assignment = Rpc(AUTHORIZATION, "ActivateAuthorization", "id").do
delete_assignment = Rpc(AUTHORIZATION, "DeleteAuthorization", "id").remove
_PERMISSIONS = ("internal_permission.v2.InternalPermission", "ListAdministrators")
list_administrators = TypedRpc(records.Administrator, "administrators", *_PERMISSIONS).list


def list_assignments(client: ManagementClient, *, project_id: str = "", user_id: str = "") -> Rows[RoleAssignment]:
    """Return the role assignments in a project, of a user, or both."""
    of_user = _where("inUserIds", ids=[user_id]) if user_id else {}
    return _ASSIGNMENTS.list(client, _where("projectId", id=project_id), of_user)


# --- the user of the client's own token, by userinfo and ZITADEL's v1 API

WHOAMI = "/auth/v1/users/me"
INSTANCE = "/management/v1/iam"


def user_id_of_token(client: ManagementClient, token: str | None = None) -> str | None:
    """Return the ID of a token's user, the administrator's without ``token``; ``None`` when the token is inactive."""
    answer = client.request("GET", USERINFO_PATH, token=token)
    if answer.status == 401 and answer.json_object():
        return None
    user_id = answer.json_object().get("sub")
    if answer.status != 200 or not isinstance(user_id, str) or not user_id:
        raise management_error(answer)
    return user_id


def whoami(client: ManagementClient) -> User:
    """Return the token's user, without the roles of an administrator."""
    return answered(client.request("GET", WHOAMI), lambda fields: read(User, fields["user"]))


def administrator(client: ManagementClient) -> User:
    """Return the token's user with the roles of an administrator, in the organization in which the client works.

    That is the user's own, unless they are an administrator only of one other. Raises ZdemoError if there are several.
    """
    user, held = whoami(client), list_memberships(client)
    others = {"" if membership.whole_instance else membership.organization_id for membership in held}
    if not client.organization_id and others and others.isdisjoint({"", user.organization_id}):
        if len(others) > 1:
            what = f"{user.login_name} is an administrator of several organizations, but not of their own"
            raise ZdemoError(what, hint=f"add --org with one of {', '.join(sorted(others))}")
        (client.organization_id,) = others
    roles = tuple(dict.fromkeys(role for membership in held for role in membership.roles))
    return replace(user, roles=roles, organization_id=client.organization_id or user.organization_id)


def list_memberships(client: ManagementClient) -> tuple[records.Membership, ...]:
    """Return what the token's user is an administrator of; empty when ZITADEL does not say (that API is v1's)."""
    answer = client.request("POST", "/auth/v1/memberships/me/_search", {})
    with suppress(ValueError, TypeError, AttributeError):
        return tuple(read(records.Membership, row) for row in answer.json_object().get("result") or ())
    return ()


def sees_everything(client: ManagementClient) -> bool:
    """Return whether the token's user is an administrator of the instance: what is not listed then does not exist."""
    return any(membership.whole_instance for membership in list_memberships(client))


def admin_roles(client: ManagementClient) -> tuple[str, ...]:
    """Return the roles that make the token's user an administrator, each once."""
    return tuple(dict.fromkeys(role for membership in list_memberships(client) for role in membership.roles))


def list_permissions(client: ManagementClient) -> frozenset[str] | None:
    """Return the permissions in the user's organization; ``None`` when ZITADEL does not say (that API is v1's)."""
    held = client.request("POST", "/auth/v1/permissions/zitadel/me/_search", {}).json_object().get("result")
    return frozenset(map(str, held)) if isinstance(held, list) else None
