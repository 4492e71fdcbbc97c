"""The steps of one request, from its caller and back: what was asked, what was answered, and what decided."""

import json
import re
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from zdemo.client import FORGET_PATH, Route
from zdemo.config.masking import SENSITIVE_FIELD, masked_unknown, without_secret_query, without_tokens
from zdemo.config.settings import Settings
from zdemo.diagnosis import span
from zdemo.errors import ConnectionFailed, IntrospectionError, Refused
from zdemo.http.response import Response
from zdemo.introspection.client import Exchange
from zdemo.introspection.clock import running_clock
from zdemo.introspection.model import INTROSPECTION_PATH, LONGEST_INACTIVE_SECONDS, Introspection, Source
from zdemo.management.model import NEVER
from zdemo.page.marks import PAGE_HEADER
from zdemo.server import EVENTS_PATH, Trace

LONGEST_BODY = 16 * 1024  # characters; ``events`` shows half of it, so that no end of a secret is left at a cut
LONGEST_VALUE = 1_000  # characters of a header field
MOST_LINES = 40
MOST_ROLES = 12
SHOWN_WHOLE = ("authorization", "www-authenticate")  # of the first, the token is masked before
ORDERS = {FORGET_PATH: "an order to forget", EVENTS_PATH: "ZITADEL reports a change: an order to forget"}

Step = dict[str, Any]
Lines = list[list[str]]


def steps_of(trace: Trace, settings: Settings, token: str | None, *, now: float) -> list[Step]:
    """Return the steps in the order in which they happened."""
    steps = [_step("caller", "api", f"{trace.method} {trace.path}", ms=0.0, lines=_request_lines(trace, token))]
    failed = isinstance(trace.error, IntrospectionError)
    if settings.cache_ttl_seconds and (trace.introspection or failed):
        steps.append(_cache_step(trace, settings, now))
    for exchange in trace.exchanges:
        steps += _exchange_steps(trace, exchange, token)
    if trace.error and failed and not trace.exchanges:
        steps.append(_not_asked(trace.error))
    steps.append(_decision(trace, settings, now))
    ms = round(trace.seconds * 1000, 1)
    ok = trace.status < HTTPStatus.BAD_REQUEST
    title = f"{trace.status} {trace.outcome}"
    lines = _header_lines(trace.response_headers)
    return [*steps, _step("api", "caller", title, ms=ms, ok=ok, lines=lines, body=_shown_body(trace.body))]


def fresh_seconds(introspection: Introspection, settings: Settings, now: float) -> float | None:
    """Return how much longer an answer may be used; ``None`` if nobody knows when ZITADEL was asked."""
    if introspection.asked_at is None:
        return None
    seconds = settings.cache_ttl_seconds
    if not introspection.active:
        seconds = min(seconds, LONGEST_INACTIVE_SECONDS)
    left = introspection.asked_at + seconds - running_clock()
    if introspection.active and introspection.expires_at is not None:
        left = min(left, introspection.expires_at - now)
    return max(0.0, left)


def _step(  # the fields of a step, each given by name
    start: str,
    end: str,
    title: str,
    *,
    ms: float | None = None,
    ok: bool = True,
    lines: Lines | None = None,
    body: str = "",
) -> Step:
    return {"from": start, "to": end, "title": title, "ms": ms, "ok": ok, "lines": lines or [], "body": body}


def _request_lines(trace: Trace, token: str | None) -> Lines:
    fields = [(name, _without_proof(name, value)) for name, value in trace.request_headers if name != "Authorization"]
    if trace.authorization is not None:
        scheme = trace.authorization.partition(" ")[0]
        fields.insert(0, ("Authorization", f"Bearer {masked_unknown(token)}" if token else f"{scheme[:20]} …".strip()))
    return _header_lines(fields)


def _without_proof(name: str, value: str) -> str:
    return value.partition(" ")[0] if name == PAGE_HEADER else value


def _cache_step(trace: Trace, settings: Settings, now: float) -> Step:
    introspection, ttl = trace.introspection, settings.cache_ttl_seconds
    lines = [["TTL", f"{ttl:g} s"]]
    if introspection is None or introspection.source is Source.ASKED:
        title = "kept answer is too old" if trace.too_old else "no kept answer"
        return _step("api", "cache", title, lines=[["cache", "miss"], *lines])
    titles = {
        Source.HIT: "kept answer found",
        Source.JOINED: "another request is already asking",
        Source.SHARED: "answer found in the shared store",
    }
    left = fresh_seconds(introspection, settings, now)
    if left is not None:
        lines.append(["may be used for", f"{left:.1f} s more"])
    return _step("api", "cache", titles[introspection.source], lines=[["cache", introspection.source], *lines])


