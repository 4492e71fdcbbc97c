"""``zdemo role``: show and change role assignments, and wait until ZITADEL shows the change."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.followers import Followers, make_apis_forget, show_followers
from zdemo.cli.help import HelpedCommand, HelpedGroup
from zdemo.cli.options import PLAIN, EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_hidden, tell_mixed_sources, tell_warnings
from zdemo.config.environment import read_environment
from zdemo.config.printable import one_line
from zdemo.config.settings import AdminSettings, Settings
from zdemo.errors import ExitCode, SettingsError
from zdemo.introspection.client import IntrospectionClient
from zdemo.management.client import ManagementClient
from zdemo.management.model import RoleAssignment
from zdemo.management.resources import list_assignments
from zdemo.management.role_assignments import (
    GIVE_UP_SECONDS,
    Change,
    ChangeOutcome,
    find_project_id,
    grant,
    require_project,
    require_user,
    revoke,
    wait_until_shown,
)

User = Annotated[str, typer.Argument(metavar="USER", help="Login name or ID.", show_default=False)]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role's key, e.g. read:messages.", show_default=False)]

HELP = """Show and change who has which role in the project.

Examples:
  zdemo role list
  zdemo role grant reader read:messages
  zdemo role revoke reader read:messages

Variables: ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, ZITADEL_ADMIN_PAT; ZITADEL_PROJECT_ID, or CLIENT_ID and
CLIENT_SECRET to find the project

Exit codes: 0 done, or nothing had to be done; 1 no such user or role, or a missing permission; 3 a setting is missing
or wrong; 4 no answer from ZITADEL

More: docs/commands.md
"""

role = typer.Typer(
    cls=HelpedGroup,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    **PLAIN,
)


class _Project:
    """The project whose roles a command shows or changes, and the clients for it."""

    def __init__(self, screen: Screen, env_file: Path | None) -> None:
        environment = read_environment(env_file)
        hide_secrets(screen, environment)
        settings = AdminSettings.from_env(environment)
        tell_warnings(screen, settings)
        if "ZITADEL_DOMAIN" not in environment.hidden:  # that is said in the next line
            tell_mixed_sources(screen, environment, "ZITADEL_ADMIN_PAT", "ZITADEL_DOMAIN")
        tell_hidden(screen, environment, "ZITADEL_DOMAIN", "ZITADEL_ADMIN_PAT", "ZITADEL_PROJECT_ID")
        self.client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
        self.introspector: IntrospectionClient | None = None
        self._api: Settings | None = None
        with suppress(SettingsError):
            self._api = Settings.from_env(environment)
            self.introspector = IntrospectionClient(self._api)
        self.id = find_project_id(settings, self.introspector)
        self.token = environment.get("PAT", "").strip()
        self._environment = environment

    @property
    def zitadel(self) -> str:
        """What answers: ZITADEL, or zdemo's emulator by its name."""
        return f"emulator {self.client.emulator}" if self.client.emulator else "ZITADEL"

    def make_apis_forget(self, user_id: str) -> Followers:
        """Make running APIs forget what ZITADEL said about a user."""
        return make_apis_forget(self._environment, self._api, user_id)


