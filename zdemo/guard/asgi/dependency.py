"""The guard as a dependency: ``Depends(requires_token)`` in FastAPI, ``await requires_token(request)`` in Starlette."""

from collections.abc import Awaitable, Collection
from inspect import Parameter, Signature
from typing import Any, NoReturn, overload

from starlette.requests import HTTPConnection

from zdemo.errors import GuardError
from zdemo.guard.asgi.guarded_call import SCOPE_KEY, GuardedCall, in_request
from zdemo.guard.authorization import NO_ROLE, UNSET, RequiredRoles, required_roles
from zdemo.text.masking import could_be_secret
from zdemo.zitadel.introspection_answer import Introspection

try:
    from fastapi.openapi.models import HTTPBearer
    from fastapi.security.base import SecurityBase

    MODEL: HTTPBearer | None = HTTPBearer(description="an access token from ZITADEL")
except ImportError:  # Starlette alone
    SecurityBase = object  # type: ignore[assignment,misc]  # then nobody asks for it
    MODEL = None

AS_DEPENDENCY = 'Annotated[Introspection, Depends(requires_token(role="read:messages"))]'
AS_LIST = 'dependencies=[Depends(requires_token(role="read:messages"))]'
ONCE = 'write requires_reader = requires_token(role="read:messages") once, then await requires_reader(request)'
WRITE_IT = f"write {AS_DEPENDENCY} in FastAPI; in Starlette, {ONCE}"


class TokenDependency(SecurityBase):
    """A guard that admits requests whose token has roles; for FastAPI, a security scheme of OpenAPI."""

    # What FastAPI reads: a parameter that it does not find here, it would take from the query.
    __signature__ = Signature([Parameter("connection", Parameter.POSITIONAL_OR_KEYWORD, annotation=HTTPConnection)])
    model = MODEL  # type: ignore[assignment]  # None without FastAPI
    scheme_name = "zitadel"

    def __init__(self, roles: RequiredRoles) -> None:
        self._roles = roles

    def __call__(self, connection: HTTPConnection) -> Awaitable[Introspection]:
        """Return what ZITADEL says about the token, or raise why the request is refused. Await it."""
        if not isinstance(connection, HTTPConnection):
            _refuse_arguments(connection)
        call = _call_of(connection)
        if call.introspection:
            return _as_awaitable(call.require(self._roles, call.introspection))  # at once: also where nobody awaits it
        return self._decide(connection, call)

    async def _decide(self, connection: HTTPConnection, call: GuardedCall) -> Introspection:
        return call.require(self._roles, await call.ask(connection.scope))  # on an open route

    __call__.__wrapped__ = _decide  # type: ignore[attr-defined]  # by this, FastAPI sees that it must be awaited

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
        """Admit only requests whose token has certain roles; without roles, return what ZITADEL says about the token.

        With ``role``, the token needs that role; with ``any_of``, at least one of a list; with ``all_of``, each of
        them. Raises GuardError for wrong arguments, and for roles inside a request.
        """
        roles = required_roles(role=role, any_of=any_of, all_of=all_of)
        if connection is UNSET:
            if in_request.get():
                raise GuardError("requires_token(...) is called inside a request", hint=ONCE)
            return TokenDependency(roles)
        if roles != NO_ROLE:
            raise GuardError("requires_token takes either roles or a request", hint=ONCE)
        return super().__call__(connection)

    __call__.__wrapped__ = TokenDependency._decide  # type: ignore[attr-defined]  # as above


requires_token = _RequiresToken(NO_ROLE)


async def _as_awaitable(introspection: Introspection) -> Introspection:
    return introspection


def _call_of(connection: HTTPConnection) -> GuardedCall:
    call = connection.scope.get(SCOPE_KEY)
    if not isinstance(call, GuardedCall) or call.app is not connection.scope.get("app"):
        path = connection.scope.get("root_path")
        which = f"the app below {path}" if path else "this app"
        hint = "call protect(app) once for each app whose routes ask for roles, also for a mounted one"
        raise GuardError(f"protect(app) was not called for {which}", hint=hint)
    return call


def _refuse_arguments(given: object) -> NoReturn:
    if isinstance(given, str):
        role = "ROLE" if could_be_secret(given) else given
        raise GuardError("requires_token takes a role by name", hint=f'write requires_token(role="{role}")')
    if callable(given):
        raise GuardError("requires_token is a dependency, not a decorator", hint=WRITE_IT)
    raise GuardError(f"requires_token takes a request, not {type(given).__name__}", hint=WRITE_IT)
