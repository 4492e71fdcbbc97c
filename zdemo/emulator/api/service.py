"""A call of the management API as its methods see it, how methods are declared, and who may call them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from werkzeug.datastructures import Headers

from zdemo.emulator.api.fields import InvalidError, details, message_of
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from zdemo.emulator.entities import Entity, PersonalAccessToken, Switchable, User
from zdemo.emulator.incoming.request_records import masked, note
from zdemo.emulator.messages.table import MethodRow, method_row
from zdemo.emulator.rights import memberships, permissions
from zdemo.emulator.tokens import TokenRefused, live_token
from zdemo.emulator.world import World

Answer = dict[str, Any]
AUTHENTICATED = "authenticated"  # the permission of methods that any valid token can call
no_organization = partial(PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds")


@dataclass(frozen=True)
class Call:
    """A request and its caller; ``organization_id`` is that of the header, else the caller's own."""

    world: World
    caller: User
    organization_id: str
    body: dict[str, Any]
    method: "Method"

    def may(self, permission: str, organization_id: str, resource_id: str = "") -> bool:
        """Return whether the caller has a permission in an organization or for this one project."""
        held = permissions(self.world, self.caller, organization_id)
        return permission in held or f"{permission}:{resource_id}" in held

    def need(self, permission: str, organization_id: str | None, resource_id: str = "") -> None:
        """Refuse a caller without the permission; for an unknown object the call's organization counts."""
        organization_id = organization_id or self.organization_id
        self._need(permission, organization_id, self.may(permission, organization_id, resource_id), "AUTH-AWfge")

    def enter(self, permission: str, project: str) -> None:
        """Refuse, before a method runs, callers without the permission, or with that for another project."""
        if permission != AUTHENTICATED:
            held = {name.split(":")[0] for name in permissions(self.world, self.caller, self.organization_id)}
            self._need(permission, self.organization_id, permission in held, "AUTH-5mWD2")
            may = not project or self.may(permission, self.organization_id, self.body.get(project, ""))
            self._need(permission, self.organization_id, may, "AUTH-3jknH")

    def _need(self, permission: str, organization_id: str, held: bool, error_id: str) -> None:
        name = self.caller.username
        if not memberships(self.world, self.caller, organization_id):
            reason = f"{name} is not an administrator of the organization {organization_id}"
            raise NotFound("membership not found", "AUTHZ-cdgFk", reason=reason)
        if not held:
            reason = f"{name} lacks the permission {permission}"
            raise PermissionDenied("No matching permissions found", error_id, reason=reason)

    def change(self, entity: Entity, **values: Any) -> float:
        """Set values of an object; return when it last changed. Lists of the same values in another order are equal."""
        held = {name: getattr(entity, name) for name in values}
        if any(set(held[n]) != set(v) if isinstance(v, list) else held[n] != v for n, v in values.items()):
            vars(entity).update(values)
            self.world.touch(entity)
        return entity.changed


Handler = Callable[[Call], Answer]
Refusal = tuple[str, str]  # ZITADEL's text and ID


@dataclass(frozen=True)
class Method:
    """A method: its full name, what it does, and the permission that it needs, if the table does not have it."""

    name: str
    answer: Handler
    permission: str

    @cached_property
    def row(self) -> MethodRow:
        """What the table has about it."""
        return method_row(self.name)


SERVICES: dict[str, "Service"] = {}


@dataclass(frozen=True)
class Service:
    """A service by its name, which is in the Connect paths of v2."""

    name: str
    methods: dict[str, Method] = field(default_factory=dict)

    def __post_init__(self) -> None:
        SERVICES[self.name] = self

    def method(self, name: str, *, permission: str = "") -> Callable[[Handler], Handler]:
        """Declare the function that answers a method; its permission is checked before it runs."""

        def declare(handler: Handler) -> Handler:
            self.methods[name] = Method(f"{self.name}/{name}", handler, permission)
            return handler

        return declare


def switch(find: Callable[[Call], Switchable], active: bool, refusal: Refusal | None, call: Call) -> Answer:
    """Activate or deactivate an object, and return when; without a change, raise ``refusal`` if there is one."""
    entity = find(call)
    if refusal and entity.active == active:
        raise FailedPrecondition(*refusal)
    dates = dict.fromkeys(("changeDate", "deactivationDate", "reactivationDate"), call.change(entity, active=active))
    return {"details": details(entity, call.organization_id), **dates}


def run(world: World, method: Method, body: dict[str, Any], headers: Headers) -> Answer:
    """Authenticate, check the permission, validate, then run the method. Raises ZitadelError."""
    caller = _authenticated(world, headers.get("Authorization"))
    organization_id = headers.get("x-zitadel-orgid", "")
    if organization_id and organization_id not in world.organizations:
        raise no_organization(reason="x-zitadel-orgid names no organization")
    call = Call(world, caller, organization_id or caller.organization_id, body, method)
    call.enter(method.permission or method.row.permission, method.row.project)
    try:
        message_of(method.row.request).check(body)
    except InvalidError as reason:
        raise InvalidArgument(str(reason)) from None
    return message_of(method.row.answer).show(method.answer(call))


def _authenticated(world: World, header: str | None) -> User:
    """Return the user behind an ``Authorization`` header; only PATs need no audience of ZITADEL's own APIs."""
    if not header:
        raise Unauthenticated("auth header missing", reason="no Authorization header")
    _, *texts = header.split("Bearer ")
    if len(texts) != 1:
        reason = "the Authorization header is not Bearer and a token"
        raise Unauthenticated("invalid auth header", "AUTH-toLo1", reason=reason)
    (text,) = texts
    note(token=masked(text))
    if any(session.token == text and not session.ended for session in world.login_sessions.values()):
        raise PermissionDenied("authentication required", "AUTHZ-Kl3p0", reason="the token of a login session")
    try:
        token = live_token(world, text)
    except TokenRefused as refusal:
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e", reason=str(refusal)) from refusal
    if token.actor:
        raise PermissionDenied("Errors.TokenExchange.Token.NotForAPI", "APP-Shi0J", reason="a token with an actor")
    if not isinstance(token, PersonalAccessToken) and world.zitadel_project_id not in token.audience:
        reason = "audience: the token is not for ZITADEL's own APIs"
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e", reason=reason)
    return world.users[token.user_id]
