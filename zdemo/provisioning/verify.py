"""Prove the result by its effect: what introspection says of the two tokens, asked as the API will ask."""

from __future__ import annotations

import time

from zdemo.errors import CredentialsRefused, IntrospectionError, SettingsError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspector
from zdemo.management.role_assignments import GIVE_UP_SECONDS, wait_until
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import READER, VISITOR, PersonVariables


def prove(
    env: EnvFile, role: str, *, issuer: str, timeout_seconds: float, give_up_seconds: float = GIVE_UP_SECONDS
) -> float:
    """Wait until the reader has the role and the visitor has it not; the seconds that it took.

    The IDs of tokens that setup did not make are written down on the way: introspection tells them.

    Raises:
        ZdemoError: it does not show; what was seen last is said.
    """
    settings = env.settings(issuer, timeout_seconds)
    if settings is None:
        raise SettingsError([f"{env.path} does not hold usable credentials"], hint="run zdemo setup again")
    client = IntrospectionClient(settings)
    trial = _Trial(env, client, role)
    start = time.monotonic()
    try:
        if wait_until(trial.holds, give_up_seconds=give_up_seconds) is None:
            raise ZdemoError(
                f"everything is made, but introspection does not show it after {give_up_seconds:g} s: {trial.seen}",
                hint="its reads may trail by 60 s at most: run zdemo setup again, or look with zdemo introspect",
            )
    finally:
        client.close()
    return time.monotonic() - start


class _Trial:
    """``seen``: what stood in the way when it was last asked."""

    def __init__(self, env: EnvFile, introspector: Introspector, role: str) -> None:
        self._env, self._introspector, self._role = env, introspector, role
        self.seen = ""

    def holds(self) -> bool:
        """Ask once about both."""
        try:
            self.seen = self._problem(READER, has_role=True) or self._problem(VISITOR, has_role=False)
        except CredentialsRefused as error:  # a new secret is refused for some milliseconds
            self.seen = error.message
        except IntrospectionError as error:
            if error.failure is None and error.answer is None:
                raise
            self.seen = error.message
        return not self.seen

    def _problem(self, variables: PersonVariables, *, has_role: bool) -> str:
        found = self._introspector.introspect(self._env.get(variables.pat))
        if not found.active:
            return f"{variables.pat} is not active"
        has = self._role in found.roles(self._env.get("ZITADEL_PROJECT_ID"))
        if has != has_role:
            return f"{variables.pat} {'has' if has else 'does not have'} {self._role}"
        self._env.write({variables.pat_user_id: found.text("sub"), variables.pat_id: found.text("jti")})
        return ""
