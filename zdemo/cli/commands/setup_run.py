"""The course of ``zdemo setup``: look, show the plan, ask, apply and verify it; or tear it down."""

import os
import shlex
import time
from dataclasses import dataclass

from zdemo.cli.commands.setup_tables import plan_document, show_plan, show_result, show_teardown, teardown_document
from zdemo.cli.gitignore import warn_of_git
from zdemo.cli.questions import agreed
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import at_terminal
from zdemo.errors import ExitCode, UsageError, ZdemoError
from zdemo.setup.apply import apply_plan, verify_tokens
from zdemo.setup.conflicts import NOTHING_CHANGED
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import ObjectKind, Plan, Rotation, make_plan
from zdemo.setup.setup_files import SETTINGS, SetupFiles
from zdemo.setup.teardown import plan_teardown, tear_down
from zdemo.text.printable import one_line
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth


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
        plan = make_plan(current, files.values, file=files.path.name)
        if not self.as_json:
            show_plan(screen, plan, files.values, self.client.emulator)
        new_keys = [files.key_file(options.app_name)] if current.auth is Auth.KEY else []
        warn_of_git(screen, files.path, [*files.key_files(), *new_keys])
        if self.dry_run:
            return self._show_only(plan)
        if not self._agree_to(plan, options.app_name):
            return self._declined(plan_document(plan, dry_run=True, seconds=None))
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

    def _show_only(self, plan: Plan) -> int:
        if self.as_json:
            self.screen.document(plan_document(plan, dry_run=True, seconds=None))
        if plan.rotation:
            self.screen.tell(
                f"note: {plan.rotation.why}; to create a new one, add --rotate-secret, or type yes when asked"
            )
        self.screen.tell("--dry-run: nothing was changed" if plan.changes else "no changes")
        return ExitCode.YES

    def _confirm(self, question: str, what: str) -> bool:
        """Return whether the person agrees, with ``--yes`` or now."""
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
        return agreed(question)

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
            show_teardown(screen, teardown, files.path, self.client.emulator)
        if self.dry_run:
            if teardown.added_by_others:
                screen.tell("note: --teardown stops here: others added to what setup created")
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
            screen.say("removed; zdemo setup creates it again")
        return ExitCode.YES
