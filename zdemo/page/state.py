"""What the page shows before any request: addresses, routes, callers, and what can be changed."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask

from zdemo.client import ROLE, Route
from zdemo.config.printable import printable
from zdemo.errors import SettingsError, ZdemoError
from zdemo.page.access import PREFIX
from zdemo.page.callers import NOBODY, PageCaller, callers_with_token
from zdemo.page.context import PageContext
from zdemo.page.control import EmulatorControl, delay_seconds, is_stopped
from zdemo.page.users import administrator, emulators_users, users_document
from zdemo.server import EXTENSION

STATE_SECONDS = 4.0
RESTART = "restart zdemo serve to pick up the new settings"
NOT_LISTED = ("HEAD", "OPTIONS")


def state(context: PageContext, _body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of the page."""
    options = context.options
    callers = [PageCaller(id=NOBODY), *callers_with_token(options.environment)]
    return {
        "api": options.api_url,
        "zitadel": str(options.settings.zitadel),
        "emulator": options.emulator or None,
        "ttl_seconds": options.settings.cache_ttl_seconds,
        "workers": options.workers,
        "role": ROLE,
        "now": time.time(),
        "routes": list(_routes(context.app)),
        "callers": [{"id": caller.id, "name": caller.id, "about": printable(caller.about)} for caller in callers],
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
    try:
        if options.emulator:
            found = EmulatorControl(options.settings.zitadel, options.emulator).state()
            users = emulators_users(options.emulator_users, found, options.settings.project_id)
            return _possible(users) | {
                "emulator": {
                    "stopped": is_stopped(found),
                    "slow_seconds": delay_seconds(found),
                    "advanced_seconds": found["advanced_seconds"],
                }
            }
        with administrator(context, STATE_SECONDS) as admin:
            return _possible(users_document(context, admin))
    except SettingsError as error:
        return _impossible("; ".join(error.problems), error.hint, RESTART)
    except ZdemoError as error:
        return _impossible(error.message, error.hint)


def _possible(users: list[dict[str, Any]]) -> dict[str, Any]:
    return {"possible": True, "why_not": "", "fix": [], "users": users, "emulator": None}


def _impossible(why: str, *fix: str) -> dict[str, Any]:
    steps = [printable(step) for step in fix if step]
    return {"possible": False, "why_not": printable(why), "fix": steps, "users": [], "emulator": None}
