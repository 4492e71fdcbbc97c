"""The objects of ZITADEL's API that zdemo reads, as frozen dataclasses; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = 253402300799999  # the year 9999, ZITADEL's date for no expiry, in milliseconds since 1970
NEVER = LAST_MOMENT // 1000  # the same in seconds
KEY_METHOD = "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"

Row = Mapping[str, Any]


class Auth(StrEnum):
    """How an API application authenticates to ZITADEL, in the words of the command line."""

    BASIC = "basic"
    KEY = "private-key-jwt"


@dataclass(frozen=True, kw_only=True)
class User:
    """A user; a row of a role assignment has ``id`` and ``login_name`` only.

    ``state`` is ZITADEL's word without its prefix, such as ``ACTIVE``; ``machine`` is true for a service account.
    """

    id: str
    login_name: str
    username: str = ""
    organization_id: str = ""
    state: str = ""
    machine: bool = False
    has_secret: bool = False


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project of an organization."""

    id: str
    name: str
    organization_id: str
    active: bool


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application; ``method`` is ZITADEL's word for how it authenticates, empty for the default, Basic.

    ``project_id`` is empty when ZITADEL's version leaves it out.
    """

    id: str
    name: str
    client_id: str
    active: bool
    is_api: bool = True
    method: str = ""
    changed_since_creation: bool = False
    project_id: str = ""

    @property
    def auth(self) -> Auth:
        """Return how an API application authenticates."""
        return Auth.KEY if self.method == KEY_METHOD else Auth.BASIC


@dataclass(frozen=True, kw_only=True)
class Organization:
    """An organization of the instance."""

    id: str
    name: str
    active: bool


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
    changed: int | None = None


@dataclass(frozen=True, kw_only=True)
class ProjectGrant:
    """The right of another organization to assign roles of a project."""

    organization_id: str
    organization_name: str
    role_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A PAT or a key in a list. ``expires`` is in milliseconds since 1970, ``None`` when it cannot be read."""

    id: str
    expires: int | None

    def has_expired(self, now: float) -> bool:
        """Return whether it has expired at ``now`` (epoch seconds)."""
        return self.expires is not None and self.expires <= now * 1000

    @property
    def expires_text(self) -> str:
        """Return the expiry as an RFC 3339 time to the second."""
        return "" if self.expires is None else f"{moment_of(min(self.expires, LAST_MOMENT))[:19]}Z"


@dataclass(frozen=True, kw_only=True)
class NewCredential:
    """A PAT or a key that was created. ``secret`` is its text, or the key file's, and is shown only once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NewApplication:
    """An application that was created. ``client_secret`` is empty when it uses keys."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Where a token's user is an administrator. ``organization_id`` is empty unless it is an organization."""

    roles: tuple[str, ...]
    organization_id: str
    whole_instance: bool


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """The user of an administrator's token. ``roles`` are for display; empty when ZITADEL does not list them."""

    id: str
    login_name: str
    organization_id: str
    roles: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()  # the IDs of those that the user is an administrator of


@dataclass(frozen=True, kw_only=True)
class UserEvent:
    """A change of a user: ZITADEL's word for it, when it happened, and the ID of the PAT concerned."""

    type: str
    when: str
    sequence: int
    pat_id: str = ""


def read_user(row: Row) -> User:
    """Read a row of a list, or the answer of ``GetUserByID``."""
    return User(
        id=_text(row, "userId"),
        login_name=_text(row, "preferredLoginName"),
        username=_text(row, "username"),
        organization_id=_text(_part(row, "details"), "resourceOwner"),
        state=_text(row, "state").removeprefix("USER_STATE_"),
        machine="machine" in row,
        has_secret=_part(row, "machine").get("hasSecret") is True,
    )


def read_project(row: Row) -> Project:
    """Read a row of a list, or the answer of ``GetProject``."""
    return Project(
        id=_text(row, "projectId"),
        name=_text(row, "name"),
        organization_id=_text(row, "organizationId"),
        active=row.get("state") != "PROJECT_STATE_INACTIVE",
    )


def read_application(row: Row) -> Application:
    """Read a row of a list, or the answer of ``GetApplication``."""
    configuration = _part(row, "apiConfiguration") or _part(row, "oidcConfiguration")
    return Application(
        id=_text(row, "applicationId"),
        name=_text(row, "name"),
        client_id=_text(configuration, "clientId"),
        active=row.get("state") != "APPLICATION_STATE_INACTIVE",
        is_api=bool(_part(row, "apiConfiguration")),
        method=_text(configuration, "authMethodType"),
        changed_since_creation=row.get("changeDate") != row.get("creationDate"),
        project_id=_text(row, "projectId"),
    )


def read_organization(row: Row) -> Organization:
    """Read a row of ``ListOrganizations``."""
    return Organization(
        id=_text(row, "id"), name=_text(row, "name"), active=row.get("state") != "ORGANIZATION_STATE_INACTIVE"
    )


def read_assignment(row: Row) -> RoleAssignment:
    """Read a row of ``ListAuthorizations``; what is missing is empty."""
    user, project, organization = (_part(row, name) for name in ("user", "project", "organization"))
    return RoleAssignment(
        id=_text(row, "id"),
        user=User(id=_text(user, "id"), login_name=_text(user, "preferredLoginName")),
        project_id=_text(project, "id"),
        project_name=_text(project, "name"),
        organization_id=_text(organization, "id"),
        organization_name=_text(organization, "name"),
        active=row.get("state") == "STATE_ACTIVE",
        role_keys=tuple(_text(role, "key") for role in row.get("roles") or []),
        changed=milliseconds(_text(row, "changeDate")),
    )


def read_project_grant(row: Row) -> ProjectGrant:
    """Read a row of ``ListProjectGrants``."""
    keys = row.get("grantedRoleKeys")
    return ProjectGrant(
        organization_id=_text(row, "grantedOrganizationId"),
        organization_name=_text(row, "grantedOrganizationName"),
        role_keys=tuple(map(str, keys)) if isinstance(keys, list) else (),
    )


def read_credential(row: Row) -> Credential:
    """Read a row of ``ListPersonalAccessTokens`` or ``ListApplicationKeys``."""
    return Credential(id=_text(row, "keyId") or _text(row, "id"), expires=milliseconds(_text(row, "expirationDate")))


def read_event(row: Row) -> UserEvent:
    """Read a row of the search in events (v1), whose shape the client has not checked."""
    return UserEvent(
        type=_text(_part(row, "type"), "type"),
        when=_text(row, "creationDate"),
        sequence=int(row.get("sequence", 0)),
        pat_id=_text(_part(row, "payload"), "tokenId"),
    )


def milliseconds(moment: str) -> int | None:
    """Return an RFC 3339 time in milliseconds since 1970, rounded; ``None`` for any other text."""
    try:
        return round((datetime.fromisoformat(moment) - EPOCH) / timedelta(milliseconds=1))
    except (ValueError, TypeError):  # not a time, or one without a zone
        return None


def moment_of(epoch_milliseconds: int) -> str:
    """Return an RFC 3339 time in UTC with three digits of a second."""
    return (EPOCH + timedelta(milliseconds=epoch_milliseconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


def _part(row: Row, name: str) -> Row:
    return row.get(name) or {}


def _text(row: Row, name: str) -> str:
    return str(row.get(name) or "")
