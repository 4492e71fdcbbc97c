"""The tables and JSON documents of ``zdemo setup``: the plan, the result, and what a teardown removes."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from zdemo.cli.screen import Screen
from zdemo.setup.plan import Action, ObjectKind, Plan, PlanStep
from zdemo.setup.teardown import Item, Teardown
from zdemo.text.printable import one_line, printable
from zdemo.zitadel.records import Administrator

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
            if step.name:
                kept = len(set(settings) - set(step.name.split(", ")))
                action = f"set {len(step.name.split(', '))}" + (f", keep {kept}" if kept else "")
        rows.append(_row(label, step.name, step.note, screen.mark(action, COLOURS.get(step.action, ""))))
    screen.table(rows)
    screen.say()


def _head(screen: Screen, issuer: str, admin: Administrator, emulator: str) -> None:
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
    screen.table(rows)
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


def plan_document(plan: Plan, *, dry_run: bool, seconds: float | None) -> Any:
    """Return the plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    current = plan.current
    return {
        "zitadel": current.issuer,
        "administrator": {"id": current.admin.id, "login_name": current.admin.login_name},
        "dry_run": dry_run,
        "changed": plan.changes and not dry_run,
        "needs_rotation": plan.rotation is not None,
        "steps": [_step_document(step) for step in plan.steps],
        "shown_after_milliseconds": None if seconds is None else round(seconds * 1000, 1),
    }


def _step_document(step: PlanStep) -> dict[str, str]:
    action = "leave" if step.action is Action.LEAVE else str(step.action)
    return {"what": WORDS.get(step.kind, str(step.kind)), "name": step.name, "action": action, "note": step.note}


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
