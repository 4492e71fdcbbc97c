"""A call of the management API as its methods see it, how methods are declared, and who may call them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Headers

from zdemo.emulator.api.fields import FieldType, InvalidError, Message, OneOf, moment
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from zdemo.emulator.entities import Administrator, Entity, PersonalAccessToken, Switchable, User
from zdemo.emulator.incoming import masked, note
from zdemo.emulator.tokens import TokenRefused, live_token
from zdemo.emulator.world import World

Answer = dict[str, Any]
KeyPair = tuple[str, str]  # the private half and the public half, as PEM
AUTHENTICATED = "authenticated"  # the permission of methods that any valid token can call
OWN_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"  # the scope that opens ZITADEL's own APIs


class KeyPairNeeded(Exception):
    """A method needs a new key pair, which takes too long to make while the world is locked."""


@dataclass(frozen=True)
class Call:
    """A request and its caller; ``organization_id`` is that of the header, else the caller's own."""

    world: World
    caller: User
    organization_id: str
    body: dict[str, Any]
    key_pair: KeyPair | None = None

    def new_key_pair(self) -> KeyPair:
        """Return a new key pair. The method is run twice up to here, so it must not have changed anything yet."""
        if self.key_pair is None:
            raise KeyPairNeeded
        return self.key_pair

    def may(self, permission: str, organization_id: str, resource_id: str = "") -> bool:
        """Return whether the caller has a permission in an organization or for this one project."""
        held = permissions(self.world, self.caller, organization_id)
        return permission in held or f"{permission}:{resource_id}" in held

    def need(self, permission: str, organization_id: str | None, resource_id: str = "") -> None:
        """Refuse a caller without the permission; for an unknown object the call's organization counts."""
        organization_id = organization_id or self.organization_id
        self._need(permission, organization_id, self.may(permission, organization_id, resource_id), "AUTH-AWfge")

    def enter(self, permission: str) -> None:
        """Refuse, before a method runs, a caller without the permission for anything in the call's organization."""
        if permission != AUTHENTICATED:
            held = {name.split(":")[0] for name in permissions(self.world, self.caller, self.organization_id)}
            self._need(permission, self.organization_id, permission in held, "AUTH-5mWD2")

    def _need(self, permission: str, organization_id: str, held: bool, error_id: str) -> None:
        name = self.caller.username
        if not memberships(self.world, self.caller, organization_id):
            reason = f"{name} is not an administrator of the organization {organization_id}"
            raise NotFound("membership not found", "AUTHZ-cdgFk", reason=reason)
        if not held:
            reason = f"{name} lacks the permission {permission}"
            raise PermissionDenied("No matching permissions found", error_id, reason=reason)

    def change(self, entity: Entity, **values: Any) -> float:
        """Set values of an object; return when it last changed. Lists of the same values in another order are alike."""
        held = {name: getattr(entity, name) for name in values}
        if any(set(held[n]) != set(v) if isinstance(v, list) else held[n] != v for n, v in values.items()):
            vars(entity).update(values)
            self.world.touch(entity)
        return entity.changed

    def set_active(self, entity: Switchable, active: bool, refusal: tuple[str, str] | None = None) -> float:
        """Switch an object on or off like ``change``; with a ``refusal`` no change is refused."""
        if refusal and entity.active == active:
            raise FailedPrecondition(*refusal)
        return self.change(entity, active=active)


Handler = Callable[[Call], Answer]
Refusal = tuple[str, str]  # ZITADEL's text and ID


@dataclass(frozen=True)
class Method:
    """A method: its request, what it does, and the permission that is checked before it runs."""

    request: Message
    answer: Handler
    permission: str


SERVICES: dict[str, "Service"] = {}
REST: list[tuple[str, str, Method]] = []  # the methods with a REST form: HTTP method, path, whose parts are fields


