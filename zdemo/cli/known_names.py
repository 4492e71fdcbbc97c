"""The names of users and roles for completion, which only ZITADEL knows."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from zdemo.config.environment import Environment, read_environment
from zdemo.config.settings import AdminSettings, Settings
from zdemo.errors import SettingsError, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.management.client import ManagementClient
from zdemo.management.model import Role
from zdemo.management.resources import list_roles, list_similar_users
from zdemo.management.role_assignments import find_project_id

PATIENCE_SECONDS = 1.0  # a person waits for each answer with a finger on the key
SENT = ("ZITADEL_DOMAIN", "ZITADEL_INTERNAL_URL", "ZITADEL_ADMIN_PAT", "CLIENT_ID", "CLIENT_SECRET")


def user_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of users that begin so, if the administrator may see them."""
    names: list[str] = []
    with suppress(ZdemoError):
        _, settings = _settings(ctx)
        names = [user.username or user.login_name for user in list_similar_users(_client(settings), incomplete)]
    return [name for name in names if name.startswith(incomplete)]


def role_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the keys of the project's roles that begin so, if the administrator may see them."""
    roles: tuple[Role, ...] = ()
    with suppress(ZdemoError):
        environment, settings = _settings(ctx)
        introspector = None
        with suppress(SettingsError):
            own = Settings.from_env(environment)
            introspector = IntrospectionClient(own, timeout_seconds=PATIENCE_SECONDS) if own.key is None else None
        roles = list_roles(_client(settings), find_project_id(settings, introspector))
    return [role.key for role in roles if role.key.startswith(incomplete)]


def _settings(ctx: typer.Context) -> tuple[Environment, AdminSettings]:
    """Return the settings. Raises SettingsError unless one place gives all that is sent: no command was given yet."""
    env_file = ctx.params.get("env_file")
    environment = read_environment(Path(env_file) if env_file else None)
    if len({environment.source(name) for name in SENT if environment.get(name)}) != 1:
        raise SettingsError(["the address and the tokens come from several places"])
    return environment, AdminSettings.from_env(environment)


def _client(settings: AdminSettings) -> ManagementClient:
    return ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=PATIENCE_SECONDS)
