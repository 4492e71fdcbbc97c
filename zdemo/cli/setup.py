"""``zdemo setup``: look, show the plan, ask, apply and verify it; or tear it down."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from zdemo.cli.gitignore import keep_out_of_git
from zdemo.cli.help import SETTINGS_GROUP
from zdemo.cli.options import ASK, EnvFile, Json, token_text
from zdemo.cli.questions import agreed, typed_line
from zdemo.cli.screen import Screen
from zdemo.cli.setup_tables import plan_document, show_plan, show_result, show_teardown, teardown_document
from zdemo.cli.token_input import (
    at_terminal,
    given_token,
    hide_secrets,
    tell_mixed_sources,
    tell_warnings,
    token_question,
    typed_secret,
)
from zdemo.client import ROLE
from zdemo.config.emulator_values import are_emulators, is_public, usable_at
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.printable import one_line
from zdemo.config.settings import EXAMPLE_DOMAIN, AdminSettings
from zdemo.errors import ExitCode, IntrospectionError, ManagementError, SettingsError, UsageError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.model import Auth
from zdemo.management.refusals import TOO_OLD
from zdemo.provisioning.apply import apply_plan
from zdemo.provisioning.conflicts import NOTHING_CHANGED
from zdemo.provisioning.files import ADMIN_PAT, SetupFiles
from zdemo.provisioning.lookup import look
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.plan import ObjectKind, Plan, Rotation, make_plan
from zdemo.provisioning.safety import only_setup_in_folder
from zdemo.provisioning.setting_groups import SETTINGS
from zdemo.provisioning.teardown import WITH_ADDITIONS, Teardown, plan_teardown, tear_down
from zdemo.provisioning.verify import verify_tokens

TO_BE_TYPED = "to-be-typed"
CREATED = "What is created"
OPTIONS = {"ZITADEL_DOMAIN": "--domain", "ZITADEL_ADMIN_PAT": "--admin-pat"}


def setup(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Never replaces a secret in use.")] = False,
    teardown: Annotated[bool, typer.Option("--teardown", help="Remove what setup created, and nothing else.")] = False,
    with_additions: Annotated[
        bool, typer.Option(WITH_ADDITIONS, help="With --teardown: also remove what others added to it.")
    ] = False,
    rotate_secret: Annotated[
        bool, typer.Option("--rotate-secret", help="Create a new client secret or key; the old one stops working.")
    ] = False,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Your ZITADEL. Default: ZITADEL_DOMAIN.",
            show_default=False,
            rich_help_panel=SETTINGS_GROUP,
        ),
    ] = None,
    admin_pat: Annotated[
        str | None,
        typer.Option(
            "--admin-pat",
            metavar="TEXT",
            help="An administrator's token. - reads it from standard input; a bare --admin-pat at the end of the line "
            "asks for it. Default: ZITADEL_ADMIN_PAT.",
            show_default=False,
            callback=token_text,
            rich_help_panel=SETTINGS_GROUP,
        ),
    ] = None,
    auth: Annotated[
        Literal["basic", "private-key-jwt"] | None,
        typer.Option(
            metavar="METHOD",
            help="How the application authenticates: basic or private-key-jwt. Default: as it does now, else basic.",
            show_default=False,
            rich_help_panel=CREATED,
        ),
    ] = None,
    pat_days: Annotated[
        int, typer.Option(metavar="DAYS", min=1, max=3650, help="How long the PATs are valid.", rich_help_panel=CREATED)
    ] = 30,
    project_name: Annotated[str, typer.Option(metavar="NAME", help="The project.", rich_help_panel=CREATED)] = "zdemo",
    role: Annotated[str, typer.Option(metavar="KEY", help="The role's key.", rich_help_panel=CREATED)] = ROLE,
    app_name: Annotated[
        str, typer.Option(metavar="NAME", help="The API application.", rich_help_panel=CREATED)
    ] = "zdemo-api",
    reader_name: Annotated[
        str, typer.Option(metavar="NAME", help="The service user with the role.", rich_help_panel=CREATED)
    ] = "zdemo-reader",
    visitor_name: Annotated[
        str, typer.Option(metavar="NAME", help="The service user without the role.", rich_help_panel=CREATED)
    ] = "zdemo-visitor",
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

    Variables: ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, ZITADEL_ADMIN_PAT

    Exit codes: 0 done, or declined at the question; 1 refused, or not permitted; 2 changes to confirm, but nobody to
    ask; 3 a setting is missing or wrong; 4 no answer from ZITADEL

    More: docs/setup.md
    """
    options = SetupOptions(
        project_name=project_name,
        role=role,
        app_name=app_name,
        reader_name=reader_name,
        visitor_name=visitor_name,
        auth=Auth(auth) if auth else None,
        pat_hours=pat_days * 24,
        rotate_secret=rotate_secret,
    )
    options.check()
    if teardown and (rotate_secret or auth):
        option = "--rotate-secret" if rotate_secret else "--auth"
        raise UsageError(f"{option} cannot be combined with --teardown", hint=f"leave out {option}")
    if with_additions and not teardown:
        raise UsageError(f"{WITH_ADDITIONS} needs --teardown", hint=f"leave out {WITH_ADDITIONS}")
    screen: Screen = ctx.obj
    path = env_file or Path(".env")
    with nullcontext() if dry_run else only_setup_in_folder(path):
        files = SetupFiles(path)
        if teardown and not files.state.zitadel:
            if as_json:
                screen.document(teardown_document(Teardown(), dry_run=dry_run))
            else:
                screen.say(f"nothing to remove: .zdemo/setup.json records nothing that setup created for {files.path}")
            return ExitCode.YES
        settings = AdminSettings.from_env(_environment(screen, files, domain, admin_pat, may_ask=not yes))
        tell_warnings(screen, settings)
        with _management(settings) as client:
            run = _Run(
                screen=screen,
                files=files,
                client=client,
                dry_run=dry_run,
                yes=yes,
                with_additions=with_additions,
                as_json=as_json,
            )
            return run.tear_down() if teardown else run.set_up(options)


