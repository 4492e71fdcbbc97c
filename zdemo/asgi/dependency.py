"""The guard as a dependency: ``Depends(requires_token)`` in FastAPI, ``await requires_token(request)`` in Starlette."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from inspect import Parameter, Signature
from typing import Any, NoReturn, overload

from starlette.requests import HTTPConnection

from zdemo.asgi.call import EXAMPLE, GuardedCall, call_of, current_call
from zdemo.asgi.fastapi_parts import BearerScheme
from zdemo.authorization import (
    NO_ROLE,
    UNSET,
    RequiredRoles,
    authorize,
    bearer_token,
    refuse_second_token,
    required_roles,
)
from zdemo.config.masking import could_be_secret
from zdemo.errors import GuardError
from zdemo.introspection.model import Introspection

AS_DEPENDENCY = 'Annotated[Introspection, Depends(requires_token(role="read:messages"))]'
AS_LIST = 'dependencies=[Depends(requires_token(role="read:messages"))]'
WRITE_IT = f"write {AS_DEPENDENCY} in FastAPI, or {EXAMPLE} in Starlette"


class TokenDependency(BearerScheme):
    """A guard that admits requests with an active bearer token for this API, and with roles.

    Guards with the same roles are equal, so ``app.dependency_overrides`` can name one.
    """

    # What FastAPI reads: a parameter that it does not find here, it would take from the query.
    __signature__ = Signature([Parameter("connection", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)])
    made = 0  # outside requests, for any app; each may be in a wrong place

    def __init__(self, roles: RequiredRoles) -> None:
        self._roles = roles
        self._hash = hash(roles)  # once, since FastAPI looks for it several times per request
        call = current_call.get()
        if call:
            call.begin(self)
        else:
            TokenDependency.made += 1

    def __call__(self, connection: HTTPConnection) -> Awaitable[Introspection]:
        """Return what ZITADEL says about the token, or raise why the request is refused. Await it."""
        if not isinstance(connection, HTTPConnection):
            _refuse_arguments(connection)
        call = call_of(connection)
        call.end(self)  # from its creation, if that was in this request
        decision = object()
        call.begin(decision)
        call.guarded = True
        return self._decide(connection, call, decision)

    async def _decide(self, connection: HTTPConnection, call: GuardedCall, decision: object) -> Introspection:
        try:
            scope, guard = connection.scope, call.guard
            token = bearer_token(_authorization(scope))
            if scope["query_string"]:
                refuse_second_token(scope["query_string"])
            if call.form:
                refuse_second_token(await call.form.start())
            introspection = await call.pool.introspect(token)
            authorize(introspection, guard.policy, now=guard.now(), roles=self._roles)
        except Exception:
            call.refuse(decision)
            raise
        call.end(decision)  # not if it is cancelled
        return introspection

    __call__.__wrapped__ = _decide  # type: ignore[attr-defined]  # by this, FastAPI sees that it must be awaited

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenDependency) and other._roles == self._roles

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"requires_token({self._roles})"

    @property
    def dependency(self) -> NoReturn:
        """The attribute that FastAPI reads from each member of ``dependencies``. Raises GuardError."""
        raise GuardError("requires_token is written without Depends", hint=f"write {AS_LIST}")

    def __get_pydantic_core_schema__(self, *_: object) -> NoReturn:
        """Raise GuardError: FastAPI would read a parameter with this metadata from the request."""
        raise GuardError("requires_token is written without Depends", hint=f"write {AS_DEPENDENCY}")


class _RequiresToken(TokenDependency):
    """The guard without roles, which also creates guards with roles."""

    @overload
    def __call__(self, connection: HTTPConnection) -> Awaitable[Introspection]: ...
    @overload
    def __call__(
        self, *, role: str = ..., any_of: Collection[str] = ..., all_of: Collection[str] = ...
    ) -> TokenDependency: ...
    def __call__(self, connection: Any = UNSET, *, role: Any = UNSET, any_of: Any = UNSET, all_of: Any = UNSET) -> Any:
        """Admit only requests with an active bearer token for this API, and with the roles if some are given.

        With ``role``, the token needs that role; with ``any_of``, at least one of a list; with ``all_of``, each of
        them. Raises GuardError for wrong arguments.
        """
        roles = required_roles(role=role, any_of=any_of, all_of=all_of)
        if connection is UNSET:
            return TokenDependency(roles)
        if roles != NO_ROLE:
            raise GuardError("requires_token takes either roles or a request", hint=f"write {EXAMPLE}")
        return super().__call__(connection)

    __call__.__wrapped__ = TokenDependency._decide  # type: ignore[attr-defined]  # as above


requires_token = _RequiresToken(NO_ROLE)


def _authorization(scope: Mapping[str, Any]) -> str | None:
    """Return the ``Authorization`` field; several are joined, as WSGI servers do."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    return b",".join(values).decode("latin-1") if values else None


def _refuse_arguments(given: object) -> NoReturn:
    if isinstance(given, str):
        role = "ROLE" if could_be_secret(given) else given
        raise GuardError("requires_token takes a role by name", hint=f'write requires_token(role="{role}")')
    if callable(given):
        raise GuardError("requires_token is a dependency, not a decorator", hint=WRITE_IT)
    raise GuardError(f"requires_token takes a request, not {type(given).__name__}", hint=WRITE_IT)
