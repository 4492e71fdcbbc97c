"""Prove the result by its effect: what introspection says of the two tokens, asked as the API will ask."""

from contextlib import closing

from zdemo.errors import CredentialsRefused, IntrospectionError, SettingsError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspector
from zdemo.management.client import ManagementClient
from zdemo.management.role_assignments import GIVE_UP_SECONDS, wait_until
from zdemo.provisioning.files import SetupFiles


def verify_tokens(client: ManagementClient, files: SetupFiles, role: str) -> float:
    """Return the seconds until introspection shows the reader's role. Raises ZdemoError when it does not in time."""
    settings = files.settings(client)
    if settings is None:
        raise SettingsError([f"{files.path} does not hold usable credentials"], hint="run zdemo setup again")
    problem = ""

    def shown() -> bool:
        nonlocal problem
        problem = _problem(files, introspector, role)
        return not problem

    with closing(IntrospectionClient(settings)) as introspector:
        seconds = wait_until(shown)
    if seconds is None:
        raise ZdemoError(
            f"everything is created, but introspection does not show it after {GIVE_UP_SECONDS:g} s: {problem}",
            hint="ZITADEL's reads can lag behind by up to 60 s: run the command again",
        )
    if files.wrote("CLIENT_SECRET"):
        files.record(secret_written=True)  # a run may have been killed before it could
    return seconds


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
