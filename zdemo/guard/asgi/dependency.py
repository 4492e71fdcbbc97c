"""The guard as a dependency: in FastAPI by itself or in ``Depends``; in Starlette ``await requires_token(request)``."""

from collections.abc import Awaitable, Collection
from inspect import Parameter, Signature
from typing import Any, NoReturn, overload

from starlette.requests import HTTPConnection

from zdemo.errors import GuardError
from zdemo.guard.asgi.guarded_call import SCOPE_KEY, GuardedCall, in_request
from zdemo.guard.authorization import NO_ROLE, UNSET, RequiredRoles, authorize, required_roles
from zdemo.zitadel.introspection_answer import Introspection

try:
    from fastapi.openapi.models import HTTPBearer
    from fastapi.params import Depends
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase

    MODEL: HTTPBearer | None = HTTPBearer(description="an access token from ZITADEL")
except ImportError:  # Starlette alone: then nobody asks for these
    from types import SimpleNamespace as Depends  # type: ignore[assignment]

    SecurityBase = SecurityScopes = object  # type: ignore[assignment,misc]
    MODEL = None

AS_DEPENDENCY = 'Annotated[Introspection, Depends(requires_token(role="read:messages"))]'
WRITE_IT = f"write {AS_DEPENDENCY} in FastAPI; in Starlette, "
WRITE_IT += 'write requires_reader = requires_token(role="read:messages") once, then await requires_reader(request)'


class TokenDependency(Depends, SecurityBase):
    """A guard that admits requests whose token has roles; for FastAPI, its own ``Depends``, and a security scheme.

    Called without a request, the guard without roles creates guards with roles.
    """

    # FastAPI reads this signature; it would take any other parameter of a call from the query.
    __signature__ = Signature(
        [
            Parameter("connection", Parameter.KEYWORD_ONLY, annotation=HTTPConnection),
            Parameter("security_scopes", Parameter.KEYWORD_ONLY, annotation=SecurityScopes),
        ]
    )
    __eq__, __hash__ = object.__eq__, object.__hash__  # those of Depends would call each other without end
    model = MODEL  # type: ignore[assignment]  # None without FastAPI
    scheme_name = "zitadel"

    def __init__(self, roles: RequiredRoles) -> None:
        super().__init__(dependency=self)
        self._roles = roles

    @overload
    def __call__(self, connection: HTTPConnection, security_scopes: Any = None) -> Awaitable[Introspection]: ...
    @overload
    def __call__(  # returns Any, as FastAPI's Depends does: it may be the default of an Introspection
        self, *, role: str = ..., any_of: Collection[str] = ..., all_of: Collection[str] = ..., actor: bool = ...
    ) -> Any: ...
    def __call__(self, connection: Any = UNSET, security_scopes: Any = None, **roles: Any) -> Any:
        """Admit only requests whose token has certain roles; without roles, return what ZITADEL says about the token.

        With ``role``, the token needs that role; with ``any_of``, at least one of a list; with ``all_of``, each of
        them. ``actor=False`` refuses tokens with which somebody impersonates their user. Raises GuardError for wrong
        arguments, and for roles inside a request; for a request, when awaited, why it is refused.
        """
        if security_scopes and security_scopes.scopes:
            hint = f"write requires_token(all_of={security_scopes.scopes}) instead"
            raise GuardError("Security(..., scopes=[...]) checks no role", hint=hint)
        if roles if connection is not UNSET else in_request.get() or self._roles != NO_ROLE:
            raise GuardError("requires_token(...) is called inside a request, or a second time", hint=WRITE_IT)
        if connection is UNSET:
            return TokenDependency(required_roles(**roles))
        if HTTPConnection not in type(connection).__mro__:  # isinstance takes longer: this is an abstract class
            raise GuardError(f"requires_token takes a request, not {type(connection).__name__}", hint=WRITE_IT)
        call = connection.scope.get(SCOPE_KEY)
        if not isinstance(call, GuardedCall) or call.app is not connection.scope.get("app"):
            path = connection.scope.get("root_path")
            which = f"the app below {path}" if path else "this app"
            hint = "call protect(app) once for each app whose routes ask for roles, also for a mounted one"
            raise GuardError(f"protect(app) was not called for {which}", hint=hint)
        if call.introspection:  # raises at once, even if nobody awaits the result
            # The layer has checked this before, but FastAPI may have waited for a body, and the token may have expired
            authorize(call.introspection, call.guard.policy, now=call.guard.now(), roles=self._roles)
            return _as_awaitable(call.introspection)
        call.unawaited += 1
        return call.ask(connection.scope, self._roles)  # on an open route

    __call__.__wrapped__ = GuardedCall.ask  # type: ignore[attr-defined]  # by this, FastAPI sees that it must be awaited

    def __get_pydantic_core_schema__(self, *_: object) -> NoReturn:
        """Raise GuardError: FastAPI does not run this guard, and reads its parameter from the request."""
        raise GuardError("FastAPI does not run requires_token where it is written", hint=f"write {AS_DEPENDENCY}")


requires_token = TokenDependency(NO_ROLE)
# An empty ``Depends()`` would call the class with claims from the request; FastAPI asks the parameter's type first.
_of_itself = Signature([Parameter("introspection", Parameter.KEYWORD_ONLY, annotation=Introspection)])
Introspection.__signature__ = _of_itself  # type: ignore[attr-defined]  # as above


async def _as_awaitable(introspection: Introspection) -> Introspection:
    return introspection
