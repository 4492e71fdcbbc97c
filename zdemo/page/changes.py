"""The switches of the page: roles, users and tokens in ZITADEL, and the emulator itself."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from zdemo.diagnosis.wording import span
from zdemo.errors import ZdemoError
from zdemo.guard.forget import Forget
from zdemo.page.callers import ENDED, CallersUser, PageAdmin, administrator, users_of_callers
from zdemo.page.feed import CHANGED
from zdemo.page.page_context import PageContext, PageRefusal, error_text, flag_of, seconds_of, text_of
from zdemo.page.page_state import EmulatorControl, changes_document, is_stopped
from zdemo.server import FORGETTING, Forgetting
from zdemo.text.printable import one_line
from zdemo.zitadel.introspection_answer import LONGEST_INACTIVE_SECONDS
from zdemo.zitadel.own_user import user_id_of_token
from zdemo.zitadel.resources import deactivate_user, find_user, get_user, list_pats, reactivate_user, remove_pat
from zdemo.zitadel.role_assignments import Change as RoleChange
from zdemo.zitadel.role_assignments import ChangeOutcome, grant, revoke, wait_until, wait_until_shown

CHANGE_SECONDS = 15.0
LONGEST_DELAY_SECONDS = 10.0
LONGEST_ADVANCE_SECONDS = 366 * 86400.0
OTHER_PAT = "set ZITADEL_ADMIN_PAT to the PAT of another user, and restart zdemo serve"
Body = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Done:
    """A change that was made: the seconds until ZITADEL showed it, and how long the API may use older answers.

    ``text`` says what was changed; it is empty if that was so before.
    """

    shown_after_seconds: float | None = None
    old_answers_seconds: float = 0.0
    user_id: str = ""
    role: str = ""
    text: str = ""


def change(context: PageContext, body: Body) -> dict[str, Any]:
    """Make one change, wait until ZITADEL shows it, and return what is so now, and until when old answers may pass.

    With ``forget``, all workers forget them at once. Where ZITADEL does not allow the change, or does not answer, the
    answer is a state too, with what is wrong: no page can know that before it asks.
    """
    name, forgets = text_of(body, "change"), flag_of(body, "forget", False)
    after = time.time()
    try:
        if name in OF_EMULATOR:
            done = _change_emulator(context, name, body)
        elif name in OF_USERS:
            done = _change_user(context, OF_USERS[name], body)
        else:
            raise PageRefusal(400, "unknown_change", f"change must be {', '.join((*OF_USERS, *OF_EMULATOR))}")
    except ZdemoError as error:
        return changes_document(context) | {"error": error_text(error)}
    at, shown, until = time.time(), done.shown_after_seconds, None
    if done.old_answers_seconds and not (forgets and _forget(context, done)):
        until = at + done.old_answers_seconds
    answer = changes_document(context)
    text = done.text
    if name == "reactivate" and any(user["id"] == done.user_id and user["pat"] == ENDED for user in answer["users"]):
        better = "press Restore PAT" if context.options.emulator else "create a new one"
        text = f"{text}; deactivating ended the PAT; {better}"
    if done.text:
        context.explanations.clear()
        what = {"change": name, "user_id": done.user_id, "role": done.role}
        context.tell(CHANGED, {"text": text, "after": after, "at": at, "until": until, **what})
    made = {"error": None, "text": text, "after": after, "at": at, "until": until}
    return answer | made | {"shown_after_ms": None if shown is None else round(shown * 1000, 1)}


def _forget(context: PageContext, done: Done) -> bool:
    """Return whether all workers have forgotten the answers from before a change."""
    forgetting: Forgetting = context.app.extensions[FORGETTING]
    order = Forget.naming(user_id=done.user_id) if done.user_id else Forget.naming(everything=True)
    return isinstance(forgetting.everywhere(order), int)


# --- users


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Who changes what: the administrator, the user of a caller's token, and what else was asked for."""

    context: PageContext
    admin: PageAdmin
    user: CallersUser
    body: Body

    def done(self, text: str, shown_after_seconds: float | None, *, role: str = "", most: float = math.inf) -> Done:
        """Return that it is made: answers from before may be used for ``most`` seconds at most.

        In ``text``, the caller's name follows.
        """
        return Done(
            shown_after_seconds=shown_after_seconds,
            old_answers_seconds=min(self.context.options.settings.cache_ttl_seconds, most),
            user_id=self.user.id,
            role=role,
            text=f"{text} {self.user.caller.id}",
        )


def _change_user(context: PageContext, make: Callable[[_Order], Done], body: Body) -> Done:
    user_id, options = text_of(body, "user_id"), context.options
    if options.emulator and is_stopped(EmulatorControl(options).state()):
        raise ZdemoError("ZITADEL is stopped, so nothing can be changed there", hint="start ZITADEL first")
    with administrator(context, CHANGE_SECONDS) as admin:
        known = {user.id: user for user in users_of_callers(context, admin)}
        if user_id not in known:
            raise PageRefusal(404, "unknown_user", "the page changes only the users of its callers' tokens")
        return make(_Order(context=context, admin=admin, user=known[user_id], body=body))


