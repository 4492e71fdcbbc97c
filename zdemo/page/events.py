"""A request as the page shows it: who sent it, each step on its way, and why it was answered so.

Everything is text from here on, masked and limited in size: the page shows it as it is. No token is kept.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from zdemo.config.environment import is_setting
from zdemo.config.settings import Settings
from zdemo.config.variables import SECRETS
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.token_form import token_form
from zdemo.diagnosis.wording import span
from zdemo.errors import ConnectionFailed, IntrospectionError, Refused
from zdemo.guard.authorization import LONGEST_TOKEN, bearer_token
from zdemo.guard.instruments import running_clock
from zdemo.http.example_api import FORGET_PATH, Route
from zdemo.page.access import PAGE_HEADER, Access, caller_of, mark_of
from zdemo.page.explanations import error_of_past, why_of
from zdemo.page.page_context import CALLERS, PASTED, PageOptions
from zdemo.server.forgetting import EVENTS_PATH
from zdemo.server.observe import Trace
from zdemo.text.masking import (
    LEAST_TOKEN_LIKE,
    SENSITIVE_FIELD,
    masked_unknown,
    token_like,
    without_secret_query,
    without_tokens,
)
from zdemo.text.printable import printable
from zdemo.text.redaction import Redaction, in_texts
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, Introspection, Source
from zdemo.zitadel.introspection_client import Exchange
from zdemo.zitadel.records import NEVER

LONGEST_NAME = 60  # characters
MOST_ITEMS = 40  # of a list
LONGEST_BODY = 16 * 1024  # characters; half of it is shown, so that no end of a secret is left at a cut
LONGEST_VALUE = 1_000  # characters of a header field
SCHEME = re.compile(r"[A-Za-z-]{1,12}:? +(?=\S)")  # of an Authorization field, and what stands before its credentials
SHOWN_WHOLE = ("authorization", "www-authenticate")  # the token in the first one is masked already
QUESTION = f"POST {INTROSPECTION_PATH}"
ORDERS = {FORGET_PATH: "an order to forget", EVENTS_PATH: "ZITADEL reports a change: an order to forget"}
FOUND = {
    Source.HIT: "answer found in the cache",
    Source.JOINED: "another request is already asking",
    Source.SHARED: "answer found in the shared store",
}

Event = dict[str, Any]
Step = dict[str, Any]
Lines = list[list[str]]


def event_of(trace: Trace, options: PageOptions, hidden: Redaction, *, worker: str, now: float) -> Event:
    """Return what the page shows of a request. ``hidden`` has the secrets of the settings."""
    settings, token = options.settings, None
    with suppress(Refused):
        token = bearer_token(trace.authorization)
    if trace.is_past:
        token = None if trace.authorization is None else ""
        trace.error = error_of_past(trace)
    mark = next((value for name, value in trace.request_headers if name == PAGE_HEADER), "")
    sender = caller_of(options.key, mark)  # empty if another program sent it
    event = {
        "id": trace.id,
        "at": round(trace.began_at, 3),
        "worker": worker,
        "method": trace.method,
        "path": trace.path,
        "status": trace.status,
        "outcome": trace.outcome,
        "ms": round(trace.seconds * 1000, 1),
        "is_order": trace.path in ORDERS,
        "is_past": trace.is_past,
        "caller": _caller(trace.introspection, token, sender),
        "source": trace.introspection.source if trace.introspection else None,
        "answer": _answer(trace.introspection, settings, now),
        "steps": _steps(trace, settings, token, now=now),
        "why": why_of(trace, options, token, now=trace.began_at),
    }
    if trace.is_past:
        return showable(event, hidden, without_tokens)  # ZITADEL may have repeated the token, which is not known
    own = Redaction()  # what is secret in this request alone
    sent = (trace.authorization or "")[:LONGEST_TOKEN].split()  # also where it is not a token
    own.hide(*sent, *(secret for exchange in trace.exchanges for secret in exchange.secrets))
    return showable(event, hidden, own)


def secrets_of(options: PageOptions) -> Redaction:
    """Return what hides the secrets that this worker knows."""
    hidden, access = Redaction(), Access(options.key)
    hidden.hide(options.key, access.cookie_value, access.secret, options.settings.client_secret)
    hidden.hide(*(mark_of(options.key, caller) for caller in CALLERS))
    hidden.hide(*(options.environment.get(name, "") for name in SECRETS))
    settings = (value for name, value in options.environment.items() if is_setting(name))
    hidden.hide(*(piece for value in settings for piece in token_like(value)))  # a secret in a wrong place
    return hidden


def showable(event: Event, *redactions: Callable[[str], str]) -> Event:
    """Return an event without the secrets, and small enough to be sent."""
    event = concealed(event, *redactions)
    for length in (8_000, 2_000, 500, 120, 40):  # the first one takes what the steps left over
        event = in_texts(partial(_cut, length=length), event, most=MOST_ITEMS)
        if len(json.dumps(event)) <= 48 * 1024:
            break
    return event


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def concealed(part: Any, *redactions: Callable[[str], str]) -> Any:
    """Return a part of a document without the secrets, and with every hidden character written out."""

    def conceal(text: str) -> str:
        for redaction in redactions:
            text = redaction(text)
        return printable(text)

    return in_texts(conceal, part)


def _caller(introspection: Introspection | None, token: str | None, sender: str) -> dict[str, str] | None:
    if token is None:
        return None
    name, user_id, kind = sender if sender != PASTED else "", "", token_form(token).kind.value if token else ""
    if introspection and introspection.active:
        user_id = quoted(introspection.text("sub"), LONGEST_NAME)
        name = quoted(introspection.text("username"), LONGEST_NAME) or user_id
        if introspection.actor:
            name += f" (impersonated by {quoted(', '.join(introspection.actors), LONGEST_NAME)})"
        kind = token_form(token).name if token else ""
    part = masked_unknown(token) if token and len(token) >= LEAST_TOKEN_LIKE else ""
    words = masked_unknown(token) if token else "(not kept)"
    return {"name": name, "user_id": user_id, "token": words, "part": part, "kind": kind}


def _answer(introspection: Introspection | None, settings: Settings, now: float) -> dict[str, Any] | None:
    if introspection is None:
        return None
    asked_at = introspection.asked_at
    left = _fresh_seconds(introspection, settings, now)
    return {
        "asked_at": None if asked_at is None else round(now - (running_clock() - asked_at), 3),
        "fresh_until": None if left is None else round(now + left, 3),
    }


def _steps(trace: Trace, settings: Settings, token: str | None, *, now: float) -> list[Step]:
    steps = [_step("caller", "api", f"{trace.method} {trace.path}", ms=0.0, lines=_request_lines(trace, token))]
    failed = isinstance(trace.error, IntrospectionError)
    if settings.cache_ttl_seconds and (trace.introspection or failed):
        steps.append(_cache_step(trace, settings, now))
    for exchange in trace.exchanges:
        steps += _exchange_steps(trace, exchange, token)
    if trace.is_past and failed:
        steps.append(_step("zitadel", "api", "no usable answer", ok=False))
    elif trace.is_past and (known := trace.introspection) and known.source is Source.ASKED:
        answer = _step("zitadel", "api", f"200 {'' if known.active else 'not '}active")
        steps += [_step("api", "zitadel", QUESTION), answer]
    elif trace.error and failed and not trace.exchanges:
        # the breaker is open, too many wait, or this one waited for another
        title = "another request asked" if trace.error.__cause__ else "ZITADEL was not asked"
        steps.append(_step("api", "zitadel", title, ok=False, lines=[["why", getattr(trace.error, "message", "")]]))
    steps.append(_decision(trace, settings, now))
    end = _step("api", "caller", f"{trace.status} {trace.outcome}", ok=trace.status < HTTPStatus.BAD_REQUEST)
    lines, body = _header_lines(trace.response_headers), _shown_body(trace.body)
    return [*steps, end | {"ms": round(trace.seconds * 1000, 1), "lines": lines, "body": body}]


def _fresh_seconds(introspection: Introspection, settings: Settings, now: float) -> float | None:
    """Return how much longer an answer may be used; ``None`` if nobody knows when ZITADEL was asked."""
    if introspection.asked_at is None:
        return None
    left = introspection.asked_at + introspection.lifetime(settings.cache_ttl_seconds) - running_clock()
    if introspection.active and introspection.expires_at is not None:
        left = min(left, introspection.expires_at - now)
    return max(0.0, left)


def _step(start: str, end: str, title: str, **more: Any) -> Step:
    return {"from": start, "to": end, "title": title, "ms": None, "ok": True, "lines": [], "body": "", **more}


def _request_lines(trace: Trace, token: str | None) -> Lines:
    fields = [(name, value) for name, value in trace.request_headers if name not in ("Authorization", PAGE_HEADER)]
    if trace.authorization is not None:
        scheme = (SCHEME.match(trace.authorization) or [""])[0]  # what has another form may be the token
        text = f"Bearer {masked_unknown(token)}" if token else f"{scheme}…"
        fields.insert(0, ("Authorization", text))
    return _header_lines(fields)


def _cache_step(trace: Trace, settings: Settings, now: float) -> Step:
    introspection, ttl = trace.introspection, settings.cache_ttl_seconds
    lines = [["TTL", f"{ttl:g} s"]]
    if introspection is None or introspection.source is Source.ASKED:
        title = "cached answer is too old" if trace.too_old else "no answer in the cache"
        return _step("api", "cache", title, lines=[["cache", "miss"], *lines])
    left = _fresh_seconds(introspection, settings, now)
    if left is not None:
        lines.append(["may be used for", f"{left:.1f} s more"])
    return _step("api", "cache", FOUND[introspection.source], lines=[["cache", introspection.source], *lines])


def _exchange_steps(trace: Trace, exchange: Exchange, token: str | None) -> list[Step]:
    began, ended = (round((moment - trace.began) * 1000, 1) for moment in (exchange.began, exchange.ended))
    proof = ["Authorization", f"Basic …  (client ID {exchange.client_id})"]
    if not exchange.client_id:
        proof = ["client_assertion", "…  (a JWT, signed with the key of ZITADEL_KEY_FILE)"]
    sent = [proof, ["token", masked_unknown(token) if token else "…"]]
    question = _step("api", "zitadel", QUESTION, ms=began, lines=sent)
    outcome = exchange.outcome
    if isinstance(outcome, ConnectionFailed):
        lines = [["hint", outcome.hint]]
        return [question, _step("zitadel", "api", outcome.message, ms=ended, ok=False, lines=lines)]
    document = outcome.json_object()
    code, active = document.get("error"), document.get("active") if outcome.status == 200 else None
    summary = code[:60] if isinstance(code, str) else outcome.media_type
    if is_usable := isinstance(active, bool):
        summary = "active" if active else "not active"
    title, lines = f"{outcome.status} {summary}".strip(), _header_lines(list(outcome.headers.items()))
    body = _shown_body(outcome.body)
    return [question, _step("zitadel", "api", title, ms=ended, ok=is_usable, lines=lines, body=body)]


def _decision(trace: Trace, settings: Settings, now: float) -> Step:
    """Return the step that decided: what was raised, or that the request was let in."""
    ok, admitted = trace.status < HTTPStatus.BAD_REQUEST, ""
    if trace.error:
        reason = trace.error.message
    elif not ok:
        reason = trace.reason or trace.outcome
    elif trace.path in ORDERS:
        reason = ORDERS[trace.path]
    elif trace.introspection is None and trace.is_past and trace.request_headers:
        reason = "admitted"
    elif trace.introspection is None:
        admitted, reason = "admitted: ", "this route needs no token"
    else:
        role = next((route.role for route in Route if route.path == trace.path), None)
        admitted, reason = "admitted: ", "the token is active" + (f" and has the role {role}" if role else "")
    step = _step("api", "api", admitted + reason, ok=ok, lines=_checks(trace, settings, now))
    return step | {"decides": True, "reason": reason}


def _checks(trace: Trace, settings: Settings, now: float) -> Lines:
    introspection = trace.introspection
    if introspection is None:
        return [["hint", trace.error.hint]] if isinstance(trace.error, Refused) and trace.error.hint else []
    if not introspection.active:
        return [["active", "no"]]
    lines = [["active", "yes"]]
    if introspection.expires_at is not None:
        left = introspection.expires_at - now
        moment = f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
        lines.append(["expires", "never" if introspection.expires_at >= NEVER else moment])
    if settings.project_id:
        named = settings.project_id in introspection.audience or settings.client_id in introspection.audience
        lines.append(["audience", "names this API" if named else "does not name this API"])
    return [*lines, ["roles", ", ".join(sorted(introspection.roles(settings.project_id))) or "none"]]


def _header_lines(fields: list[tuple[str, str]]) -> Lines:
    """Return what may be shown of header fields: others than ``Authorization`` hold secrets too."""
    lines = []
    for name, value in fields:
        if name.lower() == "set-cookie":
            continue
        text = value[:LONGEST_VALUE]
        if name.lower() not in SHOWN_WHOLE:
            hides = re.search(SENSITIVE_FIELD, name)
            text = "…" if hides else without_secret_query(without_tokens(value, LONGEST_VALUE))
        lines.append([name[:60], text])
    return lines


def _shown_body(body: bytes) -> str:
    """Return the beginning of a body, laid out if it is JSON that is not too long."""
    text = body[: 4 * LONGEST_BODY].decode("utf-8", "replace")
    if len(text) <= LONGEST_BODY:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text[:LONGEST_BODY]
