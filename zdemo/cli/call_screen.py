"""The screen of ``call``: what happened, why, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdemo.cli.screen import WIDTH, Screen, headline, printable, show_finding, wrapped
from zdemo.client import Call

if TYPE_CHECKING:
    from zdemo.investigation import Explanation


def show_call(screen: Screen, call: Call, explanation: Explanation | None, token: str, *, verbose: bool) -> None:
    """Show one call; ``token`` is the masked token and its source, or empty."""
    status = screen.mark(str(call.answer.status), "green" if call.accepted else "red")
    left = f"GET {call.url}"
    screen.say(
        headline(left, f"{call.answer.status}  {call.answer.seconds * 1000:.0f} ms").replace(
            f" {call.answer.status}  ", f" {status}  ", 1
        )
    )
    if verbose:
        _show_exchange(screen, call, token)
    if call.accepted:
        for line in wrapped(_message(call), WIDTH - 2):
            screen.say(f"  {line}")
        return
    refused = 400 <= call.answer.status < 500 and not call.is_page
    rows = [("refused" if refused else "failed", _message(call))]
    if call.challenge:
        rows.append(("challenge", challenge_in_words(call)))
    if token:
        rows.append(("token", token))
    screen.pairs(rows, indent=2, label_width=10)
    if explanation:
        show_finding(screen, explanation.finding, indent=2, evidence=explanation.finding.id.startswith("call."))
        if explanation.unasked:
            screen.pairs([("not asked", f"ZITADEL: {explanation.unasked}")], indent=2, label_width=10)


def _message(call: Call) -> str:
    body = call.body
    if not isinstance(body, dict):
        kind = call.answer.media_type or "no media type"
        return f"the answer is not a JSON object ({kind}, {len(call.answer.body)} bytes)"
    if call.accepted:
        return str(body.get("message", body))
    code, description = str(body.get("error", "no error code")), str(body.get("error_description", ""))
    return f"{code}: {description}" if description else code


def challenge_in_words(call: Call) -> str:
    """Return what ``WWW-Authenticate`` says, in plain words (RFC 6750 §3)."""
    challenge = call.challenge
    if challenge is None:
        return ""
    words = {
        "": "a bearer token is required; no error code, because none was sent",
        "invalid_request": "the request is malformed",
        "invalid_token": "this token is not valid (any more): get another one",
        "insufficient_scope": f"the token is valid, but this is required too: {challenge.scope}",
    }
    return words.get(challenge.error, challenge.text)


def _show_exchange(screen: Screen, call: Call, token: str) -> None:
    screen.say(f"> GET {call.route.path}")
    if token:
        screen.say(f"> Authorization: Bearer {token.split(',')[0]}")
    screen.say("> Accept: application/json")
    screen.say(f"< {call.answer.status}")
    for name, value in call.answer.headers.items():
        screen.say(f"< {printable(name)}: {printable(value)}")
    screen.say(f"< {printable(call.answer.text.strip())}")