@dataclass(frozen=True)
class Service:
    """A v2 service, by the name in its Connect paths, and the start of its REST paths. v1's has no name."""

    name: str
    path: str = ""
    methods: dict[str, Method] = field(default_factory=dict)

    def __post_init__(self) -> None:
        SERVICES[self.name] = self

    def method(
        self, name: str, /, *choices: OneOf, permission: str = AUTHENTICATED, rest: str = "", **fields: FieldType
    ) -> Callable[[Handler], Handler]:
        """Declare the function that answers a method; its permission is checked before it runs."""

        def declare(handler: Handler) -> Handler:
            self.methods[name] = method = Method(Message(f"{name}Request", *choices, **fields), handler, permission)
            if rest:
                verb, _, path = rest.partition(" ")
                REST.append((verb, self.path + path, method))
            return handler

        return declare


def switch(
    find: Callable[[Call], Switchable], active: bool, refusal: Refusal | None = None, date: str = "changeDate"
) -> Handler:
    """Return what switches the object of a request on or off, and answers with the date of its last change."""
    return lambda call: {date: moment(call.set_active(find(call), active, refusal))}


def run(
    world: World, method: Method, body: dict[str, Any], headers: Headers, key_pair: KeyPair | None = None
) -> Answer:
    """Authenticate, check the permission, validate, then run the method. Raises KeyPairNeeded to be run again."""
    caller = _authenticated(world, headers.get("Authorization"))
    organization_id = headers.get("x-zitadel-orgid", "")
    if organization_id and organization_id not in world.organizations:
        raise PermissionDenied(
            "Organisation doesn't exist", "AUTH-Bs7Ds", reason="x-zitadel-orgid names no organization"
        )
    call = Call(world, caller, organization_id or caller.organization_id, body, key_pair)
    call.enter(method.permission)
    try:
        method.request.check(body)
    except InvalidError as reason:
        raise InvalidArgument(str(reason)) from None
    except RecursionError:
        raise InvalidArgument("nested too deeply") from None
    return method.answer(call)


def _authenticated(world: World, header: str | None) -> User:
    """Return the user behind an ``Authorization`` header; only PATs need no audience of ZITADEL's own APIs."""
    if not header:
        raise Unauthenticated("auth header missing", reason="no Authorization header")
    parts = header.split("Bearer ")
    if len(parts) != 2:
        reason = "the Authorization header is not Bearer and a token"
        raise Unauthenticated("invalid auth header", "AUTH-toLo1", reason=reason)
    note(token=masked(parts[1]))
    try:
        token = live_token(world, parts[1])
    except TokenRefused as refusal:
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e", reason=refusal.reason) from refusal
    for_zitadel = isinstance(token, PersonalAccessToken) or (
        OWN_AUDIENCE in token.scopes or world.zitadel_project_id in token.audience
    )
    if not for_zitadel:
        reason = "audience: the token is not for ZITADEL's own APIs"
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e", reason=reason)
    return world.users[token.user_id]


# --- the permissions of each administrator role (ZITADEL: InternalAuthZ, its default mapping) ---


def _permissions(*lines: str) -> frozenset[str]:
    """Return every thing with every verb of each line: ``"user org: read write"`` stands for four permissions."""
    split = (line.split(":") for line in lines)
    return frozenset(f"{thing}.{verb}" for things, verbs in split for thing in things.split() for verb in verbs.split())


_PROJECT_PARTS = "project.member project.role project.app project.grant project.grant.member"
_READ_PROJECT = _permissions(f"policy project {_PROJECT_PARTS} user user.global user.grant user.membership: read")
_READ_ORGANIZATION = _READ_PROJECT | _permissions(
    "org org.member org.idp org.action org.flow org.feature user.feature: read"
)
_ORG_OWNER = _READ_ORGANIZATION | _permissions(
    "org org.member org.idp org.action org.flow org.feature user user.grant user.feature policy: write delete",
    "org.global: read",
    "user.credential user.passkey project.app: write",
    "project: create write delete",
    "project.member project.role project.grant project.grant.member: write delete",
    "session: read delete",
)
_IAM_ORG_MANAGER = _ORG_OWNER | _permissions("org: create", "project.app: delete")
_READ_INSTANCE = _permissions(
    "iam iam.policy iam.member iam.idp iam.action iam.flow iam.restrictions iam.feature iam.web_key iam.debug: read",
    "events milestones action.target action.execution userschema session: read",
)
_MANAGE_USERS = _permissions(
    "org user.global user.membership project project.role: read",
    "user user.grant user.feature: read write delete",
    "session: read delete",
)
_GIVE_ROLES = _permissions(
    f"org org.member user user.global policy project {_PROJECT_PARTS}: read", "user.grant: read write delete"
)
_IMPERSONATE = frozenset({"admin.impersonation", "impersonation"})

