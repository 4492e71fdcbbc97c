"""``zdemo setup``: look, show the plan, ask, apply and verify it; or tear it down."""

import os
import shlex
import time
from collections.abc import Collection
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from zdemo.cli import token_input
from zdemo.cli.common_options import ASK, AdminKey, AdminPat, EnvFile, Json
from zdemo.cli.emulator_env_file import warn_of_git
from zdemo.cli.screen import Screen
from zdemo.cli.usage import check_excludes, flag, option, option_of
from zdemo.config.address import ADMIN_PAT, INTERNAL_URL, ISSUER
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment, read_environment
from zdemo.config.file_io import open_to_others
from zdemo.config.names import hiding_problems
from zdemo.config.new_dotenv import emulator_in, usable_at, with_env_file
from zdemo.config.parsers import EXAMPLE_DOMAIN
from zdemo.config.variables import is_public
from zdemo.errors import ExitCode, SettingsError, UsageError, ZdemoError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, Step
from zdemo.http.example_api import ROLE
from zdemo.setup.apply import apply_plan, verify_tokens
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import NOTHING_CHANGED, Action, ObjectKind, Plan, make_plan
from zdemo.setup.setup_files import SetupFiles, only_setup_in_folder
from zdemo.setup.teardown import Item, Teardown, plan_teardown, tear_down
from zdemo.text.printable import one_line, printable
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth, User

CREATED = "What is created"
ROTATE = "Create a new client secret or key; the old one stops working."
METHOD = "How the application authenticates: basic or private-key-jwt. Default: as it does now, else basic."
_created = partial(option, panel=CREATED, shows_default=True)


def setup(
    ctx: typer.Context,
    dry_run: Annotated[bool, flag("Show the plan and change nothing.", "--dry-run")] = False,
    yes: Annotated[bool, flag("Do not ask. Never replaces a secret in use.", "--yes", "-y")] = False,
    teardown: Annotated[bool, flag("Remove what setup created, and nothing else.", "--teardown")] = False,
    rotate_secret: Annotated[bool, flag(ROTATE, "--rotate-secret")] = False,
    app: Annotated[bool, flag("Also create an application for people: zdemo token --login.", "--app")] = False,
    domain: Annotated[str | None, option_of("ZITADEL_DOMAIN", "URL", "Your ZITADEL.")] = None,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    auth: Annotated[Auth | None, option("METHOD", METHOD, panel=CREATED)] = None,
    pat_days: Annotated[int, _created("DAYS", "How long the PATs are valid.", min=1, max=3650)] = 30,
    project_name: Annotated[str, _created("NAME", "The project.")] = "zdemo",
    role: Annotated[str, _created("KEY", "The role's key.")] = ROLE,
    app_name: Annotated[str, _created("NAME", "The API application.")] = "zdemo-api",
    reader_name: Annotated[str, _created("NAME", "The service account with the role.")] = "zdemo-reader",
    visitor_name: Annotated[str, _created("NAME", "The service account without the role.")] = "zdemo-visitor",
    org: Annotated[str, _created("ID", "The organization. Default: the administrator's own.")] = "",
    env_file: EnvFile = None,
    as_json: Json = False,
) -> int:
    """Connect zdemo to your ZITADEL, and write .env.

    Creates or finds project, role, application, users and PATs; shows the plan first.

    Examples:
      zdemo setup --dry-run
      zdemo setup --domain https://my-instance-abc123.zitadel.cloud --admin-pat
      zdemo setup --yes --auth private-key-jwt
      zdemo setup --teardown

    Exit codes: 0 done, or declined at the question; 1 refused, or not permitted; 2 changes to confirm, but no
    terminal; 3 a setting is missing or wrong; 4 no answer from ZITADEL

    More: docs/setup.md
    """
    options = SetupOptions(
        project_name=project_name,
        role=role,
        app_name=app_name,
        reader_name=reader_name,
        visitor_name=visitor_name,
        auth=auth,
        pat_hours=pat_days * 24,
        rotate_secret=rotate_secret,
        login_app_name="zdemo-login" if app else "",
    )
    options.check()
    check_excludes(ctx, "teardown", "rotate_secret", "auth")
    screen: Screen = ctx.obj
    path = env_file or DEFAULT_ENV_FILE
    with nullcontext() if dry_run else only_setup_in_folder(path):
        files = SetupFiles(path)
        if teardown and not files.state.zitadel:
            if as_json:
                screen.document(teardown_document(Teardown(), dry_run=dry_run))
            else:
                screen.say(f"nothing to remove: .zdemo/setup.json records nothing that setup created for {files.path}")
            return ExitCode.YES
        asks = token_input.at_terminal() and admin_pat != "-" and not yes
        environment = setup_environment(screen, files, domain, asks=asks)
        if asks and ADMIN_PAT not in environment and admin_pat is None and admin_key is None:
            admin_pat = ASK
        environment = token_input.with_admin(screen, environment, admin_pat, admin_key)
        token_input.tell_mixed_sources(screen, environment, ADMIN_PAT, ISSUER)
        place = environment.source(INTERNAL_URL)
        if not teardown and ISSUER in environment.shadowed and place == environment.shadowed[ISSUER]:
            what = f"{INTERNAL_URL} in {place} is for another ZITADEL than {environment.setting(ISSUER)} names"
            hint = f"remove {INTERNAL_URL} from {place}, or name another file with --env-file"
            raise SettingsError([what], hint=hint)
        settings = token_input.administrators(environment)
        token_input.tell_warnings(screen, settings)
        client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
        with closing(client):
            client.organization_id = org
            run = SetupRun(screen=screen, files=files, client=client, dry_run=dry_run, yes=yes, as_json=as_json)
            return run.tear_down() if teardown else run.set_up(options)


