"""Prove the result by its effect: what introspection says of the two tokens, asked as the API will ask."""

from __future__ import annotations

import time

from zdemo.errors import CredentialsRefused, IntrospectionError, SettingsError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspector
from zdemo.management.role_assignments import GIVE_UP_SECONDS, wait_until
from zdemo.provisioning.files import SetupFiles


def verify_tokens(
    files: SetupFiles, role: str, *, issuer: str, timeout_seconds: float, give_up_seconds: float = GIVE_UP_SECONDS
) -> float:
    """Wait until the reader has the role and the visitor does not; return the seconds that it took.

    Raises:
        ZdemoError: it does not show; the message says what introspection showed last.
    """
    settings = files.settings(issuer, timeout_seconds)
    if settings is None:
        raise SettingsError([f"{files.path} does not hold usable credentials"], hint="run zdemo setup again")
    client = IntrospectionClient(settings)
    start, problem = time.monotonic(), ""

    def shown() -> bool:
        nonlocal problem
        problem = _problem(files, client, role)
        return not problem

    try:
        if wait_until(shown, give_up_seconds=give_up_seconds) is None:
            raise ZdemoError(
                f"everything is created, but introspection does not show it after {give_up_seconds:g} s: {problem}",
                hint="ZITADEL's reads may trail by up to 60 s: run the command again",
            )
    finally:
        client.close()
    if files.wrote("CLIENT_SECRET"):
        files.record(secret_written=True)  # a run may have been killed before it could
    return time.monotonic() - start


def _problem(files: SetupFiles, introspector: Introspector, role: str) -> str:
    """Return what introspection does not show yet; empty when it shows everything."""
    try:
        for name, has_role in (("PAT", True), ("ZDEMO_VISITOR_PAT", False)):
            found = introspector.introspect(files.get(name))
            if not found.active:
                return f"{name} is not active"
            if found.has_role(role, files.get("ZITADEL_PROJECT_ID")) != has_role:
                return f"{name} {'does not have' if has_role else 'has'} {role}"
    except CredentialsRefused as error:  # a new secret is refused for some milliseconds
        return error.message
    except IntrospectionError as error:
        if error.failure is None and error.answer is None:
            raise
        return error.message
    return ""
