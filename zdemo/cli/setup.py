"""``zdemo setup``: look, show the plan, ask, apply and verify it; or tear it down."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from zdemo.cli.gitignore import keep_out_of_git
from zdemo.cli.help import SETTINGS_GROUP
from zdemo.cli.options import EnvFile, Json, token_text
from zdemo.cli.questions import agreed
from zdemo.cli.screen import Screen
from zdemo.cli.setup_environment import refuse_other_internal_url, setup_environment
from zdemo.cli.setup_tables import plan_document, show_plan, show_result, show_teardown, teardown_document
from zdemo.cli.token_input import (
    at_terminal,
    tell_warnings,
)
from zdemo.client import ROLE
from zdemo.config.printable import one_line
from zdemo.config.settings import AdminSettings
from zdemo.errors import ExitCode, IntrospectionError, ManagementError, UsageError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.model import Auth
from zdemo.management.refusals import TOO_OLD
from zdemo.provisioning.apply import apply_plan
from zdemo.provisioning.conflicts import NOTHING_CHANGED
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.lookup import look
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.plan import ObjectKind, Plan, Rotation, make_plan
from zdemo.provisioning.safety import only_setup_in_folder
from zdemo.provisioning.setting_groups import SETTINGS
from zdemo.provisioning.teardown import WITH_ADDITIONS, Teardown, plan_teardown, tear_down
from zdemo.provisioning.verify import verify_tokens

CREATED = "What is created"


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

    Exit codes: 0 done, or declined at the question; 1 refused, or not permitted; 2 changes to confirm, but no one to
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
        environment = setup_environment(screen, files, domain, admin_pat, may_ask=not yes)
        if not teardown:
            refuse_other_internal_url(environment)
        settings = AdminSettings.from_env(environment)
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
        raise type(error)(finding.sentence + can_be, hint=hint, answer=error.answer, failure=error.failure) from error
    finally:
        client.close()


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
            show_plan(screen, plan, files.values, self.client.emulator)
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
            show_teardown(screen, teardown, files.path, self.client.emulator, with_additions=self.with_additions)
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
