"""``zdemo role``: show and change role assignments, and wait until ZITADEL shows the change."""

from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.common_options import AdminKey, AdminPat, EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import admin_settings
from zdemo.cli.usage import WITH_HELP, HelpedCommand, HelpedGroup, argument, flag
from zdemo.config.address import admin_option, is_withheld
from zdemo.config.settings import FORGET_KEY, ClientSettings, Settings
from zdemo.errors import ExitCode, SettingsError
from zdemo.errors.steps import Command
from zdemo.guard.forget import Forget
from zdemo.http.api_call import Forgotten, order_to_forget
from zdemo.text.printable import one_line
from zdemo.zitadel import role_assignments as roles
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.resources import list_assignments, list_users

User = Annotated[str, argument("USER", "Login name, e-mail address or ID.")]
Role = Annotated[str, argument("ROLE", "The role's key, e.g. read:messages.")]
ENDED = {"INACTIVE": "the user is deactivated", "LOCKED": "the user is locked"}  # by the user's state

HELP = """Show and change who has which role in the project.

Examples:
  zdemo role list
  zdemo role grant reader read:messages
  zdemo role revoke reader read:messages --admin-pat

Exit codes: 0 done, or nothing had to be done; 1 no such user or role, or a missing permission; 3 a setting is missing
or wrong; 4 no answer from ZITADEL

More: docs/commands.md
"""

role = typer.Typer(cls=HelpedGroup, help=HELP, no_args_is_help=True, add_completion=False, **WITH_HELP)


class _Project:
    """The project whose roles a command shows or changes, and the clients for it."""

    def __init__(self, screen: Screen, env_file: Path | None, admin_pat: str | None, admin_key: str | None) -> None:
        environment, settings = admin_settings(screen, env_file, admin_pat, admin_key)
        self.screen, self.environment, self.token = screen, environment, environment.get("PAT", "").strip()
        self.client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
        self.api: Settings | None = None
        with suppress(SettingsError):
            self.api = Settings.from_env(environment)
        self.introspector = IntrospectionClient(self.api) if self.api else None
        self.id = roles.find_project_id(settings, self.introspector)

    @property
    def zitadel(self) -> str:
        """The server as messages name it: ZITADEL, or zdemo's emulator by its name."""
        return f"emulator {self.client.emulator}" if self.client.emulator else "ZITADEL"


def make_apis_forget(project: _Project, user_id: str) -> tuple[bool, str, Forgotten]:
    """Make running APIs forget what ZITADEL said about a user: those that share the store, and the API at an address.

    Return whether the store took the order, the address, and what that API answered.
    """
    from zdemo.guard.build import shared_answers  # here, since most people have no store

    api, environment, sharing = project.api, project.environment, False
    if api and api.cache_url:
        with suppress(SettingsError), closing(shared_answers(api)) as answers:
            sharing = answers.orders.publish(Forget(user_id=user_id))
    try:
        settings = ClientSettings.from_env(environment)
    except SettingsError:
        return sharing, "", Forgotten()
    withheld = is_withheld(environment, FORGET_KEY, setting=settings.setting, address=settings.api_url)
    key = "" if withheld else environment.get(FORGET_KEY, "").strip()
    told = order_to_forget(settings, user_id, key=key, issuer=project.client.zitadel.issuer, project_id=project.id)
    return sharing, settings.api_url, told


