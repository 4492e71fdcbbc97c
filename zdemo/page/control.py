"""The switches of the emulator beside the API, through its control interface; the emulator runs in another process."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from zdemo.errors import UnusableAnswer, ZdemoError
from zdemo.http.transport import Transport
from zdemo.page.context import PageOptions

TIMEOUT_SECONDS = 2.0
INTROSPECTION = "/oauth/v2/introspect"
STOPPED = {"fault": "stopped"}


class EmulatorControl:
    """Reads and changes the emulator beside the API. Every method raises ZdemoError when it does not answer."""

    def __init__(self, options: PageOptions) -> None:
        self._address, self._name = options.settings.zitadel, options.emulator

    def state(self) -> dict[str, Any]:
        """Return the state: faults, time, users and role assignments."""
        return self._ask("GET", "state")

    def stop(self) -> None:
        """Reset every connection from now on, as if no ZITADEL were there."""
        if not is_stopped(self.state()):
            self._ask("POST", "faults", STOPPED)

    def start(self) -> None:
        """Let the emulator answer again."""
        while is_stopped(self.state()):
            self._ask("DELETE", "faults", STOPPED)

    def slow_down(self, seconds: float) -> None:
        """Let introspections take so many seconds more, instead of what a delay added so far; 0 ends it."""
        for fault in _delays(self.state()):
            self._ask("DELETE", "faults", fault)
        if seconds:
            self._ask("POST", "faults", {"fault": "slow", "path": INTROSPECTION, "seconds": seconds})

    def advance(self, seconds: float) -> None:
        """Make everything older, as if this time had passed."""
        self._ask("POST", "clock", {"advance": {"seconds": seconds}})

    def restore_pats(self, user_id: str) -> None:
        """Put the PATs back that a user had at the start."""
        self._ask("POST", "pats", {"user_id": user_id})

    def _ask(self, method: str, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        with closing(Transport(self._address.server, setting=self._address.setting)) as transport:
            path, headers = f"/_zdemo/{name}", {"X-Zdemo-Control": "1"}
            answer = transport.send(method, path, timeout_seconds=TIMEOUT_SECONDS, headers=headers, json=body)
        found = answer.json_object()
        if answer.emulator != self._name:
            raise UnusableAnswer(
                f"what answers at {self._address} is not the emulator {self._name}",
                hint="restart zdemo serve",
                answer=answer,
            )
        if answer.status != 200:
            raise ZdemoError(f"the emulator refuses: {found.get('error', answer.status)}", hint="restart zdemo serve")
        return found


def is_stopped(state: Mapping[str, Any]) -> bool:
    """Return whether the emulator resets every connection."""
    return STOPPED in state["faults"]


def delay_seconds(state: Mapping[str, Any]) -> float:
    """Return how many seconds the answer to an introspection is late."""
    return max((fault["seconds"] for fault in _delays(state)), default=0)


def _delays(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the delays of introspections that last: those of the page, or like them."""
    return [
        fault
        for fault in state["faults"]
        if fault["fault"] == "slow" and fault.get("path") == INTROSPECTION and "times" not in fault
    ]
