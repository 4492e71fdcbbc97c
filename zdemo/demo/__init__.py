"""The demo: what each kind of request gets, over real HTTP, at an emulated ZITADEL or at a real one.

The face of the package; the two demos are imported when they are used, since each needs much that the other does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zdemo.demo.scenario import DemoEnvironment, Interrupted, StepResult

if TYPE_CHECKING:
    from zdemo.demo.emulated import emulated_demo
    from zdemo.demo.live import live_demo

__all__ = ["DemoEnvironment", "Interrupted", "StepResult", "emulated_demo", "live_demo"]


def __getattr__(name: str) -> Any:
    """Import one of the demos when it is first used."""
    if name == "emulated_demo":
        from zdemo.demo.emulated import emulated_demo

        return emulated_demo
    if name == "live_demo":
        from zdemo.demo.live import live_demo

        return live_demo
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