@role.command("list", cls=HelpedCommand)
def list_roles(
    ctx: typer.Context,
    user: Annotated[
        str | None,
        typer.Argument(metavar="USER", help="Login name or ID. Default: all users.", show_default=False),
    ] = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> int:
    """Show who has which role in the project.

    Examples:
      zdemo role list
      zdemo role list reader
      zdemo role list --json

    Variables: ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, ZITADEL_ADMIN_PAT; ZITADEL_PROJECT_ID, or CLIENT_ID and
    CLIENT_SECRET to find the project

    Exit codes: 0 done; 1 no such user, or a missing permission; 3 a setting is missing or wrong; 4 no answer

    More: docs/commands.md
    """
    screen: Screen = ctx.obj
    project = _Project(screen, env_file)
    name = require_project(project.client, project.id).name
    user_id = require_user(project.client, user).id if user else None
    assignments = list_assignments(project.client, project_id=project.id, user_id=user_id)
    if as_json:
        rows = [_row(assignment) for assignment in assignments]
        screen.document({"project": {"id": project.id, "name": name}, "assignments": rows})
        return ExitCode.YES
    at = f" of the {project.zitadel}" if project.client.emulator else ""
    screen.say(one_line(f"roles in project {name} ({project.id}){at}"))
    screen.table([_cells(assignment) for assignment in assignments] or [["  no role is granted"]])
    return ExitCode.YES


def _row(assignment: RoleAssignment) -> dict[str, object]:
    return {
        "id": assignment.id,
        "user": {"id": assignment.user.id, "login_name": assignment.user.login_name},
        "roles": list(assignment.role_keys),
        "active": assignment.active,
        "granted_by": {"id": assignment.organization_id, "name": assignment.organization_name},
    }


def _cells(assignment: RoleAssignment) -> list[str]:
    by = (
        f"granted by {assignment.organization_name} ({assignment.organization_id})"
        if assignment.active
        else "deactivated: has no effect"
    )
    texts = f"  {assignment.user.login_name}", ", ".join(assignment.role_keys) or "(no role)", by
    return [one_line(text) for text in texts]


@role.command("grant", cls=HelpedCommand, short_help="Grant a user a role in the project.")
def grant_role(ctx: typer.Context, user: User, role: Role, as_json: Json = False, env_file: EnvFile = None) -> int:
    """Grant a user a role in the project, and wait until ZITADEL shows it.

    The API at ZDEMO_API_URL and those that share ZDEMO_CACHE_URL follow at once, others within their ZDEMO_CACHE_TTL.

    Examples:
      zdemo role grant visitor read:messages
      zdemo role grant visitor read:messages --json

    Variables: ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, ZITADEL_ADMIN_PAT; ZITADEL_PROJECT_ID, or CLIENT_ID and
    CLIENT_SECRET to find the project; ZDEMO_API_URL, ZDEMO_FORGET_KEY, ZDEMO_CACHE_URL

    Exit codes: 0 the user has the role; 1 no such user or role, or a missing permission; 3 a setting is missing or
    wrong; 4 no answer, or ZITADEL does not show the change

    More: docs/commands.md
    """
    return _change(ctx.obj, "grant", user, role, as_json=as_json, env_file=env_file)


@role.command("revoke", cls=HelpedCommand, short_help="Revoke a role from a user in the project.")
def revoke_role(ctx: typer.Context, user: User, role: Role, as_json: Json = False, env_file: EnvFile = None) -> int:
    """Revoke a role from a user in the project, and wait until ZITADEL shows it.

    The API at ZDEMO_API_URL and those that share ZDEMO_CACHE_URL follow at once, others within their ZDEMO_CACHE_TTL.

    Examples:
      zdemo role revoke reader read:messages
      zdemo role revoke reader read:messages --json

    Variables: ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, ZITADEL_ADMIN_PAT; ZITADEL_PROJECT_ID, or CLIENT_ID and
    CLIENT_SECRET to find the project; ZDEMO_API_URL, ZDEMO_FORGET_KEY, ZDEMO_CACHE_URL

    Exit codes: 0 the user does not have the role; 1 no such user or role, or a missing permission; 3 a setting is
    missing or wrong; 4 no answer, or ZITADEL does not show the change

    More: docs/commands.md
    """
    return _change(ctx.obj, "revoke", user, role, as_json=as_json, env_file=env_file)


def _change(screen: Screen, how: str, user: str, role: str, *, as_json: bool, env_file: Path | None) -> int:
    project = _Project(screen, env_file)
    change = (grant if how == "grant" else revoke)(project.client, project.id, user, role)
    if change.outcome is ChangeOutcome.UNCHANGED:
        _show_no_change(screen, change, how, project.client.emulator, as_json=as_json)
        return ExitCode.YES
    with screen.waiting("waiting until ZITADEL shows it"):
        seconds = wait_until_shown(project.client, change, introspector=project.introspector, token=project.token)
        followers = project.make_apis_forget(change.user.id) if seconds is not None else Followers()
    if as_json:
        screen.document(_change_document(change, seconds, followers))
        return ExitCode.YES if seconds is not None else ExitCode.NO_ANSWER
    _show_change(screen, change, seconds, project)
    if seconds is not None:
        show_followers(screen, followers)
    return ExitCode.YES if seconds is not None else ExitCode.NO_ANSWER


def _show_no_change(screen: Screen, change: Change, how: str, emulator: str, *, as_json: bool) -> None:
    at = f" in the emulator {emulator}" if emulator else ""
    state = "already has" if how == "grant" else "does not have"
    if as_json:
        screen.document(_change_document(change, None, Followers()))
    else:
        screen.say(one_line(f"no change: {change.user.login_name} {state} {change.role}{at}"))


def _change_document(change: Change, seconds: float | None, followers: Followers) -> dict[str, object]:
    return {
        "done": change.outcome,
        "user": {"id": change.user.id, "login_name": change.user.login_name},
        "role": change.role,
        "project": change.project_id,
        "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
        "api_follows_at_once": followers.at_once,
    }


def _show_change(screen: Screen, change: Change, seconds: float | None, project: _Project) -> None:
    again = "; its deactivated assignment is active again" if change.outcome is ChangeOutcome.ACTIVATED else ""
    done, to = ("revoked", "from") if change.outcome is ChangeOutcome.REMOVED else ("granted", "to")
    screen.say(one_line(f"{done} {change.role} {to} {change.user.login_name} in project {change.project_id}{again}"))
    if seconds is None:
        screen.error(
            f"ZITADEL accepted the change, but does not show it after {GIVE_UP_SECONDS:g} s",
            "its lists can lag behind by up to 60 s: look again with zdemo role list",
        )
        return
    screen.say(f"{project.zitadel} shows the change after {seconds * 1000:.0f} ms")
