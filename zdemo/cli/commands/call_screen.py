"""How ``zdemo call`` shows one call: the status, what the answer says, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zdemo.cli.screen import Screen, show_finding
from zdemo.client import Call, Challenge
from zdemo.text.masking import without_secret_query
from zdemo.text.printable import printable

if TYPE_CHECKING:
    from zdemo.diagnosis.ask.api_comparison import Explanation

MOST_SHOWN = 500  # characters of a body


def show_call(
    screen: Screen, call: Call, explanation: Explanation | None, token: str, *, bearer: str, verbose: bool
) -> None:
    """Show one call; ``token`` says whose it is, what may be shown of it, and its source; or it is empty."""
    status = screen.mark(str(call.answer.status), "green" if call.accepted else "red")
    screen.headline(f"{call.method} {call.url}", f"{status}  {call.answer.seconds * 1000:.0f} ms")
    if verbose:
        _show_exchange(screen, call, bearer)
    rows = [("token", token)] if token else []
    if not call.accepted:
        refused = 400 <= call.answer.status < 500 and not call.is_page
        rows.append(("refused" if refused else "failed", _message(call)))
        if call.challenge:
            rows.append(("challenge", _in_words(call.challenge, sent=bool(token))))
    screen.pairs(rows, indent=2, label_width=10)
    if call.accepted and not verbose:  # the exchange has the body
        screen.behind("  ", _message(call))
    if explanation:
        finding = explanation.finding
        show_finding(screen, finding, indent=2, evidence=finding.id.startswith("call."))
        if explanation.unasked:
            screen.pairs([("not asked", f"ZITADEL: {explanation.unasked}")], indent=2, label_width=10)


def _message(call: Call) -> str:
    """Return what the body says: zdemo's own message or error, or any body, shortened."""
    body, size = call.body, len(call.answer.body)
    if isinstance(body, dict):
        if call.accepted and isinstance(message := body.get("message"), str):
            return message
        if not call.accepted and isinstance(code := body.get("error"), str):
            return ": ".join(filter(None, (code, str(body.get("error_description", "")))))
    kind = call.answer.media_type or "no media type"
    if isinstance(body, str) and kind != "text/plain":
        return f"the answer is not a JSON object ({kind}, {size} bytes)" if size else "the answer has no body"
    text = body.strip() if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({size} bytes; --json shows all)"


def _in_words(challenge: Challenge, *, sent: bool) -> str:
    """Return what ``WWW-Authenticate`` says, in plain words (RFC 6750 §3)."""
    words = {
        "": f"a bearer token is required; no error code{'' if sent else ', because no token was sent'}",
        "invalid_request": "the request is malformed",
        "invalid_token": "this token is not valid (any more): get another one",
        "insufficient_scope": "the token is valid, but does not have all that is required"
        if not challenge.scope
        else f"the token is valid, but this is required too: {challenge.scope}",
    }
    return words.get(challenge.error, challenge.text)


def _show_exchange(screen: Screen, call: Call, bearer: str) -> None:
    screen.say(f"> {call.method} {printable(without_secret_query(call.route.path))}")
    if bearer:
        screen.say(f"> Authorization: Bearer {bearer}")
    screen.say("> Accept: application/json")
    screen.say(f"< {call.answer.status}")
    for name, value in call.answer.headers.items():
        screen.behind("< ", f"{name}: {value}", hang=2)
    screen.behind("< ", call.answer.text.strip())
