"""A call of the management API as its methods see it, and how methods are declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zdemo.emulator.api.kinds import InvalidError
from zdemo.emulator.api.permissions import AUTHENTICATED, Access
from zdemo.emulator.api.schema import Message
from zdemo.emulator.entities import PersonalAccessToken, User
from zdemo.emulator.errors import InvalidArgument, PermissionDenied, Unauthenticated
from zdemo.emulator.tokens import find_token
from zdemo.emulator.world import World

Answer = dict[str, Any]
OWN_AUDIENCE = "urn:zitadel:iam:org:project:id:zitadel:aud"  # the scope that opens ZITADEL's own APIs


@dataclass(frozen=True)
class Call:
    """Who asks for what. ``organization_id`` is the context: the header's organization, else the caller's."""

    world: World
    caller: User
    organization_id: str
    body: dict[str, Any]

    @property
    def access(self) -> Access:
        """What the caller may."""
        return Access(self.world, self.caller)

    def need(self, permission: str, organization_id: str | None, resource_id: str = "") -> None:
        """Refuse the caller; an unknown object is asked about in the context's organization."""
        self.access.need(permission, organization_id or self.organization_id, resource_id)

    def need_or_self(self, permission: str, user: User | None) -> None:
        """The same about a user; anybody may do it to himself."""
        if user is None or user.id != self.caller.id:
            self.need(permission, user.organization_id if user else None)


@dataclass(frozen=True)
class Method:
    """A method of a service: its request, what it does, and the permission that is asked at the door."""

    request: Message
    answer: Callable[[Call], Answer]
    permission: str

    @property
    def name(self) -> str:
        """As in its path."""
        return self.request.name.removesuffix("Request")


@dataclass(frozen=True)
class Service:
    """A v2 service: the name in its paths, and the Go package that ``unmarshal into`` shows."""

    name: str
    package: str
    methods: dict[str, Method] = field(default_factory=dict)

    def method(
        self, request: Message, permission: str = AUTHENTICATED
    ) -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
        """Decorates the function that answers a request."""

        def declare(answer: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
            method = Method(request, answer, permission)
            self.methods[method.name] = method
            return answer

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
    """The user behind an ``Authorization`` header. Only PATs may do without the audience of ZITADEL's own APIs."""
    if not header:
        raise Unauthenticated("auth header missing")
    parts = header.split("Bearer ")
    if len(parts) != 2:
        raise Unauthenticated("invalid auth header", "AUTH-toLo1")
    token = find_token(world, parts[1])
    user = world.users.get(token.user_id) if token else None
    for_us = isinstance(token, PersonalAccessToken) or (
        token is not None and (OWN_AUDIENCE in token.scopes or world.zitadel_project_id in token.audience)
    )
    if user is None or not for_us:
        raise Unauthenticated("Errors.Token.Invalid", "AUTH-7fs1e")
    return user
