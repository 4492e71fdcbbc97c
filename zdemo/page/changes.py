"""The switches of the page: roles, users and tokens in ZITADEL, and the emulator itself."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from zdemo.diagnosis.wording import span
from zdemo.errors import ZdemoError
from zdemo.guard.forget import Forget
from zdemo.page.feed import CHANGED
from zdemo.page.page_context import ChangeOrder, PageContext, PageRefusal, error_text
from zdemo.page.page_state import (
    ENDED,
    STOPPED,
    CallersUser,
    PageAdmin,
    administrator,
    ask_emulator,
    changes_document,
    delays,
    is_stopped,
    users_of_callers,
)
from zdemo.server.forgetting import FORGETTING
from zdemo.text.printable import one_line
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, LONGEST_INACTIVE_SECONDS
from zdemo.zitadel.role_assignments import Change as RoleChange
from zdemo.zitadel.role_assignments import ChangeOutcome, grant, is_shown, revoke, wait_until

OTHER_PAT = "set ZITADEL_ADMIN_PAT to the PAT of another user, and restart zdemo serve"


class Done(NamedTuple):
    """What was changed: empty if nothing had to change; for a change of a user, the words before the name."""

    text: str = ""
    old_answers_seconds: float = 0.0  # how long the API may use older answers, at most
    shown_after_seconds: float | None = None  # the time until ZITADEL showed the change


def change(context: PageContext, order: ChangeOrder) -> dict[str, Any]:
    """Make one change, wait until ZITADEL shows it, and return the new state, and until when old answers may pass.

    Where ZITADEL does not allow the change, or does not answer, the answer is a state too, with what is wrong: no page
    can know that before it asks.
    """
    name, after, forgetting = order.change, time.time(), context.app.extensions[FORGETTING]
    user_id = order.user_id if name in OF_USERS else ""
    try:
        if name in OF_EMULATOR:
            done = _change_emulator(context, order)
        elif name in OF_USERS:
            done = _change_user(context, order)
        else:
            raise PageRefusal(400, "unknown_change", f"change must be {', '.join((*OF_USERS, *OF_EMULATOR))}")
    except ZdemoError as error:
        return changes_document(context) | {"error": error_text(error)}
    at, text, seconds, until = time.time(), done.text, done.shown_after_seconds, None
    forget = Forget(user_id=user_id) if user_id else Forget(everything=True)
    # a number says that all workers have forgotten
    if done.old_answers_seconds and not (order.forget and isinstance(forgetting.everywhere(forget), int)):
        until = at + done.old_answers_seconds
    answer = changes_document(context)
    if name == "reactivate" and any(user["id"] == user_id and user["pat"] == ENDED for user in answer["users"]):
        better = "press Restore PAT" if context.options.emulator else "create a new one"
        text = f"{text}; deactivating ended the PAT; {better}"
    outcome = {"text": text, "after": after, "at": at, "until": until}
    if text:
        context.explanations.clear()
        context.tell(CHANGED, outcome | {"change": name, "user_id": user_id, "role": order.role})
    return answer | outcome | {"error": None, "shown_after_ms": None if seconds is None else round(seconds * 1000, 1)}


# --- users


def _change_user(context: PageContext, order: ChangeOrder) -> Done:
    options = context.options
    if options.emulator and is_stopped(options):
        raise ZdemoError("ZITADEL is stopped, so nothing can be changed there", hint="start ZITADEL first")
    with administrator(context, seconds=15.0) as admin:
        user = next((user for user in users_of_callers(context, admin) if user.id == order.user_id), None)
        if user is None:
            raise PageRefusal(404, "unknown_user", "the page changes only the users of PAT and ZDEMO_VISITOR_PAT")
        done = OF_USERS[order.change](admin, user, order.role)
    seconds = min(options.settings.cache_ttl_seconds, done.old_answers_seconds)
    return Done(f"{done.text} {user.caller.id}", seconds, done.shown_after_seconds) if done.text else done


def _change_role(how: Callable[..., RoleChange], admin: PageAdmin, user: CallersUser, role: str) -> Done:
    client, named = admin.client, resources.find_user(admin.client, user.id)
    if named and named.id != user.id:  # ZITADEL finds users by name too; for an unknown user, it fails below
        raise PageRefusal(404, "unknown_user", "another user has this user's ID as a name")
    changed = how(client, admin.project_id, user.id, role)
    if changed.outcome is ChangeOutcome.UNCHANGED:
        return Done()
    asked, token = admin.introspector, user.caller.token or ""
    seconds = _shown(lambda: is_shown(client, changed, introspector=asked, token=token))
    return Done(one_line(f"granted {role} to" if how is grant else f"revoked {role} from"), math.inf, seconds)


def _deactivate(admin: PageAdmin, user: CallersUser, _role: str) -> Done:
    if resources.user_id_of_token(admin.client) == user.id:  # the page could not reactivate it
        raise ZdemoError("this is the user of ZITADEL_ADMIN_PAT, with which the page makes its changes", hint=OTHER_PAT)
    resources.deactivate_user(admin.client, user.id)
    return Done("deactivated", math.inf, _until_active(admin, user, is_active=False))


def _reactivate(admin: PageAdmin, user: CallersUser, _role: str) -> Done:
    client = admin.client
    resources.reactivate_user(client, user.id)
    return Done("reactivated", 0, _shown(lambda: getattr(resources.get_user(client, user.id), "state", "") == "ACTIVE"))


def _delete_pat(admin: PageAdmin, user: CallersUser, _role: str) -> Done:
    client = admin.client
    if client.has_token(user.caller.token or ""):
        raise ZdemoError("this is ZITADEL_ADMIN_PAT itself, with which the page makes its changes", hint=OTHER_PAT)
    known = [pat.id for pat in resources.list_pats(client, user.id)]
    if user.pat_id not in known:
        what = f"the user has {len(known)} PATs, and ZITADEL does not say which of them this is"
        raise ZdemoError(what, hint="delete it in the Management Console")
    resources.remove_pat(client, user.id, user.pat_id)
    return Done("deleted the PAT of", math.inf, _until_active(admin, user, is_active=False))


def _create_pat(admin: PageAdmin, user: CallersUser, _role: str) -> Done:
    ask_emulator(admin.options, "POST", "pats", {"user_id": user.id})
    # the API may think that it is inactive
    return Done("restored the PAT of", LONGEST_INACTIVE_SECONDS, _until_active(admin, user, is_active=True))


def _until_active(admin: PageAdmin, user: CallersUser, *, is_active: bool) -> float | None:
    token = user.caller.token or ""
    return _shown(lambda: admin.introspector.introspect(token).active is is_active)


def _shown(is_so: Callable[[], bool]) -> float | None:
    """Wait until ZITADEL shows a change. It is made already, so a failure of ZITADEL now is not an error."""
    with suppress(ZdemoError):
        return wait_until(is_so)
    return None


OF_USERS: Mapping[str, Callable[[PageAdmin, CallersUser, str], Done]] = {
    "grant": partial(_change_role, grant),
    "revoke": partial(_change_role, revoke),
    "deactivate": _deactivate,
    "reactivate": _reactivate,
    "delete_pat": _delete_pat,
    "create_pat": _create_pat,
}


# --- the emulator

OF_EMULATOR = ("stop", "start", "slow", "advance")


def _change_emulator(context: PageContext, order: ChangeOrder) -> Done:
    """Change the emulator beside the API; another emulator counts as a ZITADEL of its own."""
    name, options, ttl = order.change, context.options, context.options.settings.cache_ttl_seconds
    if name == "stop":
        ask_emulator(options, "POST", "faults", STOPPED)
        return Done("stopped ZITADEL", ttl)
    if name == "start":
        ask_emulator(options, "DELETE", "faults", STOPPED)
        return Done("started ZITADEL")
    seconds = order.seconds
    if name == "advance":
        ask_emulator(options, "POST", "clock", {"advance": {"seconds": seconds}})
        return Done(f"advanced ZITADEL's clock by {span(seconds)}", ttl)
    for fault in delays(ask_emulator(options, "GET", "state")):
        ask_emulator(options, "DELETE", "faults", fault)
    if not seconds:
        return Done("ZITADEL answers without a delay")
    ask_emulator(options, "POST", "faults", {"fault": "slow", "path": INTROSPECTION_PATH, "seconds": seconds})
    return Done(f"ZITADEL answers {seconds * 1000:.0f} ms later", ttl)
