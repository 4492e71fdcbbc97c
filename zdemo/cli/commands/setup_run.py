"""The course of ``zdemo setup``: look, show the plan, ask, apply and verify it; or tear it down."""

import shlex
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zdemo.cli.emulator_env_file import warn_of_git
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import agreed, at_terminal
from zdemo.config.environment import read_environment
from zdemo.config.file_io import open_to_others
from zdemo.config.sources import hiding_problems
from zdemo.errors import ExitCode, UsageError, ZdemoError
from zdemo.setup.apply import apply_plan, verify_tokens
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import NOTHING_CHANGED, Action, ObjectKind, Plan, Rotation, make_plan
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.teardown import Item, Teardown, plan_teardown, tear_down
from zdemo.text.printable import one_line, printable
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth, User


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
            if self.as_json:
                screen.document(plan_document(plan, dry_run=True, seconds=None))
            if plan.rotation:
                again = "to create a new one, add --rotate-secret, or type yes when asked"
                screen.note(f"{plan.rotation.why}; {again}")
            screen.tell("--dry-run: nothing was changed" if plan.changes else "no changes")
            return ExitCode.YES
        if any(plan.to_do(ObjectKind.ENV)):
            files.check_writable()
        self._confirm_rotation(plan.rotation, options.app_name)
        if plan.changes and not self._confirm("Make these changes?", "make them"):
            return self._declined(plan_document(plan, dry_run=True, seconds=None))
        start = time.monotonic()
        if plan.changes:
            apply_plan(self.client, files, plan, screen)
        with screen.waiting("waiting until introspection shows it"):
            seconds = verify_tokens(self.client, files, options.role)
        if self.as_json:
            screen.document(plan_document(plan, dry_run=False, seconds=seconds))
        else:
            show_result(screen, plan, time.monotonic() - start, changed=plan.changes)
        if warning := open_to_others(str(files.path), files.path):
            screen.warn(warning.in_full)
        for problem in hiding_problems(read_environment(files.path)):
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

    def _confirm_rotation(self, rotation: Rotation | None, application: str) -> None:
        """Raise ZdemoError unless the person agrees now: a new secret in place of a lost one needs more than --yes."""
        if rotation is None:
            return
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
            screen.say("removed; zdemo setup creates it again")
        return ExitCode.YES


MOST_BESIDE = 40  # characters of a name and a note; a longer note stands below its name
COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}
WORDS = {"PAT of": "PAT", "role for": "role assignment", "key of": "key"}  # labels that continue in their names


def show_plan(screen: Screen, plan: Plan, settings: Collection[str], emulator: str) -> None:
    """Show who changes what where, one row for each thing; ``settings`` are those in the file now."""
    _head(screen, plan.current.issuer, plan.current.admin, emulator)
    rows = []
    for step in plan.steps:
        label, action = str(step.kind), str(step.action)
        if step.kind is ObjectKind.ENV:
            label = plan.file
            if step.settings:
                kept = len(set(settings) - set(step.settings))
                action = f"set {len(step.settings)}" + (f", keep {kept}" if kept else "")
        rows.append(_row(label, step.name, step.note, screen.mark(action, COLOURS.get(step.action, ""))))
    screen.table(rows)
    screen.say()


def _head(screen: Screen, issuer: str, admin: User, emulator: str) -> None:
    roles = f" ({', '.join(admin.roles)})" if admin.roles else ""
    screen.say(one_line(f"{issuer} as {admin.login_name}{roles}"))
    if emulator:
        screen.say(f"this is the emulator {emulator}")
    screen.say()


def show_teardown(screen: Screen, teardown: Teardown, file: Path, emulator: str) -> None:
    """Show who removes what where, what is not setup's, what stays, and which settings are removed or restored."""
    if teardown.admin:
        _head(screen, teardown.issuer, teardown.admin, emulator)
    rows = [
        _row(item.what, item.name, item.note, "stays" if item.stays else screen.mark("remove", "red"))
        for item in teardown.shown
    ]
    added = screen.mark("not setup's", "yellow")
    rows += [_row(item.what, item.name, "", added) for item in teardown.added_by_others]
    if removed := [name for name in teardown.settings if name not in teardown.restored]:
        rows.append(_row(file.name, ", ".join(removed), "", screen.mark("remove", "red")))
    if teardown.restored:
        restored = screen.mark("restore", "green")
        rows.append(_row(file.name, ", ".join(teardown.restored), "your previous values", restored))
    if rows:
        screen.table(rows)
    else:  # a teardown was killed just before its end
        screen.say("  what setup recorded is gone already; only its record is left")
    screen.say()


def _row(label: str, name: str, note: str, action: str) -> tuple[str, str, str]:
    name, note = one_line(name), one_line(note)
    both = f"{name} ({note})" if note else name
    return f"  {printable(label)}", both if len(both) <= MOST_BESIDE else f"{name}\n{note}".rstrip(), action


def show_result(screen: Screen, plan: Plan, seconds: float, *, changed: bool) -> None:
    """Show what introspection says, and what to try next."""
    options = plan.current.options
    done = f"done in {seconds:.1f} s" if changed else "no changes"
    has = f"{options.reader_name} has {options.role}, {options.visitor_name} does not"
    screen.behind("  ", f"{done}; {has}")
    lead = "next  "
    if plan.renews_credentials:
        screen.behind(lead, "restart zdemo serve to pick up the new settings")
        lead = " " * len(lead)
    screen.behind(lead, "zdemo serve, and in another terminal zdemo call scoped")
    if options.login_app_name:
        screen.behind(" " * len(lead), "zdemo token --login, for the token of a person who logs in")


def plan_document(plan: Plan, *, dry_run: bool, seconds: float | None) -> Any:
    """Return the plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    current = plan.current
    return {
        "zitadel": current.issuer,
        "administrator": {"id": current.admin.id, "login_name": current.admin.login_name},
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