@role.command("list", cls=HelpedCommand)
def list_roles(
    ctx: typer.Context,
    user: Annotated[str | None, argument("USER", "Login name or ID. Default: all users.")] = None,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Show who has which role in the project.

    Examples:
      zdemo role list
      zdemo role list reader

    Exit codes: 0 done; 1 no such user, or a missing permission; 3 a setting is missing or wrong; 4 no answer

    More: docs/commands.md
    """
    screen: Screen = ctx.obj
    project = _Project(screen, env_file, admin_pat, admin_key)
    name = roles.require_project(project.client, project.id).name
    user_id = roles.require_user(project.client, project.id, user).id if user else ""
    assignments = list_assignments(project.client, project_id=project.id, user_id=user_id)
    states = {user.id: user.state for user in list_users(project.client, ids={row.user_id for row in assignments})}
    if as_json:
        rows = [
            {
                "id": row.id,
                "user": {"id": row.user_id, "login_name": row.login_name, "state": states.get(row.user_id, "").lower()},
                "roles": list(row.role_keys),
                "active": row.active,
                "granted_by": {"id": row.organization_id, "name": row.organization_name},
            }
            for row in assignments
        ]
        document = {"project": {"id": project.id, "name": name}, "assignments": rows, "hidden": assignments.hidden}
        screen.document(document)
        return
    at = f" of the {project.zitadel}" if project.client.emulator else ""
    screen.say(one_line(f"roles in project {name} ({project.id}){at}"))
    table = []
    for row in assignments:
        by = f"granted by organization {row.organization_id} ({row.organization_name})"
        note = ENDED.get(states.get(row.user_id, ""), by) if row.active else "deactivated: has no effect"
        keys = ", ".join(row.role_keys) or "(no role)"
        table.append([f"  {one_line(row.login_name)}", one_line(keys), one_line(note)])
    if table or not assignments.hidden:
        screen.table(table or [["  no role is granted"]])
    if assignments.hidden:
        screen.say(f"  hidden from this administrator: {assignments.hidden}")


@role.command("grant", cls=HelpedCommand, short_help="Grant a user a role in the project.")
def grant_role(
    ctx: typer.Context,
    user: User,
    role: Role,
    create_role: Annotated[bool, flag("Define the role first if the project lacks it.", "--create-role")] = False,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> int:
    """Grant a user a role in the project, and wait until ZITADEL shows it.

    The API at ZDEMO_API_URL and those that share ZDEMO_CACHE_URL follow at once, others within their ZDEMO_CACHE_TTL.

    Examples:
      zdemo role grant visitor read:messages
      zdemo role grant visitor write:messages --create-role

    Exit codes: 0 the user has the role; 1 no such user or role, or a missing permission; 3 a setting is missing or
    wrong; 4 no answer, or ZITADEL does not show the change

    More: docs/commands.md
    """
    project = _Project(ctx.obj, env_file, admin_pat, admin_key)
    near = roles.define_role(project.client, project.id, user, role) if create_role else None
    if near is not None and not as_json:
        beside = f" (did you mean {near}?)" if near else ""
        project.screen.say(one_line(f"defined {role} in project {project.id}{beside}"))
    option = admin_option(project.environment)
    define = Command("role grant --create-role", (user, role), option, env_file, does="defines the role first")
    change = roles.grant(project.client, project.id, user, role, define=define)
    code = _show_outcome(project, change, as_json=as_json)
    if why := ENDED.get(change.user.state):
        project.screen.note(f"{why}, so ZITADEL still refuses their tokens")
    return code


@role.command("revoke", cls=HelpedCommand, short_help="Revoke a role from a user in the project.")
def revoke_role(
    ctx: typer.Context,
    user: User,
    role: Role,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    as_json: Json = False,
    env_file: EnvFile = None,
) -> int:
    """Revoke a role from a user in the project, and wait until ZITADEL shows it.

    The API at ZDEMO_API_URL and those that share ZDEMO_CACHE_URL follow at once, others within their ZDEMO_CACHE_TTL.

    Examples:
      zdemo role revoke reader read:messages
      zdemo role revoke reader read:messages --json

    Exit codes: 0 the user does not have the role; 1 no such user or role, or a missing permission; 3 a setting is
    missing or wrong; 4 no answer, or ZITADEL does not show the change

    More: docs/commands.md
    """
    project = _Project(ctx.obj, env_file, admin_pat, admin_key)
    change = roles.revoke(project.client, project.id, user, role)
    return _show_outcome(project, change, as_json=as_json, unchanged="does not have")


def _show_outcome(project: _Project, change: roles.Change, *, as_json: bool, unchanged: str = "already has") -> int:
    """Wait until ZITADEL shows a change, make APIs forget, and say what was done."""
    screen, outcome, login_name = project.screen, change.outcome, change.user.login_name
    sharing, api_url, told = False, "", Forgotten()
    is_new, seconds = outcome is not roles.ChangeOutcome.UNCHANGED, None
    if is_new:
        with screen.waiting("waiting until ZITADEL shows it"):
            asked, token = project.introspector, project.token
            seconds = roles.wait_until(lambda: roles.is_shown(project.client, change, introspector=asked, token=token))
            if seconds is not None:
                sharing, api_url, told = make_apis_forget(project, change.user.id)
    if as_json:
        document = {
            "done": outcome,
            "user": {"id": change.user.id, "login_name": login_name},
            "role": change.role,
            "project": change.project_id,
            "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
            "api_follows_at_once": sharing or told.done,
        }
        screen.document(document)
    elif is_new:
        again = "; its deactivated assignment is active again" if outcome is roles.ChangeOutcome.ACTIVATED else ""
        done, to = ("revoked", "from") if outcome is roles.ChangeOutcome.REMOVED else ("granted", "to")
        screen.say(one_line(f"{done} {change.role} {to} {login_name} in project {project.id}{again}"))
        if seconds is None:
            what = f"ZITADEL accepted the change, but does not show it after {roles.GIVE_UP_SECONDS:g} s"
            screen.error(what, steps=[Command("role list", does="shows it later: lists lag behind by up to 60 s")])
        else:
            screen.say(f"{project.zitadel} shows the change after {seconds * 1000:.0f} ms")
            if told.why_not:
                screen.note(one_line(f"the API at {api_url} {told.why_not}"))
            if told.done:
                screen.say(f"the API at {api_url} follows at once")
            if sharing:
                screen.say("the APIs that share the store in ZDEMO_CACHE_URL follow at once")
            elif told.why_not or not told.done:
                screen.say(f"{'other ' if told.done else ''}running APIs follow within their ZDEMO_CACHE_TTL")
    else:
        at = f" in the {project.zitadel}" if project.client.emulator else ""
        screen.say(one_line(f"no change: {login_name} {unchanged} {change.role}{at}"))
    return ExitCode.NO_ANSWER if is_new and seconds is None else ExitCode.YES
