"""``zdemo role``: show and change role assignments, and wait until ZITADEL shows the change."""

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.common_options import EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_hidden, tell_mixed_sources, tell_warnings
from zdemo.cli.usage import WITH_HELP, HelpedCommand, HelpedGroup
from zdemo.config.address import is_withheld
from zdemo.config.environment import read_environment
from zdemo.config.settings import FORGET_KEY, AdminSettings, ClientSettings, Settings
from zdemo.errors import ExitCode, SettingsError
from zdemo.guard.forget import Forget
from zdemo.http.api_call import Forgotten, order_to_forget
from zdemo.text.printable import one_line
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.resources import list_assignments
from zdemo.zitadel.role_assignments import (
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
INEFFECTIVE = "deactivated: has no effect"

HELP = """Show and change who has which role in the project.

Examples:
  zdemo role list
  zdemo role grant reader read:messages
  zdemo role revoke reader read:messages

Exit codes: 0 done, or nothing had to be done; 1 no such user or role, or a missing permission; 3 a setting is missing
or wrong; 4 no answer from ZITADEL

More: docs/commands.md
"""

role = typer.Typer(cls=HelpedGroup, help=HELP, no_args_is_help=True, add_completion=False, **WITH_HELP)


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
        self.api: Settings | None = None
        with suppress(SettingsError):
            self.api = Settings.from_env(environment)
            self.introspector = IntrospectionClient(self.api)
        self.id = find_project_id(settings, self.introspector)
        self.token = environment.get("PAT", "").strip()
        self.environment = environment

    @property
    def zitadel(self) -> str:
        """What answers: ZITADEL, or zdemo's emulator by its name."""
        return f"emulator {self.client.emulator}" if self.client.emulator else "ZITADEL"


def make_apis_forget(project: _Project, user_id: str) -> tuple[bool, str, Forgotten]:
    """Make running APIs forget what ZITADEL said about a user: those that share the store, and that at an address.

    Return whether the store took the order, the address, and what that API answered.
    """
    from zdemo.guard.build import shared_answers  # here, since most people have no store

    api, environment, sharing = project.api, project.environment, False
    if api and api.cache_url:
        with suppress(SettingsError), closing(shared_answers(api)) as answers:
            sharing = answers.publish_forget(Forget(user_id=user_id))
    try:
        settings = ClientSettings.from_env(environment)
    except SettingsError:
        return sharing, "", Forgotten()
    withheld = is_withheld(environment, FORGET_KEY, setting=settings.setting, address=settings.api_url)
    key = "" if withheld else environment.get(FORGET_KEY, "").strip()
    return sharing, settings.api_url, order_to_forget(settings, user_id, key=key)


def show_followers(screen: Screen, api_url: str, told: Forgotten, *, sharing: bool) -> None:
    """Say which APIs follow at once, or else which setting of theirs limits how long they take."""
    if told.why_not:
        screen.tell(one_line(f"note: the API at {api_url} did not forget its answers: {told.why_not}"))
    if told.untold:
        screen.tell(
            f"note: the API at {api_url} forgot its answers, but its store did not take the order, so others "
            "that share the store were not told; check the store"
        )
    if told.done:
        screen.say(f"the API at {api_url} follows at once")
    if sharing:
        screen.say("the APIs that share the store in ZDEMO_CACHE_URL follow at once")
    elif told.untold or not told.done:
        screen.say(f"{'other ' if told.done else ''}running APIs follow within their ZDEMO_CACHE_TTL")


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

    Exit codes: 0 done; 1 no such user, or a missing permission; 3 a setting is missing or wrong; 4 no answer

    More: docs/commands.md
    """
    screen: Screen = ctx.obj
    project = _Project(screen, env_file)
    name = require_project(project.client, project.id).name
    user_id = require_user(project.client, user).id if user else None
    assignments = list_assignments(project.client, project_id=project.id, user_id=user_id)
    if as_json:
        rows = [
            {
                "id": one.id,
                "user": {"id": one.user_id, "login_name": one.login_name},
                "roles": list(one.role_keys),
                "active": one.active,
                "granted_by": {"id": one.organization_id, "name": one.organization_name},
            }
            for one in assignments
        ]
        screen.document({"project": {"id": project.id, "name": name}, "assignments": rows})
        return ExitCode.YES
    at = f" of the {project.zitadel}" if project.client.emulator else ""
    screen.say(one_line(f"roles in project {name} ({project.id}){at}"))
    table = []
    for one in assignments:
        by = f"granted by organization {one.organization_id} ({one.organization_name})"
        cells = one.login_name, ", ".join(one.role_keys) or "(no role)", by if one.active else INEFFECTIVE
        table.append([f"  {one_line(cells[0])}", *map(one_line, cells[1:])])
    screen.table(table or [["  no role is granted"]])
    return ExitCode.YES


@role.command("grant", cls=HelpedCommand, short_help="Grant a user a role in the project.")
def grant_role(ctx: typer.Context, user: User, role: Role, as_json: Json = False, env_file: EnvFile = None) -> int:
    """Grant a user a role in the project, and wait until ZITADEL shows it.

    The API at ZDEMO_API_URL and those that share ZDEMO_CACHE_URL follow at once, others within their ZDEMO_CACHE_TTL.

    Examples:
      zdemo role grant visitor read:messages
      zdemo role grant visitor read:messages --json

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

    Exit codes: 0 the user does not have the role; 1 no such user or role, or a missing permission; 3 a setting is
    missing or wrong; 4 no answer, or ZITADEL does not show the change

    More: docs/commands.md
    """
    return _change(ctx.obj, "revoke", user, role, as_json=as_json, env_file=env_file)


def _change(screen: Screen, how: str, user: str, role: str, *, as_json: bool, env_file: Path | None) -> int:
    project = _Project(screen, env_file)
    change = (grant if how == "grant" else revoke)(project.client, project.id, user, role)
    is_new, seconds = change.outcome is not ChangeOutcome.UNCHANGED, None
    sharing, api_url, told = False, "", Forgotten()
    if is_new:
        with screen.waiting("waiting until ZITADEL shows it"):
            seconds = wait_until_shown(project.client, change, introspector=project.introspector, token=project.token)
            if seconds is not None:
                sharing, api_url, told = make_apis_forget(project, change.user.id)
    if as_json:
        screen.document(
            {
                "done": change.outcome,
                "user": {"id": change.user.id, "login_name": change.user.login_name},
                "role": change.role,
                "project": change.project_id,
                "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
                "api_follows_at_once": sharing or told.done,
            }
        )
    elif is_new:
        _show_change(screen, change, seconds, project)
        if seconds is not None:
            show_followers(screen, api_url, told, sharing=sharing)
    else:
        at = f" in the emulator {project.client.emulator}" if project.client.emulator else ""
        state = "already has" if how == "grant" else "does not have"
        screen.say(one_line(f"no change: {change.user.login_name} {state} {change.role}{at}"))
    return ExitCode.NO_ANSWER if is_new and seconds is None else ExitCode.YES


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