def setup_environment(screen: Screen, files: SetupFiles, domain: str | None, *, asks: bool) -> Environment:
    """Merge option, environment and ``.env``; ask for what is missing if a person is at a terminal.

    Raises UsageError if it cannot ask which ZITADEL is meant.
    """
    environment = _layers(files, domain, "--domain")
    token_input.hide_secrets(screen, environment)
    if not files.state.zitadel and (emulator := emulator_in(environment)):
        what = f"{files.path} has the emulator's settings"
        if not asks:
            hint = f"add --domain, for example --domain {EXAMPLE_DOMAIN}, or for the emulator --domain {emulator}"
            raise UsageError(f"{what}, so it is not clear which ZITADEL to set up", hint=hint)
        typed = token_input.typed_line(f"{what}. Which ZITADEL do you want to set up? [{emulator}] ")
        environment = _layers(files, emulator if typed.lower() in ("", "y", "yes") else typed)
    elif asks and ISSUER not in environment:
        environment = _layers(files, token_input.typed_line(f"{ISSUER} (e.g. {EXAMPLE_DOMAIN}): "))
    if environment.get(ISSUER) and ADMIN_PAT not in environment and is_public(files.get(ADMIN_PAT)):
        screen.note(f"the emulator's {ADMIN_PAT} in {files.path} is not for another ZITADEL")
    return environment


def _layers(files: SetupFiles, domain: str | None, option: str = ISSUER) -> Environment:
    """Merge what is set, without the emulator's administrator's PAT where that cannot be used."""
    given = {} if domain is None else {ISSUER: domain}
    layers = {COMMAND_LINE: given, EXPORTED: os.environ, str(files.path): files.values}
    address = Environment(layers).get(ISSUER, "")
    used = {
        place: {name: value for name, value in values.items() if name != ADMIN_PAT or usable_at(address, value)}
        for place, values in layers.items()
    }
    return Environment(used, options={ISSUER: option}, file=files.path)


