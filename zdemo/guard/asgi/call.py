"""One request to a protected app, or one websocket: what ZITADEL says about its token, for all guards that ask."""

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from zdemo.errors import GuardError
from zdemo.guard.asgi.form import Form
from zdemo.guard.asgi.pool import IntrospectionPool
from zdemo.guard.authorization import NO_ROLE, RequiredRoles, authorize, bearer_token, refuse_second_token
from zdemo.guard.guard import Guard, new_request_id
from zdemo.zitadel.introspection_answer import Introspection

SCOPE_KEY = "zdemo"
in_request: ContextVar[bool] = ContextVar("zdemo_in_request", default=False)


class GuardedCall:
    """A request to ``app``. ``looked`` tells whether its token was looked at, whatever came of that."""

    def __init__(self, app: Starlette, guard: Guard, pool: IntrospectionPool, form: Form | None) -> None:
        self.app = app
        self.guard = guard
        self.looked = False
        self._pool = pool
        self._form = form
        self._introspection: Introspection | None = None

    @cached_property
    def request_id(self) -> str:
        """The ID of this request."""
        return new_request_id()

    @property
    def is_admitted(self) -> bool:
        """Whether ZITADEL's answer is here, so that ``require`` can decide."""
        return self._introspection is not None

    async def ask(self, scope: Mapping[str, Any]) -> None:
        """Ask ZITADEL about the token of the request, or raise why the request is refused."""
        self.looked = True
        token = bearer_token(_authorization(scope))
        if scope["query_string"]:
            refuse_second_token(scope["query_string"])
        if self._form:
            refuse_second_token(await self._form.start())
        introspection = await self._pool.introspect(token)
        authorize(introspection, self.guard.policy, now=self.guard.now())
        self._introspection = introspection

    def require(self, roles: RequiredRoles) -> Introspection:
        """Return what ZITADEL says about the token of an admitted request, or raise why the request is refused."""
        assert self._introspection is not None  # noqa: S101  # for mypy
        if roles != NO_ROLE:
            authorize(self._introspection, self.guard.policy, now=self.guard.now(), roles=roles)
        return self._introspection


def call_of(connection: HTTPConnection) -> GuardedCall:
    """Return the call that a connection belongs to. Raises GuardError if its app is not protected."""
    call = connection.scope.get(SCOPE_KEY)
    if not isinstance(call, GuardedCall) or call.app is not connection.scope.get("app"):
        path = connection.scope.get("root_path")
        which = f"the app below {path}" if path else "this app"
        raise GuardError(
            f"protect(app) was not called for {which}",
            hint="call protect(app) once for each app whose routes ask for roles, also for a mounted one",
        )
    return call


def _authorization(scope: Mapping[str, Any]) -> str | None:
    """Return the ``Authorization`` field; several are joined, as WSGI servers do."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    return b",".join(values).decode("latin-1") if values else None
