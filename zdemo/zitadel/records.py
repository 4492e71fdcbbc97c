"""The objects of ZITADEL's API that zdemo reads, as frozen dataclasses. Each field says where an answer has it."""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MOMENT = 253402300799999  # the year 9999, ZITADEL's date for no expiry, in milliseconds since 1970
NEVER = LAST_MOMENT // 1000  # the same in seconds
NATIVE, NO_SECRET = "OIDC_APP_TYPE_NATIVE", "OIDC_AUTH_METHOD_TYPE_NONE"
KEY_METHOD = "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"


def read(kind: type[T], row: Mapping[str, Any]) -> T:
    """Return an object of ZITADEL's answer as one of the types below; ``null`` and empty values are absent.

    Raises ValueError, TypeError or AttributeError when the answer has another shape.
    """
    import msgspec  # here, because commands that read no such answer need not load it

    attributes = {}
    for attribute in fields(kind):  # type: ignore[arg-type]  # they are all dataclasses
        paths = attribute.metadata.get("paths", ())
        values: Iterator[Any] = (reduce(_member, path.split("."), row) for path in paths)
        value = next((value for value in values if value not in (None, "")), None)
        if value is not None:
            attributes[attribute.name] = attribute.metadata["convert"](value)
    return msgspec.convert(attributes, kind)


def _member(value: Any, name: str) -> Any:
    return None if value is None else value.get(name)


def _at(
    *paths: str, default: Any = "", convert: Callable[[Any], Any] = lambda value: value, secret: bool = False
) -> Any:
    """Return a field that is read at the first of these paths that leads to a value; MISSING makes it required."""
    return field(default=default, repr=not secret, metadata={"paths": paths, "convert": convert})


def _is_on(state: str) -> bool:
    """Return whether a state is another than inactive: ZITADEL leaves out the default, active."""
    return not state.endswith("_STATE_INACTIVE")


def milliseconds(moment: str) -> int | None:
    """Return an RFC 3339 time in milliseconds since 1970, rounded; ``None`` for any other text."""
    try:
        return round((datetime.fromisoformat(moment) - EPOCH) / timedelta(milliseconds=1))
    except (ValueError, TypeError):  # not a time, or one without a zone
        return None


def moment_of(epoch_milliseconds: int) -> str:
    """Return an RFC 3339 time in UTC with three digits of a second."""
    return (EPOCH + timedelta(milliseconds=epoch_milliseconds)).isoformat(timespec="milliseconds")[:-6] + "Z"


class Auth(StrEnum):
    """How an API application authenticates to ZITADEL, in the words of the command line."""

    BASIC = "basic"
    KEY = "private-key-jwt"


@dataclass(frozen=True, kw_only=True)
class User:
    """A user; ``state`` is ZITADEL's word without its prefix, such as ``ACTIVE``.

    ``machine`` is true for a service account. ``roles`` make it an administrator; they are asked for separately.
    """

    id: str = _at("userId", "id")
    login_name: str = _at("preferredLoginName")
    username: str = _at("username", "userName")
    organization_id: str = _at("details.resourceOwner")
    state: str = _at("state", convert=lambda state: state.removeprefix("USER_STATE_"))
    machine: bool = _at("machine", default=False, convert=lambda machine: isinstance(machine, dict))
    has_secret: bool = _at("machine.hasSecret", default=False)
    name: str = _at("machine.name")
    given_name: str = _at("human.profile.givenName")
    family_name: str = _at("human.profile.familyName")
    email: str = _at("human.email.email")
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project of an organization; ``granted_to`` is another one that may assign its roles, and that was asked for."""

    id: str = _at("projectId")
    name: str = _at("name")
    organization_id: str = _at("organizationId")
    granted_to: str = _at("grantedOrganizationId")
    active: bool = _at("state", default=True, convert=_is_on)


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application; ``method`` is ZITADEL's word for how it authenticates, empty for the default, Basic.

    ``project_id`` is empty when ZITADEL's version leaves it out.
    """

    id: str = _at("applicationId")
    name: str = _at("name")
    client_id: str = _at("apiConfiguration.clientId", "oidcConfiguration.clientId")
    active: bool = _at("state", default=True, convert=_is_on)
    is_api: bool = _at("apiConfiguration", default=False, convert=bool)
    method: str = _at("apiConfiguration.authMethodType", "oidcConfiguration.authMethodType")
    project_id: str = _at("projectId")
    kind: str = _at("oidcConfiguration.applicationType")
    redirect_uris: tuple[str, ...] = _at("oidcConfiguration.redirectUris", default=())

    @property
    def auth(self) -> Auth:
        """Return how an API application authenticates."""
        return Auth.KEY if self.method == KEY_METHOD else Auth.BASIC


