"""Setup: look at what exists, plan, apply, verify; and tear down what setup created.

The face of the package. What talks to ZITADEL is imported when it is first used, so that the state file, the options
and the plan cost no more than they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.state import issued_pat

if TYPE_CHECKING:
    from zdemo.provisioning.apply import apply_plan
    from zdemo.provisioning.current import CurrentState
    from zdemo.provisioning.files import SETTINGS, SetupFiles
    from zdemo.provisioning.lookup import look
    from zdemo.provisioning.plan import Action, ObjectKind, Plan, PlanStep, Rotation, make_plan
    from zdemo.provisioning.safety import git_warning, only_setup_in_folder
    from zdemo.provisioning.steps import Reporter
    from zdemo.provisioning.teardown import Removal, Teardown, plan_teardown, tear_down
    from zdemo.provisioning.verify import verify_tokens

HOMES = {
    "apply": ("apply_plan",),
    "current": ("CurrentState",),
    "files": ("SETTINGS", "SetupFiles"),
    "lookup": ("look",),
    "plan": ("Action", "ObjectKind", "Plan", "PlanStep", "Rotation", "make_plan"),
    "safety": ("git_warning", "only_setup_in_folder"),
    "steps": ("Reporter",),
    "teardown": ("Removal", "Teardown", "plan_teardown", "tear_down"),
    "verify": ("verify_tokens",),
}

__all__ = [
    "SETTINGS",
    "Action",
    "CurrentState",
    "ObjectKind",
    "Plan",
    "PlanStep",
    "Removal",
    "Reporter",
    "Rotation",
    "SetupFiles",
    "SetupOptions",
    "Teardown",
    "apply_plan",
    "git_warning",
    "issued_pat",
    "look",
    "make_plan",
    "only_setup_in_folder",
    "plan_teardown",
    "tear_down",
    "verify_tokens",
]


def __getattr__(name: str) -> Any:
    """Import a part of the package when it is first used."""
    home = next((module for module, names in HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