@contextmanager
def _management(settings: AdminSettings) -> Iterator[ManagementClient]:
    """Give a client of the management API; what keeps ZITADEL from answering is explained by the diagnosis."""
    client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    try:
        yield client
    except IntrospectionError as error:
        if (reply := error.answer) and error.status == 502 and reply.status in (404, 501) and "/zitadel." in reply.url:
            raise ManagementError(TOO_OLD[0], hint=TOO_OLD[1], answer=reply) from error  # a service is missing
        from zdemo.diagnosis import finding_for_error  # here, since it is rarely needed

        finding = finding_for_error(error)
        can_be = f" (it can be: {'; '.join(finding.candidates)})" if finding.candidates else ""
        hint = "; ".join(filter(None, finding.steps)) or error.hint
        what, hint = (text.replace("ZITADEL_DOMAIN", settings.setting) for text in (finding.sentence + can_be, hint))
        raise type(error)(what, hint=hint, answer=error.answer, failure=error.failure) from error
    finally:
        client.close()


def _environment(
    screen: Screen, files: SetupFiles, domain: str | None, admin_pat: str | None, *, may_ask: bool
) -> Environment:
    """Merge options, environment and ``.env``; ask for what is missing if a person is at a terminal."""
    is_asked_for = admin_pat == ASK
    values = {"ZITADEL_DOMAIN": domain, ADMIN_PAT: None if is_asked_for else given_token("--admin-pat", admin_pat)}
    given = {name: value for name, value in values.items() if value is not None}
    options = {name: OPTIONS[name] for name in (*given, *([ADMIN_PAT] if is_asked_for else []))}
    environment = _layers(given, options, files)
    hide_secrets(screen, environment)
    asks = at_terminal() and admin_pat != "-" and may_ask
    if _may_mean_another(environment, files):
        given["ZITADEL_DOMAIN"] = _meant_domain(environment, files, asks=asks)
    elif asks and "ZITADEL_DOMAIN" not in environment:
        given["ZITADEL_DOMAIN"] = _typed_domain(f"ZITADEL_DOMAIN (e.g. {EXAMPLE_DOMAIN}): ", environment)
    environment = _layers(given, options, files)
    address = environment.get("ZITADEL_DOMAIN", "")
    if address and ADMIN_PAT not in environment and is_public(files.get(ADMIN_PAT)):
        screen.tell(f"note: the emulator's {ADMIN_PAT} in {files.path} is not for {address}")
    if is_asked_for or (asks and ADMIN_PAT not in environment):
        given[ADMIN_PAT] = TO_BE_TYPED
        given[ADMIN_PAT] = _typed_admin_pat(_layers(given, options, files), with_option=is_asked_for)
        environment = _layers(given, options, files)
        hide_secrets(screen, environment)
    tell_mixed_sources(screen, environment, ADMIN_PAT, "ZITADEL_DOMAIN")
    return environment


