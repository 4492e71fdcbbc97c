"""The screen of ``zdemo setup``: the plan as a table, the question, the result, and the same as JSON."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from zdemo.cli.screen import Screen, printable, wrapped
from zdemo.management.model import Administrator
from zdemo.provisioning.plan import Action, ObjectKind, Plan, PlanStep
from zdemo.provisioning.teardown import Removal, Teardown

LABEL_WIDTH, ACTION_WIDTH = 16, 15
MIDDLE_WIDTH = 80 - LABEL_WIDTH - ACTION_WIDTH - 2
COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}
WORDS = {"PAT of": "PAT", "role for": "role assignment", "key of": "key"}  # labels that continue in their names


def show_plan(screen: Screen, plan: Plan, settings: Collection[str]) -> None:
    """Show who changes what where, one row for each thing; ``settings`` are those in the file now."""
    _head(screen, plan.current.issuer, plan.current.admin)
    for step in plan.steps:
        label, action = str(step.kind), str(step.action)
        if step.kind is ObjectKind.ENV:
            label = plan.file
            if step.name:
                kept = len(set(settings) - set(step.name.split(", ")))
                action = f"set {len(step.name.split(', '))}" + (f", keep {kept}" if kept else "")
        _row(screen, label, step.name, action, step.note, COLOURS.get(step.action, ""))
    screen.say()


def _head(screen: Screen, issuer: str, admin: Administrator) -> None:
    roles = f" ({', '.join(admin.roles)})" if admin.roles else ""
    screen.say(printable(f"{issuer} as {admin.login_name}{roles}"))
    screen.say()


def show_teardown(screen: Screen, teardown: Teardown, file: Path) -> None:
    """Show who removes what where, what stays, and which settings are removed or restored."""
    if teardown.admin:
        _head(screen, teardown.issuer, teardown.admin)
    for removal in teardown.removals:
        action = "stays" if removal.stays else "remove"
        _row(screen, removal.what, removal.name, action, removal.note, "" if removal.stays else "red")
    removed = [name for name in teardown.settings if name not in teardown.restored]
    if removed:
        _row(screen, file.name, ", ".join(removed), "remove", "", "red")
    if teardown.restored:
        _row(screen, file.name, ", ".join(teardown.restored), "restore", "your previous values", "green")
    screen.say()


def _row(screen: Screen, label: str, middle: str, action: str, note: str, colour: str) -> None:
    if note and len(middle) + len(note) + 3 <= MIDDLE_WIDTH:
        middle, note = f"{middle} ({note})", ""
    first, *rest = wrapped(middle, MIDDLE_WIDTH) or [""]
    word = screen.mark(action, colour) if colour else action
    screen.say(_printable_row(f"  {label:<{LABEL_WIDTH}}{first:<{MIDDLE_WIDTH}} ") + word)
    for line in [*rest, *(wrapped(note, 80 - LABEL_WIDTH - 2) if note else ())]:
        screen.say(_printable_row(" " * (LABEL_WIDTH + 2) + line))


def _printable_row(text: str) -> str:
    """Return the text without what would move the cursor."""
    return printable(text).replace("\n", " ")


def agreed(screen: Screen, question: str, *, word: str = "") -> bool:
    """Ask on standard error; y or yes agrees, or the ``word`` alone where one is given."""
    choice = f"type {word}" if word else "y/N"
    screen.stderr.write(f"{question} [{choice}] ")
    screen.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return answer == word if word else answer in ("y", "yes")


def show_result(screen: Screen, plan: Plan, seconds: float, *, changed: bool) -> None:
    """Show what introspection says, and what to try next."""
    options = plan.current.options
    done = f"done in {seconds:.1f} s" if changed else "no changes"
    has = f"{options.reader_name} has {options.role}, {options.visitor_name} does not"
    screen.pairs([("", f"{done}; {has}")], label_width=0)
    lead = "next"
    if plan.renews_credentials:
        screen.say(f"{lead}  restart zdemo serve to pick up the new settings")
        lead = "    "
    screen.say(f"{lead}  zdemo serve        and in another terminal        zdemo call scoped")


def hidden_variables(values: dict[str, str], environment: dict[str, str], names: Sequence[str]) -> list[str]:
    """Return the settings in ``.env`` that the process's environment hides with another value."""
    return [n for n in names if environment.get(n, "").strip() not in ("", values.get(n, "").strip())]


def plan_document(plan: Plan, *, dry_run: bool, seconds: float | None) -> dict[str, Any]:
    """Return the plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    current = plan.current
    return {
        "zitadel": current.issuer,
        "administrator": {"id": current.admin.id, "loginName": current.admin.login_name},
        "dryRun": dry_run,
        "changed": plan.changes and not dry_run,
        "needsRotation": plan.rotation is not None,
        "steps": [_step_document(step) for step in plan.steps],
        "shownAfterMilliseconds": None if seconds is None else round(seconds * 1000, 1),
    }


def _step_document(step: PlanStep) -> dict[str, str]:
    action = "leave" if step.action is Action.LEAVE else str(step.action)
    return {"what": WORDS.get(step.kind, str(step.kind)), "name": step.name, "action": action, "note": step.note}


def teardown_document(teardown: Teardown, *, dry_run: bool) -> dict[str, Any]:
    """Return what is removed as JSON."""

    def document(removal: Removal) -> dict[str, str]:
        return {"what": WORDS.get(removal.what, removal.what), "name": removal.name, "note": removal.note}

    return {
        "dryRun": dry_run,
        "changed": teardown.changes and not dry_run,
        "removed": [document(removal) for removal in teardown.removals if not removal.stays],
        "stays": [document(removal) for removal in teardown.removals if removal.stays],
        "lines": sorted(teardown.settings),
        "putBack": list(teardown.restored),
    }
