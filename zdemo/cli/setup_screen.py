"""The screen of ``zdemo setup``: the plan as a table, the question, the result, and the same as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from zdemo.cli.screen import Screen, printable, wrapped
from zdemo.provisioning import Action, Administrator, Kind, Plan, Step, Teardown

LABEL_WIDTH, ACTION_WIDTH = 16, 15
MIDDLE_WIDTH = 80 - LABEL_WIDTH - ACTION_WIDTH - 2
COLOURS = {Action.CREATE: "green", Action.CHANGE: "yellow", Action.REMOVE: "red"}
WORDS = {"PAT of": "PAT", "role for": "role assignment", "key of": "key"}  # labels that go on in their names
SHOWN_ONCE = "a secret cannot be read back from ZITADEL"


def show_plan(screen: Screen, plan: Plan) -> None:
    """Who does it where, and one row for each thing."""
    _head(screen, plan.situation.issuer, plan.situation.admin)
    for step in plan.steps:
        label = plan.file if step.kind is Kind.ENV else step.kind
        _row(screen, label, step.name, step.action, step.note, COLOURS.get(step.action, ""))
    screen.say()


def _head(screen: Screen, issuer: str, admin: Administrator) -> None:
    roles = f" ({', '.join(admin.roles)})" if admin.roles else ""
    screen.say(printable(f"{issuer} as {admin.login_name}{roles}"))
    screen.say()


def show_teardown(screen: Screen, teardown: Teardown, file: Path) -> None:
    """Who does it where, and one row for each thing that goes, and for what stays or comes back."""
    if teardown.admin:
        _head(screen, teardown.issuer, teardown.admin)
    for removal in teardown.removals:
        action = "leave" if removal.stays else "remove"
        _row(screen, removal.what, removal.name, action, removal.note, "" if removal.stays else "red")
    settings = [name for name in teardown.lines if not name.startswith("ZDEMO_SETUP_") and name not in teardown.back]
    _row(screen, file.name, ", ".join(sorted(settings)) or "setup's notes", "take out", "", "red")
    if teardown.back:
        _row(screen, file.name, ", ".join(teardown.back), "put back", "the values of before setup", "green")
    screen.say()


def _row(screen: Screen, label: str, middle: str, action: str, note: str, colour: str) -> None:
    if note and len(middle) + len(note) + 3 <= MIDDLE_WIDTH:
        middle, note = f"{middle} ({note})", ""
    first, *rest = wrapped(middle, MIDDLE_WIDTH) or [""]
    word = screen.mark(action, colour) if colour else action
    screen.say(printable_row(f"  {label:<{LABEL_WIDTH}}{first:<{MIDDLE_WIDTH}} ") + word)
    for line in [*rest, *(wrapped(note, 80 - LABEL_WIDTH - 2) if note else ())]:
        screen.say(printable_row(" " * (LABEL_WIDTH + 2) + line))


def printable_row(text: str) -> str:
    """Without what would move the cursor."""
    return printable(text).replace("\n", " ")


def agreed(screen: Screen, question: str, *, word: str = "") -> bool:
    """Ask on standard error; y or yes agrees, or the ``word`` alone where one is wanted."""
    choice = f"type {word}" if word else "y/N"
    screen.stderr.write(f"{question} [{choice}] ")
    screen.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    return answer == word if word else answer in ("y", "yes")


def show_proof(screen: Screen, plan: Plan, seconds: float, *, changed: bool) -> None:
    """What introspection says, and what to try next."""
    wishes = plan.wishes
    done = f"done in {seconds:.1f} s" if changed else "nothing to change: all of it is there already"
    screen.pairs(
        [
            (
                "",
                f"{done}; ZITADEL shows {wishes.role} for {wishes.reader_name} and not for {wishes.visitor_name}",
            )
        ],
        label_width=0,
    )
    lead = "next"
    if plan.renews_credentials:
        screen.say(f"{lead}  restart zdemo serve if it runs: it goes on with the settings of its start")
        lead = "    "
    screen.say(f"{lead}  zdemo serve        and in another terminal        zdemo call scoped")


def hidden_variables(values: dict[str, str], environment: dict[str, str], names: Sequence[str]) -> list[str]:
    """The settings in ``.env`` that the process's environment hides by another value."""
    return [n for n in names if environment.get(n, "").strip() not in ("", values.get(n, "").strip())]


def plan_document(plan: Plan, *, dry_run: bool, seconds: float | None) -> dict[str, Any]:
    """The plan as JSON. ``seconds`` until introspection showed it; ``None`` when it was not asked."""
    return {
        "zitadel": plan.situation.issuer,
        "administrator": {"id": plan.situation.admin.id, "loginName": plan.situation.admin.login_name},
        "dryRun": dry_run,
        "changed": plan.changes and not dry_run,
        "needsRotation": bool(plan.asks_rotation),
        "steps": [_step_document(step) for step in plan.steps],
        "shownAfterMilliseconds": None if seconds is None else round(seconds * 1000, 1),
    }


def _step_document(step: Step) -> dict[str, str]:
    action = "leave" if step.action is Action.LEAVE else str(step.action)
    return {"what": WORDS.get(step.kind, str(step.kind)), "name": step.name, "action": action, "note": step.note}


def teardown_document(teardown: Teardown, *, dry_run: bool) -> dict[str, Any]:
    """What is removed, as JSON."""
    return {
        "dryRun": dry_run,
        "changed": teardown.changes and not dry_run,
        "removed": [{"what": WORDS.get(r.what, r.what), "name": r.name, "note": r.note} for r in _going(teardown)],
        "stays": [{"what": r.what, "name": r.name, "note": r.note} for r in teardown.removals if r.stays],
        "lines": sorted(teardown.lines),
        "putBack": list(teardown.back),
    }


def _going(teardown: Teardown) -> Iterable[Any]:
    return (removal for removal in teardown.removals if not removal.stays)