@dataclass(frozen=True, kw_only=True)
class SetupRun:
    """One run of setup on one ZITADEL, with what the person chose."""

    screen: Screen
    files: SetupFiles
    client: ManagementClient
    dry_run: bool
    yes: bool
    as_json: bool

    def set_up(self, options: SetupOptions) -> int:
        """Look, show the plan, ask, apply it, and verify the result."""
        screen, files = self.screen, self.files
        with screen.waiting(f"looking at {self.client.zitadel}"):
            current = look(self.client, files, options)
        options = current.options
        plan = make_plan(current, files.values, file=files.path.name)
        if not self.as_json:
            show_plan(screen, plan, files.values, self.client.emulator)
        new_keys = [files.key_file(options.app_name)] if current.auth is Auth.KEY else []
        warn_of_git(screen, files.path, [*files.key_files(), *new_keys])
        if self.dry_run:
            if self.as_json:
                screen.document(plan_document(plan))
            if plan.rotation:
                screen.note(f"{plan.rotation.message}: add --rotate-secret for a new one, or type yes when asked")
            screen.tell("--dry-run: nothing was changed" if plan.changes else "no changes")
            return ExitCode.YES
        if any(plan.to_do(ObjectKind.ENV)):
            files.check_writable()
        self._confirm_rotation(plan.rotation, options.app_name)
        if plan.changes and not self._confirm("Make these changes?", "make them"):
            return self._declined(plan_document(plan))
        start = time.monotonic()
        if plan.changes:
            apply_plan(self.client, files, plan, screen)
        with screen.waiting("waiting until introspection shows it"):
            seconds = verify_tokens(self.client, files, options.role)
        if self.as_json:
            screen.document(plan_document(plan, dry_run=False, seconds=seconds))
        else:
            show_result(screen, plan, files.path, time.monotonic() - start)
        exposed = open_to_others(str(files.path), files.path)
        for problem in (*([exposed] if exposed else []), *hiding_problems(read_environment(files.path))):
            screen.warn(problem.in_full)
        return ExitCode.YES

    def _declined(self, document: object) -> int:
        """Say that nothing was changed; the document is that of --dry-run."""
        if self.as_json:
            self.screen.document(document)
        self.screen.tell(NOTHING_CHANGED)
        return ExitCode.YES

    def _confirm(self, question: str, what: str) -> bool:
        """Return whether the person agrees, with ``--yes`` or now."""
        path, target = self.files.path, os.path.realpath(self.files.path)
        if not Path(target).is_relative_to(os.path.realpath(path.parent)):  # a link leads out of the folder
            linked = one_line(f"{path} is a link to {target}, which would be changed")
            if self.yes:
                raise UsageError(linked, hint=one_line(f"name that file: --env-file {shlex.quote(target)}"))
            question = f"{linked}. {question}"
        if self.yes:
            return True
        if not token_input.at_terminal():
            hint = f"add --yes to {what}, or --dry-run to only show them"
            raise UsageError("there are changes to confirm, but no terminal to ask on", hint=hint)
        return token_input.agreed(question)

    def _confirm_rotation(self, rotation: ZdemoError | None, application: str) -> None:
        """Raise ``rotation`` unless the person agrees now: --yes is not consent to replace a lost secret."""
        if rotation is None:
            return
        if self.yes or not token_input.at_terminal():
            raise rotation
        self.screen.tell(f"{rotation.message}.\nA new one stops the old one from working, wherever it is in use.")
        if not token_input.agreed(f"Create a new client secret for {application}?", word="yes"):
            raise rotation

    def tear_down(self) -> int:
        """Show what will be removed, ask, and remove it."""
        screen, files = self.screen, self.files
        with screen.waiting(f"looking at {self.client.zitadel}"):
            teardown = plan_teardown(self.client, files)
        if not self.as_json:
            show_teardown(screen, teardown, files.path, self.client.emulator)
        if self.dry_run:
            if teardown.added_by_others:
                screen.note("--teardown stops here: others added to what setup created")
            screen.tell("--dry-run: nothing was changed")
        else:
            teardown.check()
            if teardown.settings:
                files.check_writable()
            if not self._confirm("Remove this?", "remove these things"):
                return self._declined(teardown_document(teardown, dry_run=True))
            if not self.yes:
                plan_teardown(self.client, files).check()  # a person may have taken long to answer
            tear_down(files, teardown, screen)
        if self.as_json:
            screen.document(teardown_document(teardown, dry_run=self.dry_run))
        elif not self.dry_run:
            screen.say("removed")
            screen.steps("next", [with_env_file(Command("setup", does="creates it again"), files.path)], label_width=4)
        return ExitCode.YES


MOST_BESIDE = 40  # characters of a name and a note; a longer note stands below its name
COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}
WORDS = {"PAT of": "PAT", "role for": "role assignment", "key of": "key"}  # labels that continue in their names


def show_plan(screen: Screen, plan: Plan, settings: Collection[str], emulator: str) -> None:
    """Show who changes what where, one row for each thing; ``settings`` are those in the file now."""
    where = plan.current.organization
    _head(screen, plan.current.issuer, plan.current.admin, emulator, f"{where.name} ({where.id})" if where else "")
    rows = []
    for step in plan.steps:
        action = str(step.action)
        if step.settings:
            kept = len(set(settings) - set(step.settings))
            action = f"set {len(step.settings)}" + (f", keep {kept}" if kept else "")
        label = plan.file if step.kind is ObjectKind.ENV else step.kind
        rows.append(_row(label, step.name, step.note, screen.mark(action, COLOURS.get(step.action, ""))))
    screen.table(rows)
    screen.say()


