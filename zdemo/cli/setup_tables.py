"""The tables and JSON documents of ``zdemo setup``: the plan, the result, and what a teardown removes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from zdemo.cli.layout import BELOW, LEAST_ROOM, pad, wrapped
from zdemo.cli.old_keys import with_old_keys
from zdemo.cli.screen import Screen
from zdemo.config.columns import cells
from zdemo.config.printable import one_line, printable
from zdemo.management.model import Administrator
from zdemo.provisioning.additions import Addition
from zdemo.provisioning.plan import Action, ObjectKind, Plan, PlanStep
from zdemo.provisioning.removals import Removal
from zdemo.provisioning.teardown import Teardown

LABEL_WIDTH, ACTION_WIDTH = 16, 15
COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}
WORDS = {"PAT of": "PAT", "role for": "role assignment", "key of": "key"}  # labels that continue in their names


def show_plan(screen: Screen, plan: Plan, settings: Collection[str], emulator: str) -> None:
    """Show who changes what where, one row for each thing; ``settings`` are those in the file now."""
    _head(screen, plan.current.issuer, plan.current.admin, emulator)
    for step in plan.steps:
        label, action = str(step.kind), str(step.action)
        if step.kind is ObjectKind.ENV:
            label = plan.file
            if step.name:
                kept = len(set(settings) - set(step.name.split(", ")))
                action = f"set {len(step.name.split(', '))}" + (f", keep {kept}" if kept else "")
        _row(screen, label, step.name, action, step.note, COLOURS.get(step.action, ""))
    screen.say()


def _head(screen: Screen, issuer: str, admin: Administrator, emulator: str) -> None:
    roles = f" ({', '.join(admin.roles)})" if admin.roles else ""
    screen.say(one_line(f"{issuer} as {admin.login_name}{roles}"))
    if emulator:
        screen.say(f"this is the emulator {emulator}")
    screen.say()


def show_teardown(screen: Screen, teardown: Teardown, file: Path, emulator: str, *, with_additions: bool) -> None:
    """Show who removes what where, what is not setup's, what stays, and which settings are removed or restored."""
    if teardown.admin:
        _head(screen, teardown.issuer, teardown.admin, emulator)
    for removal in teardown.removals:
        action, colour = ("stays", "") if removal.stays else ("remove", "red")
        if removal.doubt:
            action, colour = "not proven", "yellow"
        _row(screen, removal.what, removal.name, action, removal.doubt or removal.note, colour)
    action, note = ("remove", "not setup's") if with_additions else ("not setup's", "")
    for addition in teardown.additions:
        _row(screen, addition.what, addition.name, action, note, "red" if with_additions else "yellow")
    for words in teardown.unseen:
        _row(screen, "cannot be seen", words, "not setup's?", "", "yellow")
    removed = [name for name in teardown.settings if name not in teardown.restored]
    if removed:
        _row(screen, file.name, ", ".join(removed), "remove", "", "red")
    if teardown.restored:
        _row(screen, file.name, ", ".join(teardown.restored), "restore", "your previous values", "green")
    screen.say()


def _row(screen: Screen, label: str, middle: str, action: str, note: str, colour: str) -> None:
    """Show a row of a plan; on a narrow screen, the action stands below the name."""
    room = screen.width() - LABEL_WIDTH - ACTION_WIDTH - BELOW
    word = screen.mark(action, colour) if colour else action
    lead, middle = " " * BELOW + pad(printable(label), LABEL_WIDTH), one_line(middle)
    if note and cells(f"{middle} ({note})") <= max(room, LEAST_ROOM):
        middle, note = f"{middle} ({note})", ""
    if room < LEAST_ROOM:
        screen.behind(lead, middle)
        screen.say(" " * cells(lead) + word)
    else:
        first, *rest = wrapped(middle, room)
        screen.say(f"{lead}{pad(first, room)} {word}")
        for line in rest:
            screen.behind(" " * cells(lead), line)
    if note:
        screen.behind(" " * cells(lead), note)


def show_result(screen: Screen, plan: Plan, seconds: float, *, changed: bool) -> None:
    """Show what introspection says, and what to try next."""
    options = plan.current.options
    done = f"done in {seconds:.1f} s" if changed else "no changes"
    has = f"{options.reader_name} has {options.role}, {options.visitor_name} does not"
    screen.pairs([("", f"{done}; {has}")], label_width=0)
    lead = "next  "
    if plan.renews_credentials:
        screen.behind(lead, "restart zdemo serve to pick up the new settings")
        lead = " " * len(lead)
    screen.table([(f"{lead}zdemo serve      ", "and in another terminal      ", "zdemo call scoped")])


def plan_document(plan: Plan, *, dry_run: bool, seconds: float | None) -> Any:
    """Return the plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    current = plan.current
    document = {
        "zitadel": current.issuer,
        "administrator": {"id": current.admin.id, "login_name": current.admin.login_name},
        "dry_run": dry_run,
        "changed": plan.changes and not dry_run,
        "needs_rotation": plan.rotation is not None,
        "steps": [_step_document(step) for step in plan.steps],
        "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
    }
    return with_old_keys(document)


def _step_document(step: PlanStep) -> dict[str, str]:
    action = "leave" if step.action is Action.LEAVE else str(step.action)
    return {"what": WORDS.get(step.kind, str(step.kind)), "name": step.name, "action": action, "note": step.note}


def teardown_document(teardown: Teardown, *, dry_run: bool) -> Any:
    """Return what is removed as JSON."""

    def document(thing: Removal | Addition, **more: str) -> dict[str, str]:
        return {"what": WORDS.get(thing.what, thing.what), "name": thing.name, **more}

    own = [removal for removal in teardown.removals if not removal.doubt]

    answer = {
        "dry_run": dry_run,
        "changed": teardown.changes and not dry_run,
        "removed": [document(removal, note=removal.note) for removal in own if not removal.stays],
        "stays": [document(removal, note=removal.note) for removal in own if removal.stays],
        "not_proven": [document(removal, why=removal.doubt) for removal in teardown.doubtful],
        "added_by_others": [document(addition) for addition in teardown.additions],
        "not_seen": list(teardown.unseen),
        "lines": sorted(teardown.settings),
        "put_back": list(teardown.restored),
    }
    return with_old_keys(answer)
