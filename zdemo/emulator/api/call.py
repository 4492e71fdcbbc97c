"""A call of the management API as its methods see it, and how methods are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zdemo.emulator.api.field_types import FieldType, InvalidError
from zdemo.emulator.api.messages import Message, OneOf
from zdemo.emulator.api.permissions import AUTHENTICATED, Access
from zdemo.emulator.entities import (
    Application,
    Authorization,
    Organization,
    PersonalAccessToken,
    Project,
    ProjectGrant,
    User,
)
from zdemo.emulator.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated
from zdemo.emulator.tokens import find_token
from zdemo.emulator.world import World

Answer = dict[str, Any]
OWN_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"  # the scope that opens ZITADEL's own APIs


@dataclass(frozen=True)
class Call:
    """A request and its caller; ``organization_id`` is that of the header, else the caller's own."""

    world: World
    caller: User
    organization_id: str
    body: dict[str, Any]

    @property
    def access(self) -> Access:
        """The permissions of the caller."""
        return Access(self.world, self.caller)

    def need(self, permission: str, organization_id: str | None, resource_id: str = "") -> None:
        """Refuse a caller without the permission; for an unknown object the call's organization counts."""
        self.access.need(permission, organization_id or self.organization_id, resource_id)

    def need_or_self(self, permission: str, user: User | None) -> None:
        """Refuse a caller without the permission, except about the caller's own user."""
        if user is None or user.id != self.caller.id:
            self.need(permission, user.organization_id if user else None)

    def set_active(
        self,
        entity: Organization | Project | ProjectGrant | Application | Authorization,
        active: bool,
        refusal: tuple[str, str] | None = None,
    ) -> float:
        """Switch an object on or off; return when it last changed.

        ``refusal`` is the error when the object is in that state already; without one that is accepted.
        """
        if entity.active != active:
            entity.active = active
            return self.world.touch(entity)
        if refusal:
            raise FailedPrecondition(*refusal)
        return entity.changed


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Method:
    """A method: its request, what it does, and the permission that is checked before it runs."""

    request: Message
    answer: Handler
    permission: str


@dataclass(frozen=True)
class Service:
    """A v2 service: the name in its paths, and the Go package in ``unmarshal into`` errors."""

    name: str
    package: str
    methods: dict[str, Method] = field(default_factory=dict)

    def method(self, name: str, /, *choices: OneOf, **fields: FieldType) -> Callable[[Handler], Handler]:
        """Declare the function that answers a method; the fields are those of its request."""
        return self._declare(name, AUTHENTICATED, Message(f"{name}Request", *choices, **fields))

    def guarded(self, name: str, permission: str, /, **fields: FieldType) -> Callable[[Handler], Handler]:
        """Declare a method like ``method``, with a permission that is checked before it runs."""
        return self._declare(name, permission, Message(f"{name}Request", **fields))

    def _declare(self, name: str, permission: str, request: Message) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            self.methods[name] = Method(request, handler, permission)
            return handler

        return declare


def run(world: World, method: Method, body: dict[str, Any], header: str | None, organization_id: str) -> Answer:
    """Answer a request that was read: authenticate, check the method's permission, validate, then run the method."""
    caller = authenticated(world, header)
    if organization_id and organization_id not in world.organizations:
        raise PermissionDenied("Organisation doesn't exist", "AUTH-Bs7Ds")
    call = Call(world, caller, organization_id or caller.organization_id, body)
    call.access.enter(method.permission, call.organization_id)
    try:
        method.request.check(body)
    except InvalidError as reason:
        raise InvalidArgument(str(reason)) from None
    return method.answer(call)


def authenticated(world: World, header: str | None) -> User:
    """Return the user behind an ``Authorization`` header; only PATs need no audience of ZITADEL's own APIs."""
    if not header:
        raise Unauthenticated("auth header missing")
    parts = header.split("Bearer ")
    if len(parts) != 2:
        raise Unauthenticated("invalid auth header", "AUTH-toLo1")
    token = find_token(world, parts[1])
    user = world.users.get(token.user_id) if token else None
    accepted = isinstance(token, PersonalAccessToken) or (
        token is not None and (OWN_AUDIENCE in token.scopes or world.zitadel_project_id in token.audience)
    )
    if user is None or not accepted:
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e")
    return user