def _typed_admin_pat(environment: Environment, *, with_option: bool) -> str:
    """Ask for the administrator's PAT. Raises SettingsError if it is not clear where that will go."""
    zitadel = AdminSettings.from_env(environment).zitadel
    question = token_question(ADMIN_PAT, zitadel.server, environment, zitadel.setting)
    return (given_token("--admin-pat", ASK, question=question) or "") if with_option else typed_secret(question)


def _layers(given: dict[str, str], options: dict[str, str], files: SetupFiles) -> Environment:
    """Merge them, without the emulator's administrator's PAT where that cannot be used."""
    layers = {COMMAND_LINE: given, "the environment": os.environ, str(files.path): files.values}
    address = Environment(layers).get("ZITADEL_DOMAIN", "")
    used = {
        place: {name: value for name, value in values.items() if name != ADMIN_PAT or usable_at(address, value)}
        for place, values in layers.items()
    }
    return Environment(used, options=options, file=files.path)


def _may_mean_another(environment: Environment, files: SetupFiles) -> bool:
    """Return whether the only ZITADEL that is named is the emulator, in a ``.env`` that setup has not used yet."""
    is_from_file = environment.source("ZITADEL_DOMAIN") == str(files.path)
    return is_from_file and not files.state.zitadel and are_emulators(files.values)


def _meant_domain(environment: Environment, files: SetupFiles, *, asks: bool) -> str:
    """Ask for the ZITADEL to set up. Raises UsageError where nobody can be asked."""
    emulator, what = environment["ZITADEL_DOMAIN"], f"{files.path} has the emulator's settings"
    if not asks:
        raise UsageError(
            f"{what}, so it is not clear which ZITADEL to set up",
            hint=f"add --domain, for example --domain {EXAMPLE_DOMAIN}; the emulator is --domain {emulator}",
        )
    question = f"{what}. Which ZITADEL do you want to set up? [{emulator}] "
    return _typed_domain(question, environment) or emulator


def _typed_domain(question: str, environment: Environment) -> str:
    """Ask until the text can be an address, so that no token is typed for a wrong one; accept an empty text."""
    while (text := typed_line(question)) and (problem := _domain_problem(text, environment)):
        sys.stderr.write(f"{problem}\n")
    return text


def _domain_problem(text: str, environment: Environment) -> str:
    try:
        AdminSettings.from_env({**environment, "ZITADEL_DOMAIN": text})
    except SettingsError as error:
        return next((problem for problem in error.problems if problem.startswith("ZITADEL_DOMAIN")), "")
    return ""