def _change_role(order: _Order, how: Callable[..., RoleChange]) -> Done:
    client, role = order.admin.client, text_of(order.body, "role")
    found = find_user(client, order.user.id)
    if found and found.id != order.user.id:  # ZITADEL finds by name too; if it finds none, it says why below
        raise PageRefusal(404, "unknown_user", "another user has this user's ID as a name")
    made = how(client, order.admin.project_id, order.user.id, role)
    if made.outcome is ChangeOutcome.UNCHANGED:
        return Done()
    token = order.user.caller.token or ""
    shown = _shown(lambda: wait_until_shown(client, made, introspector=order.admin.introspector, token=token))
    words = f"granted {role} to" if how is grant else f"revoked {role} from"
    return order.done(one_line(words), shown, role=role)


def _deactivate(order: _Order) -> Done:
    if user_id_of_token(order.admin.client) == order.user.id:  # the page could not reactivate it
        raise ZdemoError("this is the user of ZITADEL_ADMIN_PAT, with which the page makes its changes", hint=OTHER_PAT)
    deactivate_user(order.admin.client, order.user.id)
    return order.done("deactivated", _until_active(order, is_active=False))


def _reactivate(order: _Order) -> Done:
    client = order.admin.client
    reactivate_user(client, order.user.id)

    def is_shown() -> bool:
        user = get_user(client, order.user.id)
        return user is not None and user.state == "ACTIVE"

    return order.done("reactivated", _shown(lambda: wait_until(is_shown)), most=0)


def _delete_pat(order: _Order) -> Done:
    client, user = order.admin.client, order.user
    if order.admin.token == user.caller.token:
        raise ZdemoError("this is ZITADEL_ADMIN_PAT itself, with which the page makes its changes", hint=OTHER_PAT)
    known = [pat.id for pat in list_pats(client, user.id)]
    if user.pat_id not in known:
        raise ZdemoError(
            f"the user has {len(known)} PATs, and ZITADEL does not say which of them this is",
            hint="delete it in the Management Console",
        )
    remove_pat(client, user.id, user.pat_id)
    return order.done("deleted the PAT of", _until_active(order, is_active=False))


def _create_pat(order: _Order) -> Done:
    options = order.context.options
    if not options.emulator:
        raise PageRefusal(
            409,
            "deleted_for_good",
            "ZITADEL does not restore a deleted PAT, and a new one has another text",
            hint="create one with zdemo setup, or in the Management Console, and restart zdemo serve",
        )
    EmulatorControl(options).restore_pats(order.user.id)
    shown = _until_active(order, is_active=True)
    # the API thinks that it is inactive
    return order.done("restored the PAT of", shown, most=LONGEST_INACTIVE_SECONDS)


def _until_active(order: _Order, *, is_active: bool) -> float | None:
    token = order.user.caller.token or ""
    return _shown(lambda: wait_until(lambda: order.admin.introspector.introspect(token).active is is_active))


def _shown(wait: Callable[[], float | None]) -> float | None:
    """Wait until ZITADEL shows a change. It has been made, so a ZITADEL that fails now is no error of the change."""
    with suppress(ZdemoError):
        return wait()
    return None


OF_USERS: Mapping[str, Callable[[_Order], Done]] = {
    "grant": lambda order: _change_role(order, grant),
    "revoke": lambda order: _change_role(order, revoke),
    "deactivate": _deactivate,
    "reactivate": _reactivate,
    "delete_pat": _delete_pat,
    "create_pat": _create_pat,
}


# --- the emulator

OF_EMULATOR = ("stop", "start", "slow", "advance")


def _change_emulator(context: PageContext, name: str, body: Body) -> Done:
    """Change the emulator beside the API; another emulator counts as a ZITADEL of its own."""
    if not context.options.emulator:
        raise PageRefusal(409, "no_emulator", "only the emulator of zdemo serve --emulator can be changed like this")
    control, ttl = EmulatorControl(context.options), context.options.settings.cache_ttl_seconds
    if name == "stop":
        control.stop()
        return Done(old_answers_seconds=ttl, text="stopped ZITADEL")
    if name == "start":
        control.start()
        return Done(text="started ZITADEL")
    if name == "advance":
        seconds = seconds_of(body, LONGEST_ADVANCE_SECONDS)
        control.advance(seconds)
        return Done(old_answers_seconds=ttl, text=f"advanced ZITADEL's clock by {span(seconds)}")
    seconds = seconds_of(body, LONGEST_DELAY_SECONDS)
    control.slow_down(seconds)
    if not seconds:
        return Done(text="ZITADEL answers without a delay")
    return Done(old_answers_seconds=ttl, text=f"ZITADEL answers {seconds * 1000:.0f} ms later")