ROLES: dict[str, frozenset[str]] = {
    "IAM_OWNER": _IAM_ORG_MANAGER
    | _READ_INSTANCE
    | _permissions(
        "iam iam.restrictions iam.debug action.execution session: write",
        "iam.policy iam.member iam.idp iam.action iam.flow iam.feature iam.web_key: write delete",
        "action.target userschema: write delete",
    ),
    "IAM_OWNER_VIEWER": _READ_INSTANCE | (_READ_ORGANIZATION - {"user.global.read"}),
    "IAM_ORG_MANAGER": _IAM_ORG_MANAGER,
    "IAM_USER_MANAGER": _MANAGE_USERS
    | _permissions(
        "org.global project.member project.app project.grant.member: read",
        "org.member: read delete",
        "user.passkey: write",
        "project.grant: read write delete",
    ),
    "IAM_ADMIN_IMPERSONATOR": _IMPERSONATE,
    "IAM_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "IAM_LOGIN_CLIENT": _READ_ORGANIZATION - {"user.global.read", "org.action.read", "org.flow.read"}
    | _permissions(
        "iam iam.policy iam.idp iam.feature iam.restrictions userschema: read",
        "iam.member: read write",
        "org.member user user.grant user.credential user.passkey project.member project.grant.member: write",
        "session: read write link delete",
    ),
    "ORG_OWNER": _ORG_OWNER,
    "ORG_OWNER_VIEWER": _READ_ORGANIZATION | {"project.grant.user.grant.read"},
    "ORG_USER_MANAGER": _MANAGE_USERS | {"policy.read"},
    "ORG_SETTINGS_MANAGER": _permissions("org: read write", "org.member: read")
    | _permissions("org.idp org.feature policy: read write delete"),
    "ORG_USER_PERMISSION_EDITOR": _GIVE_ROLES,
    "ORG_PROJECT_PERMISSION_EDITOR": _GIVE_ROLES | _permissions("project.grant: write delete"),
    "ORG_PROJECT_CREATOR": frozenset({"user.global.read", "policy.read", "project.read", "project.create"}),
    "ORG_USER_SELF_MANAGER": frozenset({"policy.read", "user.self.delete"}),
    "ORG_ADMIN_IMPERSONATOR": _IMPERSONATE,
    "ORG_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "PROJECT_OWNER": _READ_PROJECT
    | _permissions("org.global: read", f"project {_PROJECT_PARTS} user.grant: write delete"),
    "PROJECT_OWNER_VIEWER": _READ_PROJECT,
}
PREFIXES = {"instance": "IAM_", "organization": "ORG_", "project": "PROJECT_"}  # of the roles that a resource has


def memberships(world: World, user: User, organization_id: str) -> list[Administrator]:
    """Return the administrator roles that count here: of the instance, the organization and its projects."""

    def counts(kind: str, id: str) -> bool:
        if kind == "project":
            project = world.projects.get(id)
            return project is not None and project.organization_id == organization_id
        return kind == "instance" or id == organization_id

    return [a for a in world.administrators.values() if a.user_id == user.id and counts(*a.resource)]


def permissions(world: World, user: User, organization_id: str) -> list[str]:
    """Return all permissions in an organization; those for one project end in ``:`` and its ID."""
    held: list[str] = []
    for administrator in memberships(world, user, organization_id):
        kind, id = administrator.resource
        tail = f":{id}" if kind == "project" else ""
        names = sorted({name for role in administrator.roles for name in ROLES.get(role, ())})
        held += [name + tail for name in names if name + tail not in held]
    return held