@dataclass(frozen=True, kw_only=True)
class _Run:
    screen: Screen
    files: SetupFiles
    client: ManagementClient
    dry_run: bool
    yes: bool
    with_additions: bool
    as_json: bool

    def set_up(self, options: SetupOptions) -> int:
        """Look, show the plan, ask, apply it, and verify the result."""
        screen, files = self.screen, self.files
        with screen.waiting(f"looking at {self.client.zitadel}"):
            current = look(self.client, files, options)
        plan = make_plan(current, files.values, file=files.path.name)
        if not self.as_json:
            show_plan(screen, plan, files.values)
        if self.dry_run:
            self._keep_out_of_git(options)
            return self._show_only(plan)
        if not self._agree_to(plan, options.app_name):
            return self._declined(plan_document(plan, dry_run=True, seconds=None))
        self._keep_out_of_git(options)
        start = time.monotonic()
        if plan.changes:
            apply_plan(self.client, files, plan, screen)
        with screen.waiting("waiting until introspection shows it"):
            shown = verify_tokens(self.client, files, options.role)
        if self.as_json:
            screen.document(plan_document(plan, dry_run=False, seconds=shown))
        else:
            show_result(screen, plan, time.monotonic() - start, changed=plan.changes)
        self._warn_about_settings()
        return ExitCode.YES

    def _agree_to(self, plan: Plan, application: str) -> bool:
        """Return whether the person agrees to the plan. Raises ZdemoError if it cannot be carried out."""
        if any(plan.to_do(ObjectKind.ENV)):
            self.files.check_writable()
        if plan.rotation:
            self._confirm_rotation(plan.rotation, application)
        return not plan.changes or self._confirm("Make these changes?", "make them")

    def _declined(self, document: object) -> int:
        """Say that nothing was changed; the document is that of --dry-run."""
        if self.as_json:
            self.screen.document(document)
        self.screen.tell(NOTHING_CHANGED)
        return ExitCode.YES

    def _warn_about_settings(self) -> None:
        files = self.files
        if files.warning:
            self.screen.tell(f"warning: {files.warning}")
        for name in SETTINGS:
            if os.environ.get(name, "").strip() not in ("", files.values.get(name, "").strip()):
                self.screen.tell(f"warning: {name} in the environment hides the one in {files.path}: unset {name}")

    def _keep_out_of_git(self, options: SetupOptions) -> None:
        files = self.files
        key_files = (*files.key_files(), files.key_file(options.app_name))
        keep_out_of_git(self.screen, files.path, key_files, yes=self.yes, warn_only=self.dry_run)

    def _show_only(self, plan: Plan) -> int:
        if self.as_json:
            self.screen.document(plan_document(plan, dry_run=True, seconds=None))
        if plan.rotation:
            self.screen.tell(
                f"note: {plan.rotation.why}; to create a new one, add --rotate-secret, or type yes when asked"
            )
        self.screen.tell("--dry-run: nothing was changed" if plan.changes else "no changes")
        return ExitCode.YES

    def _confirm(self, question: str, what: str, *, word: str = "") -> bool:
        """Return whether the person agrees, with ``--yes`` or now; see ``agreed`` for the ``word``."""
        if target := self.files.link_target:
            linked = one_line(f"{self.files.path} is a link to {target}, which would be changed")
            if self.yes:
                raise UsageError(linked, hint=one_line(f"name that file: --env-file {shlex.quote(str(target))}"))
            question = f"{linked}. {question}"
        if self.yes:
            return True
        if not at_terminal():
            hint = f"add --yes to {what}, or --dry-run to only show them"
            raise UsageError("there are changes to confirm, but no terminal to ask on", hint=hint)
        return agreed(question, word=word)

    def _confirm_rotation(self, rotation: Rotation, application: str) -> None:
        """Raise ZdemoError unless the person agrees now: a new secret in place of a lost one needs more than --yes."""
        hint = (
            f"{rotation.instead}, or add --rotate-secret: it creates a new one, and the old one stops working wherever "
            f"it is in use; {NOTHING_CHANGED}"
        )
        if self.yes or not at_terminal():
            raise ZdemoError(rotation.why, hint=hint)
        self.screen.tell(f"{rotation.why}.\nA new one stops the old one from working, wherever it is in use.")
        if not agreed(f"Create a new client secret for {application}?", word="yes"):
            raise ZdemoError(rotation.why, hint=hint)

    def tear_down(self) -> int:
        """Show what will be removed, ask, and remove it."""
        screen, files = self.screen, self.files
        with screen.waiting(f"looking at {self.client.zitadel}"):
            teardown = plan_teardown(self.client, files)
        if not self.as_json:
            show_teardown(screen, teardown, files.path, with_additions=self.with_additions)
        if self.dry_run:
            self._tell_why_it_stops(teardown)
            screen.tell("--dry-run: nothing was changed")
        else:
            teardown.check(with_additions=self.with_additions)
            if teardown.settings:
                files.check_writable()
            if not self._confirm_removal(teardown):
                return self._declined(teardown_document(teardown, dry_run=True))
            tear_down(files, teardown, screen, with_additions=self.with_additions)
        if self.as_json:
            screen.document(teardown_document(teardown, dry_run=self.dry_run))
        elif not self.dry_run:
            screen.say("removed; zdemo setup creates it again")
        return ExitCode.YES

    def _tell_why_it_stops(self, teardown: Teardown) -> None:
        try:
            teardown.check(with_additions=self.with_additions)
        except ZdemoError as error:
            self.screen.tell(f"note: --teardown stops here: {error.message}")

    def _confirm_removal(self, teardown: Teardown) -> bool:
        """Return whether the person agrees; to remove what others added, y is not enough."""
        if teardown.additions or teardown.unseen:
            return self._confirm("Remove this, with what others added?", "remove these things", word="yes")
        return self._confirm("Remove this?", "remove these things")
