"""Show what a token says: the roles, every claim, and a JWT that ZITADEL did not verify."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zdemo.cli.layout import BELOW, pad
from zdemo.cli.screen import Screen
from zdemo.config.settings import Settings
from zdemo.diagnosis.phrases import span
from zdemo.diagnosis.rules.token_form import token_form
from zdemo.text.columns import WITHOUT_TERMINAL, cells
from zdemo.text.masking import masked
from zdemo.text.printable import one_line, printable
from zdemo.zitadel.introspection_answer import Introspection, within_all_clocks

ROLE_WIDTH, CLAIM_WIDTH = 20, 14
TIMES = ("exp", "iat", "nbf", "auth_time", "updated_at")
ROLES_CLAIM = re.compile(r"urn:zitadel:iam:org:project:(?:(.+):)?roles")
MOST_SHOWN = 2000  # characters of one claim; --json has all of it
NOT_VERIFIED = "ZITADEL did not confirm this: it is only what the JWT says about itself"


def moment(epoch_seconds: float) -> str:
    """Return a point in time in UTC; in seconds, if no calendar has it."""
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{epoch_seconds:.0f} s after 1970"


def issued(claims: Mapping[str, Any], *, now: float) -> str:
    """Return how long ago a token was issued, as the end of a sentence; empty when its claims do not say."""
    at = claims.get("iat")
    return f", issued {span(now - within_all_clocks(at))} ago" if type(at) is int else ""


def show_roles(screen: Screen, introspection: Introspection, project: str | None, claim_of: str | None) -> None:
    """Show the roles in a project, and who granted them; ``claim_of`` is the project whose claim they are in."""
    screen.say()
    screen.say(f"roles in project {one_line(project)}" if project else "roles in this API's project")
    roles = introspection.roles(claim_of)
    if not roles:
        screen.say("  none")
    for key, organizations in sorted(roles.items()):
        granted = ", ".join(f"{domain} ({org})" for org, domain in organizations.items())
        screen.behind(pad(printable(f"  {key}"), ROLE_WIDTH), f"granted by {granted}")


def show_claims(screen: Screen, claims: Mapping[str, Any], heading: str = "claims") -> None:
    """Show every claim. A very long word or text is shortened; a name to copy is not."""
    screen.say()
    screen.say(heading)
    for name, value in claims.items():
        lead = f"  {_fitting(one_line(screen.redaction(name)))}"
        text = one_line(screen.redaction(_text(value)))
        if name in TIMES and type(value) is int:
            text += f" ({moment(within_all_clocks(value))})"
        if len(text) > MOST_SHOWN:
            text = f"{text[:MOST_SHOWN]} … (--json shows all {len(text)} characters)"
        widest = max(map(cells, text.split()), default=0)
        behind_name = CLAIM_WIDTH + BELOW
        if cells(lead) > CLAIM_WIDTH or widest + behind_name > screen.width() >= widest + 2 * BELOW:
            screen.say(lead, whole=True)
            lead = ""
            behind_name = behind_name if widest + behind_name <= screen.width() else 2 * BELOW
        screen.behind(pad(lead, behind_name), _fitting(text) or '""')


def _text(value: object) -> str:
    """Return a text as it is, and any other value as JSON."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to show)"


def _fitting(text: str) -> str:
    """Return the text with the middle of each word left out that is wider than most terminals."""
    room = WITHOUT_TERMINAL - 2 * BELOW

    def shortened(match: re.Match[str]) -> str:
        word = match[0]
        kept = (room - 1) // (2 if word.isascii() else 4)  # a character may take two cells
        return word if cells(word) <= room else f"{word[:kept]}…{word[-kept:]}"

    return re.sub(r"[^ ]+", shortened, text)


def show_unverified(screen: Screen, token: str, settings: Settings, *, now: float, verbose: bool) -> None:
    """Show what a JWT says about itself, and never that it is active."""
    form = token_form(token)
    claims = form.claims
    audience = claims.get("aud")
    names = [name for name in (audience if isinstance(audience, list) else [audience]) if isinstance(name, str)]
    said = Introspection(active=False, claims=claims)
    who = said.text("username") or said.text("client_id") or "a user without a name"
    kind = "JWT" + (", an ID token, which no API accepts:" if form.is_id_token else "")
    scopes = [("scopes", "\n".join(said.scopes))] if said.scopes else []
    screen.pairs(
        [
            ("not verified", NOT_VERIFIED),
            ("who", f"{one_line(who)} (user {one_line(said.text('sub') or 'unknown')})"),
            ("token", f"{kind} {masked(token)}{issued(claims, now=now)}"),
            ("expiry", _expiry(claims.get("exp"), now=now)),
            ("issuer", _issuer(said.text("iss"), settings)),
            ("audience", _audience(names, settings)),
            *scopes,
        ]
    )
    found = [match for name in claims if (match := ROLES_CLAIM.fullmatch(name))]
    for match in found:
        show_roles(screen, said, match[1], match[1])
    if not found:
        screen.say()
        screen.say("roles")
        screen.behind("  ", "none in the JWT; introspection still shows the roles")
    if verbose:
        show_claims(screen, form.header, "header, not verified")
        show_claims(screen, claims, "claims, not verified")


def _expiry(expires: object, *, now: float) -> str:
    if type(expires) is not int:
        return "none"
    seconds = within_all_clocks(expires)
    at = moment(seconds)
    return f"in {span(seconds - now)} ({at})" if seconds > now else f"expired {span(now - seconds)} ago ({at})"


def _issuer(issuer: str, settings: Settings) -> str:
    if issuer == settings.issuer:
        return f"{issuer}, as in ZITADEL_DOMAIN"
    return f"{one_line(issuer) or 'none'}, but ZITADEL_DOMAIN is {settings.issuer}"


def _audience(names: list[str], settings: Settings) -> str:
    """Return the audience, and whether it names this API as far as the settings tell."""
    own = {settings.client_id: "CLIENT_ID", settings.project_id: "ZITADEL_PROJECT_ID"}
    shown = " ".join(map(one_line, names)) or "none"
    if named := next((setting for value, setting in own.items() if value in names), ""):
        return f"{shown}\nit names this API ({named})"
    if settings.project_id:
        return f"{shown}\nit names neither this API's project (ZITADEL_PROJECT_ID) nor its client ID"
    return f"{shown}\nwithout ZITADEL_PROJECT_ID it is not known whether that is this API's project"
