"""What the page shows before any request: addresses, routes, callers, and what can be changed.

The emulator beside the API runs in another process: the page reads and changes it through its control interface.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from flask import Flask

from zdemo.client import ROLE, Route
from zdemo.errors import SettingsError, UnusableAnswer, ZdemoError
from zdemo.http.transport import Transport
from zdemo.page.access import PREFIX
from zdemo.page.callers import NOBODY, PageCaller, administrator, callers_with_token, emulators_users, users_document
from zdemo.page.page_context import PageContext, PageOptions
from zdemo.server import EXTENSION

STATE_SECONDS = 4.0
RESTART = "restart zdemo serve to pick up the new settings"
NOT_LISTED = ("HEAD", "OPTIONS")
TIMEOUT_SECONDS = 2.0
INTROSPECTION = "/oauth/v2/introspect"
STOPPED = {"fault": "stopped"}


def state(context: PageContext) -> dict[str, Any]:
    """Return the state of the page."""
    options = context.options
    callers = [PageCaller(id=NOBODY), *callers_with_token(options.environment)]
    return {
        "api": options.api_url,
        "zitadel": str(options.settings.zitadel),
        "emulator": options.emulator or None,
        "ttl_seconds": options.settings.cache_ttl_seconds,
        "role": ROLE,
        "now": time.time(),
        "routes": list(_routes(context.app)),
        "callers": [{"id": caller.id, "name": caller.id, "about": caller.about} for caller in callers],
        "changes": changes_document(context),
    }


def _routes(app: Flask) -> Iterator[dict[str, Any]]:
    """Yield the routes that a request without a body can ask, and that need no part of a path filled in."""
    roles = {route.path: route.role for route in Route}
    open_paths = app.extensions[EXTENSION].open_routes.paths
    for rule in app.url_map.iter_rules():
        if rule.arguments or rule.rule.startswith(PREFIX):
            continue
        for method in sorted((rule.methods or set()).difference(NOT_LISTED)):
            guarded = rule.rule not in open_paths
            yield {"method": method, "path": rule.rule, "role": roles.get(rule.rule), "guarded": guarded}


def changes_document(context: PageContext) -> dict[str, Any]:
    """Return what can be changed and how it is now; why not, if nothing can."""
    options = context.options
    shown = {"possible": True, "why_not": "", "fix": [], "users": [], "emulator": None}
    try:
        if not options.emulator:
            with administrator(context, STATE_SECONDS) as admin:
                return shown | {"users": users_document(context, admin)}
        found = ask_emulator(options, "GET", "state")
        emulator = {
            "stopped": STOPPED in found["faults"],
            "slow_seconds": max((fault["seconds"] for fault in delays(found)), default=0),
            "advanced_seconds": found["advanced_seconds"],
        }
        users = emulators_users(options.emulator_users, found, options.settings.project_id)
        return shown | {"users": users, "emulator": emulator}
    except SettingsError as error:
        why, fix = "; ".join(error.problems), [error.hint, RESTART]
    except ZdemoError as error:
        why, fix = error.message, [error.hint]
    return shown | {"possible": False, "why_not": why, "fix": [step for step in fix if step]}


def ask_emulator(options: PageOptions, method: str, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the emulator beside the API answers, for example its state. Raises ZdemoError when it does not."""
    address, headers = options.settings.zitadel, {"X-Zdemo-Control": "1"}
    with closing(Transport(address.server, setting=address.setting)) as transport:
        answer = transport.send(method, f"/_zdemo/{name}", timeout_seconds=TIMEOUT_SECONDS, headers=headers, json=body)
    found, hint = answer.json_object(), "restart zdemo serve"
    if answer.emulator != options.emulator:
        what = f"what answers at {address} is not the emulator {options.emulator}"
        raise UnusableAnswer(what, hint=hint, answer=answer)
    if answer.status != 200:
        raise ZdemoError(f"the emulator refuses: {found.get('error', answer.status)}", hint=hint)
    return found


def is_stopped(options: PageOptions) -> bool:
    """Return whether the emulator beside the API resets every connection, as if no ZITADEL were there."""
    return STOPPED in ask_emulator(options, "GET", "state")["faults"]


def delays(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the delays of introspections that last: those of the page, or like them."""
    return [
        fault
        for fault in state["faults"]
        if fault["fault"] == "slow" and fault.get("path") == INTROSPECTION and "times" not in fault
    ]