def _not_asked(error: Exception) -> Step:
    """Return that this request asked nobody: the breaker is open, too many wait, or it waited for another one."""
    title = "another request asked" if error.__cause__ else "ZITADEL was not asked"
    return _step("api", "zitadel", title, ok=False, lines=[["why", getattr(error, "message", "")]])


def _exchange_steps(trace: Trace, exchange: Exchange, token: str | None) -> list[Step]:
    """Return the question to ZITADEL, and its answer."""
    began, ended = (round((moment - trace.began) * 1000, 1) for moment in (exchange.began, exchange.ended))
    proof = ["Authorization", f"Basic …  (client ID {exchange.client_id})"]
    if not exchange.client_id:
        proof = ["client_assertion", "…  (a JWT, signed with the key of ZITADEL_KEY_FILE)"]
    sent = [proof, ["token", masked_unknown(token) if token else "…"]]
    question = _step("api", "zitadel", f"POST {INTROSPECTION_PATH}", ms=began, lines=sent)
    outcome = exchange.outcome
    if isinstance(outcome, ConnectionFailed):
        lines = [["hint", outcome.hint]]
        return [question, _step("zitadel", "api", outcome.message, ms=ended, ok=False, lines=lines)]
    lines = _header_lines(list(outcome.headers.items()))
    title, is_usable = f"{outcome.status} {_summary(outcome)}".strip(), _is_answer(outcome)
    return [
        question,
        _step("zitadel", "api", title, ms=ended, ok=is_usable, lines=lines, body=_shown_body(outcome.body)),
    ]


def _is_answer(response: Response) -> bool:
    return response.status == 200 and isinstance(response.json_object().get("active"), bool)


def _summary(response: Response) -> str:
    if _is_answer(response):
        return "active" if response.json_object()["active"] else "not active"
    code = response.json_object().get("error")
    return code[:60] if isinstance(code, str) else response.media_type


def _decision(trace: Trace, settings: Settings, now: float) -> Step:
    """Return the step that decided: what was raised, or that the request was let in."""
    if trace.error:
        title = trace.error.message
    elif trace.status >= HTTPStatus.BAD_REQUEST:
        title = trace.reason or trace.outcome
    elif trace.path in ORDERS:
        title = ORDERS[trace.path]
    elif trace.introspection is None:
        title = "admitted: this needs no token"
    else:
        role = next((route.role for route in Route if route.path == trace.path), None)
        title = "admitted: the token is active" + (f" and has the role {role}" if role else "")
    ok = trace.status < HTTPStatus.BAD_REQUEST
    return _step("api", "api", title, ok=ok, lines=_checks(trace, settings, now)) | {"decides": True}


def _checks(trace: Trace, settings: Settings, now: float) -> Lines:
    """Return what the decision looked at."""
    introspection = trace.introspection
    if introspection is None:
        return [["hint", trace.error.hint]] if isinstance(trace.error, Refused) and trace.error.hint else []
    if not introspection.active:
        return [["active", "no"]]
    lines = [["active", "yes"]]
    if introspection.expires_at is not None:
        left = introspection.expires_at - now
        shown = f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
        lines.append(["expires", "never" if introspection.expires_at >= NEVER else shown])
    if settings.project_id:
        named = settings.project_id in introspection.audience or settings.client_id in introspection.audience
        lines.append(["audience", "names this API" if named else "does not name this API"])
    roles = sorted(introspection.roles(settings.project_id))
    shown = ", ".join(role[:60] for role in roles[:MOST_ROLES]) + (", …" if len(roles) > MOST_ROLES else "")
    return [*lines, ["roles", shown or "none"]]


def _header_lines(fields: list[tuple[str, str]]) -> Lines:
    shown = [[name[:60], _shown_value(name, value[:LONGEST_VALUE])] for name, value in fields[:MOST_LINES]]
    return [line for line in shown if line[0].lower() != "set-cookie"]


def _shown_value(name: str, value: str) -> str:
    """Return what may be shown of a header field: others than ``Authorization`` hold secrets too."""
    if name.lower() in SHOWN_WHOLE:
        return value
    if re.search(SENSITIVE_FIELD, name):
        return "…"
    return without_tokens(without_secret_query(value))


def _shown_body(body: bytes) -> str:
    """Return the beginning of a body, laid out if it is JSON that is not too long."""
    text = body[: 4 * LONGEST_BODY].decode("utf-8", "replace")
    if len(text) <= LONGEST_BODY:
        with suppress(ValueError, RecursionError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text[:LONGEST_BODY]
