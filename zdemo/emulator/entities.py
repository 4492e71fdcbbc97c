"""The objects of a ZITADEL instance as plain data, and what happened to them. Times are epoch seconds as floats."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

NEVER = 253402300799.0  # 9999-12-31T23:59:59Z
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ID_EPOCH = 1556496000  # 2019-04-29T00:00:00Z, in epoch seconds
UNITS_PER_SECOND = 100  # of the time part of an ID
SEQUENCES_PER_UNIT = 256
NAME_WORDS = (
    "amber bold brisk calm clear coral eager early fair fresh gentle golden green happy jolly keen kind",
    "badger beaver crane eagle falcon finch fox hare heron ibis lark lynx marten otter owl puffin raven",
)
MACHINE_BITS = 16  # ZITADEL takes these from the node's private address; here each generator is a node


def moment(seconds: float) -> str:
    """Return an RFC 3339 time with no, three or six digits of a second, as few as possible."""
    when = EPOCH + timedelta(seconds=min(seconds, NEVER))
    digits = "microseconds" if when.microsecond % 1000 else "milliseconds" if when.microsecond else "seconds"
    return when.isoformat(timespec=digits).replace("+00:00", "Z")


def new_ids(now: Callable[[], float]) -> Iterator[str]:
    """Yield IDs as ZITADEL does (sonyflake); the time in them runs ahead of a clock that stands still."""
    count, machine = 0, secrets.randbits(MACHINE_BITS)
    while True:  # in units of time and their sequences
        count = max(count + 1, int((now() - ID_EPOCH) * UNITS_PER_SECOND) * SEQUENCES_PER_UNIT)
        yield str(count << MACHINE_BITS | machine)


def new_name() -> str:
    """Return a name for an emulator, such as ``amber-otter-27``, so that two on one machine are not confused."""
    first, second = (secrets.choice(words.split()) for words in NAME_WORDS)
    return f"{first}-{second}-{secrets.randbelow(90) + 10}"


@dataclass(kw_only=True)
class Entity:
    """What every object has; ``sequence`` counts its changes."""

    id: str
    created: float
    changed: float = field(init=False)
    sequence: int = 1

    def __post_init__(self) -> None:
        self.changed = self.created


@dataclass(kw_only=True)
class Switchable(Entity):
    """An object that can be switched off."""

    active: bool = True

    @property
    def state(self) -> str:
        """The end of ZITADEL's word for the state."""
        return "ACTIVE" if self.active else "INACTIVE"


@dataclass(kw_only=True)
class Organization(Switchable):
    """An organization; role claims show its primary domain."""

    name: str
    primary_domain: str

    @property
    def organization_id(self) -> str:
        """The ID, by the name that it has in what belongs to the organization."""
        return self.id


@dataclass(kw_only=True)
class Role(Entity):
    """A role of a project; ``id`` is its key."""

    project_id: str
    display_name: str
    group: str = ""


@dataclass(kw_only=True)
class Project(Switchable):
    """The owner of roles and applications; ``grants`` are by the ID of the granted organization."""

    organization_id: str
    name: str
    project_role_assertion: bool = False
    authorization_required: bool = False
    project_access_required: bool = False
    private_labeling_setting: str = ""  # ZITADEL's word
    roles: dict[str, Role] = field(default_factory=dict)
    grants: dict[str, ProjectGrant] = field(default_factory=dict)

    @property
    def project_id(self) -> str:
        """The ID, by the name that it has in what belongs to the project."""
        return self.id


@dataclass(kw_only=True)
class ProjectGrant(Switchable):
    """The right of another organization to assign some of a project's roles to users."""

    project_id: str
    granted_organization_id: str
    role_keys: list[str]


@dataclass(kw_only=True)
class Application(Switchable):
    """An API or OIDC application; ``auth_method`` is ZITADEL's word, e.g. ``API_AUTH_METHOD_TYPE_BASIC``."""

    project_id: str
    name: str
    client_id: str
    kind: str  # "api" or "oidc"
    auth_method: str
    secret: str | None = field(default=None, repr=False)
    keys: dict[str, PublicKey] = field(default_factory=dict)
    oidc: dict[str, Any] = field(default_factory=dict)  # an OIDC application's other settings, as sent

    @property
    def redirect_uris(self) -> str:
        """The registered redirect URIs, for a person: those below the first one by their rest."""
        first, *others = self.oidc.get("redirectUris") or [""]
        return " ".join((first, *(uri.removeprefix(first) if uri.startswith(f"{first}/") else uri for uri in others)))


@dataclass(kw_only=True)
class PublicKey(Entity):
    """The public half of a key pair of an application or a user; ``id`` is the ``kid``."""

    expires: float
    pem: str
    application_id: str = ""
    user_id: str = ""