def _head(screen: Screen, issuer: str, admin: User, emulator: str, organization: str = "") -> None:
    roles = f" ({', '.join(admin.roles)})" if admin.roles else ""
    screen.say(one_line(f"{issuer} as {admin.login_name}{roles}"))
    if organization:
        screen.say(one_line(f"in the organization {organization}"))
    if emulator:
        screen.say(f"this is the emulator {emulator}")
    screen.say()


def show_teardown(screen: Screen, teardown: Teardown, file: Path, emulator: str) -> None:
    """Show who removes what where, what is not setup's, what stays, and which settings are removed or restored."""
    if teardown.admin:
        _head(screen, teardown.issuer, teardown.admin, emulator)
    remove, restore = screen.mark("remove", "red"), screen.mark("restore", "green")
    rows = [_row(item.what, item.name, item.note, "stays" if item.stays else remove) for item in teardown.shown]
    rows += [_row(item.what, item.name, "", screen.mark("not setup's", "yellow")) for item in teardown.added_by_others]
    if removed := [name for name in teardown.settings if name not in teardown.restored]:
        rows.append(_row(file.name, ", ".join(removed), "", remove))
    if teardown.restored:
        rows.append(_row(file.name, ", ".join(teardown.restored), "your previous values", restore))
    screen.table(rows or [["  all recorded objects are gone already; only the state file is left"]])
    screen.say()


def _row(label: str, name: str, note: str, action: str) -> tuple[str, str, str]:
    name, note = one_line(name), one_line(note)
    both = f"{name} ({note})" if note else name
    return f"  {printable(label)}", both if len(both) <= MOST_BESIDE else f"{name}\n{note}".rstrip(), action


def show_result(screen: Screen, plan: Plan, file: Path, seconds: float) -> None:
    """Show what introspection says, and what to try next."""
    options = plan.current.options
    done = f"done in {seconds:.1f} s" if plan.changes else "no changes"
    has = f"{options.reader_name} has {options.role}, {options.visitor_name} does not"
    screen.behind("  ", f"{done}; {has}")
    steps: list[Step] = [Command("serve", does="and in another terminal:"), Command("call scoped")]
    if options.role != ROLE:  # which the example API does not know
        steps = [Command("introspect --require", (options.role,), does="for an API of your own that requires it")]
    if plan.renews_credentials:
        steps.insert(0, "restart zdemo serve to pick up the new settings")
    if options.login_app_name:
        steps.append(Command("token --login", does="for the token of a person who logs in"))
    screen.steps("next", [with_env_file(step, file) for step in steps], label_width=4)


def plan_document(plan: Plan, *, dry_run: bool = True, seconds: float | None = None) -> Any:
    """Return the plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    current = plan.current
    return {
        "zitadel": current.issuer,
        "administrator": {"id": current.admin.id, "login_name": current.admin.login_name},
        "organization": current.admin.organization_id,
        "dry_run": dry_run,
        "changed": plan.changes and not dry_run,
        "needs_rotation": plan.rotation is not None,
        "steps": [
            {
                "what": WORDS.get(step.kind, str(step.kind)),
                "name": step.name,
                "action": "leave" if step.action is Action.LEAVE else str(step.action),
                "note": step.note,
            }
            for step in plan.steps
        ],
        "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
    }


def teardown_document(teardown: Teardown, *, dry_run: bool) -> Any:
    """Return what is removed as JSON."""

    def document(item: Item, **more: str) -> dict[str, str]:
        return {"what": WORDS.get(item.what, item.what), "name": item.name, **more}

    return {
        "dry_run": dry_run,
        "changed": teardown.changes and not dry_run,
        "removed": [document(item, note=item.note) for item in teardown.shown if not item.stays],
        "stays": [document(item, note=item.note) for item in teardown.shown if item.stays],
        "added_by_others": [document(item) for item in teardown.added_by_others],
        "lines": sorted(teardown.settings),
        "put_back": list(teardown.restored),
    }