@dataclass(frozen=True, kw_only=True)
class Organization:
    """An organization of the instance, or one that may assign these roles of a project (a Project Grant)."""

    id: str = _at("grantedOrganizationId", "id")
    name: str = _at("grantedOrganizationName", "name")
    active: bool = _at("state", default=True, convert=_is_on)
    role_keys: tuple[str, ...] = _at("grantedRoleKeys", default=())


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """A role assignment (an authorization, in ZITADEL's v2 words). ``organization_id`` owns it."""

    id: str = _at("id")
    user_id: str = _at("user.id")
    login_name: str = _at("user.preferredLoginName")
    project_id: str = _at("project.id")
    project_name: str = _at("project.name")
    organization_id: str = _at("organization.id")
    organization_name: str = _at("organization.name")
    active: bool = _at("state", default=False, convert=lambda state: state == "STATE_ACTIVE")
    role_keys: tuple[str, ...] = _at("roles", default=(), convert=lambda roles: [role["key"] for role in roles])


@dataclass(frozen=True, kw_only=True)
class Administrator:
    """An administrator of an organization or a project, whose ID is in ``of``, or of the whole instance."""

    user_id: str = _at("user.id")
    of: str = _at("organization.id", "project.id")
    roles: tuple[str, ...] = _at("roles", default=())


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The ID of an object, or the key of a role, where nothing else of it matters."""

    id: str = _at("id", "key", default=MISSING)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A PAT or a key in a list. ``expires`` is in milliseconds since 1970, ``None`` when it cannot be read."""

    id: str = _at("keyId", "id")
    expires: int | None = _at("expirationDate", default=None, convert=milliseconds)

    def has_expired(self, now: float) -> bool:
        """Return whether it has expired at ``now`` (epoch seconds)."""
        return self.expires is not None and self.expires <= now * 1000

    @property
    def expires_text(self) -> str:
        """Return the expiry as an RFC 3339 time to the second."""
        return "" if self.expires is None else f"{moment_of(min(self.expires, LAST_MOMENT))[:19]}Z"


@dataclass(frozen=True, kw_only=True)
class NewCredential:
    """A PAT or a client secret that was created. ``secret`` is its text, which ZITADEL shows only once."""

    id: str = _at("tokenId", "keyId")
    secret: str = _at("token", "clientSecret", default=MISSING, secret=True)


@dataclass(frozen=True, kw_only=True)
class NewKey(NewCredential):
    """A key that was created; ``secret`` is the text of its key file."""

    secret: str = _at(
        "keyDetails", default=MISSING, secret=True, convert=lambda key: b64decode(key, validate=True).decode()
    )


@dataclass(frozen=True, kw_only=True)
class NewApplication:
    """An application that was created. ``client_secret`` is empty where a key is its method; ZITADEL shows it once."""

    client_id: str = _at("clientId", default=MISSING)
    client_secret: str = _at("clientSecret", secret=True)


@dataclass(frozen=True, kw_only=True)
class NewDevice:
    """A login that a device began (RFC 8628 §3.2); ``seconds`` is how long it can take."""

    code: str = _at("device_code", default=MISSING, secret=True)
    user_code: str = _at("user_code", default=MISSING)
    address: str = _at("verification_uri_complete", "verification_uri", default=MISSING)
    seconds: int = _at("expires_in", default=300)
    interval: int = _at("interval", default=5)


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What a token's user is an administrator of: an organization, something in it, or the whole instance."""

    roles: tuple[str, ...] = _at("roles", default=())
    organization_id: str = _at("details.resourceOwner")
    whole_instance: bool = _at("iam", default=False)


@dataclass(frozen=True, kw_only=True)
class UserEvent:
    """A change of a user: ZITADEL's word for it, when it happened, and the ID of the PAT concerned."""

    type: str = _at("type.type")
    when: str = _at("creationDate")
    sequence: int = _at("sequence", default=0, convert=int)
    pat_id: str = _at("payload.tokenId")