@dataclass(kw_only=True)
class Token(Entity):
    """An access token, opaque or a JWT; ``id`` is its ``jti``.

    ``dead`` means that switching the user off erased a PAT, although lists still show it.
    """

    user_id: str
    token: str = field(repr=False)
    expires: float
    scopes: list[str]
    audience: list[str] = field(default_factory=list)
    client_id: str = ""
    amr: list[str] = field(default_factory=list)
    auth_time: float | None = None
    session_id: str = ""  # of the login, if there was one
    nonce: str = ""
    actor: dict[str, object] | None = None  # who impersonates the user (RFC 8693 §4.1)
    dead: bool = False


class PersonalAccessToken(Token):
    """A PAT: for every application, and requested by none."""


@dataclass(kw_only=True)
class Metadata(Entity):
    """A value of a user's metadata; ``id`` is its key."""

    value: bytes


@dataclass(kw_only=True)
class User(Entity):
    """A service account (``machine``) or a human; ``state`` is ``ACTIVE``, ``INACTIVE`` or ``LOCKED``.

    ``name`` is a human's display name.
    """

    organization_id: str
    username: str
    machine: bool
    name: str
    description: str = ""
    state: str = "ACTIVE"
    jwt_access_tokens: bool = False
    secret: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)  # a human's
    password_changed: float | None = None
    password_change_required: bool = False
    wrong_passwords: int = 0  # since the last right one
    keys: dict[str, PublicKey] = field(default_factory=dict)
    pats: dict[str, PersonalAccessToken] = field(default_factory=dict)
    metadata: dict[str, Metadata] = field(default_factory=dict)
    human: dict[str, dict[str, object]] = field(default_factory=dict)  # profile, email and phone
    groups: dict[str, str] = field(default_factory=dict)  # their names by their IDs


@dataclass(kw_only=True)
class Authorization(Switchable):
    """A role assignment; ``organization_id`` is its owner, which may differ from the user's organization."""

    user_id: str
    project_id: str
    organization_id: str
    role_keys: list[str]


class Resource(NamedTuple):
    """What an administrator administers: the ``instance``, an ``organization`` or a ``project``."""

    kind: str
    id: str = ""

    def held_by(self, user_id: str) -> str:
        """Return the ID of the administrator roles that a user has here."""
        return f"{user_id} of {self.kind} {self.id}"


INSTANCE = Resource("instance")


@dataclass(kw_only=True)
class Administrator(Entity):
    """The roles of an administrator."""

    user_id: str
    resource: Resource
    roles: list[str]


@dataclass(kw_only=True)
class SigningKey(Entity):
    """A key that signs JWTs; ``id`` is the ``kid``. It changes when it begins to sign, and when it no longer does."""

    private: Any = field(repr=False)
    algorithm: str = "RS256"


@dataclass(kw_only=True)
class RefreshToken(Entity):
    """A refresh token and the access token that it replaces; ``ended`` is set when it was used or revoked."""

    text: str = field(repr=False)
    expires: float
    scopes: list[str]  # of the login, of which an access token can have fewer
    access: Token
    ended: bool = False


@dataclass(kw_only=True)
class LoginSession(Entity):
    """What was checked about a person who logs in, and when; ``browser`` is the secret of the cookie that holds it."""

    token: str = field(default="", repr=False)
    expires: float = NEVER
    user_id: str = ""
    user_checked: float | None = None
    password_checked: float | None = None
    metadata: dict[str, bytes] = field(default_factory=dict)
    user_agent: dict[str, object] = field(default_factory=dict)  # as sent
    browser: str = field(default="", repr=False)
    creator: str = ""  # ID of the user who made it by the API
    ended: bool = False

    @property
    def auth_time(self) -> float:
        """When the person last proved something."""
        return max(self.user_checked or self.created, self.password_checked or self.created)


@dataclass(kw_only=True)
class AuthRequest(Entity):
    """A request of an application to log somebody in; its ID begins with ``V2_``, except for login version 1.

    Of a device, which has a ``user_code``, ``code`` is the device code. No ``session_id`` in an answer means no.
    """

    client_id: str
    redirect_uri: str = ""
    user_code: str = ""
    response_mode: str = ""
    scopes: list[str]
    state: str = ""
    nonce: str = ""
    challenge: str = ""
    challenge_method: str = ""
    prompt: str = ""  # as it came: a list of many short words would take 20 times the memory
    ui_locales: str = ""
    login_hint: str = ""
    max_age: int | None = None  # seconds; 0 for the prompt ``login``
    answered: bool = False
    code: str = field(default="", repr=False)  # empty again once it was used
    session_id: str = ""


@dataclass
class Event:
    """An entry of the log of what happened to a user; ``editor`` is a user's ID, or empty for the instance."""

    sequence: int
    created: float
    type: str
    aggregate_id: str
    organization_id: str
    editor: str
    payload: dict[str, object]
