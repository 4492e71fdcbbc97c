"""A request as the page shows it: who sent it, each step on its way, and why it was answered so.

Everything is text from here on, masked and limited in size: the page shows it as it is. No token is kept.
"""

import json
from functools import partial
from typing import Any

from zdemo.authorization import bearer_token
from zdemo.config.masking import masked_unknown
from zdemo.config.printable import printable
from zdemo.config.redaction import Redaction, in_texts
from zdemo.config.settings import Settings
from zdemo.diagnosis import quoted, token_form
from zdemo.errors import Refused
from zdemo.introspection.clock import running_clock
from zdemo.introspection.model import Introspection
from zdemo.page.callers import PASTED
from zdemo.page.context import PageOptions
from zdemo.page.marks import PAGE_HEADER, caller_of
from zdemo.page.reasons import why_of
from zdemo.page.steps import ORDERS, fresh_seconds, steps_of
from zdemo.server import Trace

MOST_EVENT_BYTES = 48 * 1024
LONGEST_NAME = 60  # characters
MOST_ITEMS = 40  # of a list
CUTS = (8_000, 2_000, 500, 120, 40)  # characters that texts are cut to, one after another

Event = dict[str, Any]


def event_of(trace: Trace, options: PageOptions, hidden: Redaction, *, worker: str, now: float) -> Event:
    """Return what the page shows of a request. ``hidden`` has the secrets of the settings."""
    settings = options.settings
    token = _token(trace.authorization)
    sender = sender_of(trace, options)
    event = {
        "id": trace.id,
        "at": round(trace.began_at, 3),
        "worker": worker,
        "method": trace.method,
        "path": trace.path,
        "status": trace.status,
        "outcome": trace.outcome,
        "ms": round(trace.seconds * 1000, 1),
        "from_page": bool(sender),
        "is_order": trace.path in ORDERS,
        "caller": _caller(trace.introspection, token, sender),
        "source": trace.introspection.source if trace.introspection else None,
        "answer": _answer(trace.introspection, settings, now),
        "steps": steps_of(trace, settings, token, now=now),
        "why": why_of(trace, options, token, now=now),
    }
    own = Redaction()  # what is secret in this request alone
    own.hide(token or "", *(secret for exchange in trace.exchanges for secret in exchange.secrets))
    return showable(event, hidden, own)


def showable(event: Event, *redactions: Redaction) -> Event:
    """Return an event without the secrets, and small enough to be sent."""
    return _small_enough(concealed(event, *redactions))


def concealed(part: Any, *redactions: Redaction) -> Any:
    """Return a part of a document without the secrets, and with every hidden character written out."""

    def shown(text: str) -> str:
        for redaction in redactions:
            text = redaction(text)
        return printable(text)

    return in_texts(shown, part)


def sender_of(trace: Trace, options: PageOptions) -> str:
    """Return as whom the page sent a request; empty if another program did."""
    marks = (value for name, value in trace.request_headers if name == PAGE_HEADER)
    return caller_of(options.key, next(marks, ""))


def _token(authorization: str | None) -> str | None:
    try:
        return bearer_token(authorization)
    except Refused:
        return None


def _caller(introspection: Introspection | None, token: str | None, sender: str) -> dict[str, str] | None:
    if token is None:
        return None
    name, user_id, kind = sender if sender != PASTED else "", "", token_form(token).kind.value
    if introspection and introspection.active:
        user_id = quoted(introspection.text("sub"), LONGEST_NAME)
        name = quoted(introspection.text("username"), LONGEST_NAME) or user_id
        kind = token_form(token).name
    return {"name": name, "user_id": user_id, "token": masked_unknown(token), "kind": kind}


def _answer(introspection: Introspection | None, settings: Settings, now: float) -> dict[str, Any] | None:
    if introspection is None:
        return None
    asked_at = introspection.asked_at
    left = fresh_seconds(introspection, settings, now)
    return {
        "asked_at": None if asked_at is None else round(now - (running_clock() - asked_at), 3),
        "fresh_until": None if left is None else round(now + left, 3),
        "active": introspection.active,
        "project_id": settings.project_id or "",
        "roles": sorted(quoted(role, LONGEST_NAME) for role in introspection.roles(settings.project_id))[:MOST_ITEMS],
    }


def _small_enough(event: Event) -> Event:
    """Return the event with its texts cut until it is small enough; the first cut takes what ``steps`` left over."""
    for length in CUTS:
        event = in_texts(partial(_cut, length=length), event, most=MOST_ITEMS)
        if len(json.dumps(event)) <= MOST_EVENT_BYTES:
            break
    return event


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
