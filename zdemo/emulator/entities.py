"""What the objects of a ZITADEL instance are: plain data, without rules.

Times are epoch seconds as floats; IDs are decimal strings that hold their time of creation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = 253402300799.0  # 9999-12-31T23:59:59Z


@dataclass(kw_only=True)
class Entity:
    """What every object has. ``sequence`` counts its changes."""

    id: str
    created: float
    changed: float
    sequence: int = 1


@dataclass(kw_only=True)
class Organization(Entity):
    """Its primary domain is what role claims name it by."""

    name: str
    primary_domain: str
    active: bool = True


@dataclass(kw_only=True)
class Role(Entity):
    """A role of a project; ``id`` is its key."""

    project_id: str
    display_name: str
    group: str = ""


@dataclass(kw_only=True)
class Project(Entity):
    """The owner of roles and applications."""

    organization_id: str
    name: str
    active: bool = True
    role_assertion: bool = False
    authorization_required: bool = False
    project_access_required: bool = False
    roles: dict[str, Role] = field(default_factory=dict)
    grants: dict[str, ProjectGrant] = field(default_factory=dict)  # by granted organization


@dataclass(kw_only=True)
class ProjectGrant(Entity):
    """Leave for another organization to give some of a project's roles to users."""

    project_id: str
    granted_organization_id: str
    role_keys: list[str]
    active: bool = True


@dataclass(kw_only=True)
class Application(Entity):
    """An API or OIDC application. ``auth_method`` is ZITADEL's word, e.g. ``API_AUTH_METHOD_TYPE_BASIC``."""

    project_id: str
    name: str
    client_id: str
    kind: str  # "api" or "oidc"
    auth_method: str
    active: bool = True
    secret: str | None = field(default=None, repr=False)
    keys: dict[str, PublicKey] = field(default_factory=dict)
    oidc: dict[str, object] = field(default_factory=dict)  # an OIDC application's other settings, as sent


@dataclass(kw_only=True)
class PublicKey(Entity):
    """A key pair's public half; ``id`` is the ``kid``. The private half is shown once and not kept.

    ``owner_id`` is the application's or the user's.
    """

    owner_id: str
    expires: float
    pem: str


@dataclass(kw_only=True)
class PersonalAccessToken(Entity):
    """``scopes`` are those it was made with; ``dead`` means erased by switching its user off, though still listed."""

    user_id: str
    token: str = field(repr=False)
    expires: float
    scopes: list[str]
    dead: bool = False


@dataclass(kw_only=True)
class User(Entity):
    """A service user (``machine``) or a human. ``state`` is ``ACTIVE``, ``INACTIVE`` or ``LOCKED``."""

    organization_id: str
    username: str
    machine: bool
    name: str
    description: str = ""
    state: str = "ACTIVE"
    jwt_access_tokens: bool = False
    secret: str | None = field(default=None, repr=False)
    keys: dict[str, PublicKey] = field(default_factory=dict)
    pats: dict[str, PersonalAccessToken] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    human: dict[str, object] = field(default_factory=dict)  # a human's profile and email, as sent


@dataclass(kw_only=True)
class Authorization(Entity):
    """A role assignment: ``organization_id`` owns it, which need not be the user's organization."""

    user_id: str
    project_id: str
    organization_id: str
    role_keys: list[str]
    active: bool = True


@dataclass(kw_only=True)
class Administrator(Entity):
    """``resource`` is ``("instance", "")``, ``("organization", ID)`` or ``("project", ID)``."""

    user_id: str
    resource: tuple[str, str]
    roles: list[str]


@dataclass(kw_only=True)
class SessionToken(Entity):
    """An access token of the token endpoint; ``id`` is its ``jti``. ``token`` is the opaque text or the JWT."""

    user_id: str
    token: str = field(repr=False)
    expires: float
    scopes: list[str]
    audience: list[str]
    client_id: str
    amr: list[str]
    auth_time: float


@dataclass(kw_only=True)
class Event:
    """One line of the log of what happened to a user. ``editor`` is the user who did it, empty for the instance."""

    sequence: int
    created: float
    type: str
    aggregate_id: str
    organization_id: str
    editor: str
    payload: dict[str, object]
