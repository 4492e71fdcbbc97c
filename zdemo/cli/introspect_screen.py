"""The screen of ``introspect``: whose token it is, what for, its roles, what each route would answer, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from zdemo.cli.screen import Screen, printable, show_finding
from zdemo.client import Route
from zdemo.config.masking import masked
from zdemo.config.settings import Settings
from zdemo.diagnosis import own_project, refusal_of, span, token_form
from zdemo.introspection.model import Introspection, within_all_clocks
from zdemo.investigation import Investigation
from zdemo.management.model import LAST_MOMENT

NEVER = LAST_MOMENT // 1000
SHOWN_ABOVE = ("token", "roles")  # evidence that is on the screen already when the cause is shown


def show_investigation(
    screen: Screen, investigation: Investigation, settings: Settings, token: str, *, now: float
) -> None:
    """Show what ZITADEL says about a token, and what follows for each route."""
    introspection, finding = investigation.introspection, investigation.finding
    if introspection is None or not introspection.active:
        screen.say(f"{'active':<12}  {screen.mark('no' if introspection else 'unknown', 'red')}")
        if finding:
            show_finding(screen, finding)
        return
    screen.pairs(_about(introspection, token, now=now))
    _show_roles(screen, introspection, settings)
    _show_verdicts(screen, introspection, settings, now=now)
    if finding:
        screen.say()
        new = tuple((label, text) for label, text in finding.seen if label not in SHOWN_ABOVE)
        show_finding(screen, replace(finding, seen=new))
    for note in investigation.notes:
        screen.say()
        screen.pairs([("note", note)], label_width=4)


def _about(introspection: Introspection, token: str, *, now: float) -> list[tuple[str, str]]:
    kind = f"{token_form(token).kind.value.replace('_', ' ')} {masked(token)}"
    issued = introspection.claims.get("iat")
    if type(issued) is int:
        kind += f", issued {span(now - within_all_clocks(issued))} ago"
    name = introspection.text("username") or introspection.text("client_id") or "a user without a name"
    return [
        ("active", f"yes, {expiry(introspection, now=now)}"),
        ("who", f"{name} (user {introspection.text('sub') or 'unknown'})"),
        ("token", kind),
        ("issuer", introspection.text("iss") or "not named"),
        ("audience", " ".join(introspection.audience) or "not named"),
        ("scopes", "\n".join(introspection.scopes) or "none"),
    ]


def expiry(introspection: Introspection, *, now: float) -> str:
    """Return when the token expires; a PAT's year 9999 means never."""
    expires = introspection.expires_at
    if expires is None:
        return "without an expiry"
    if expires >= NEVER:
        return "never expires"
    return (
        f"expires in {span(expires - now)} ({moment(expires)})" if expires > now else f"but expired {moment(expires)}"
    )


def moment(epoch_seconds: float) -> str:
    """Return a point in time in UTC; in seconds, if no calendar has it."""
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{epoch_seconds:.0f} s after 1970"


def _show_roles(screen: Screen, introspection: Introspection, settings: Settings) -> None:
    project = settings.project_id or own_project(introspection, settings)
    roles = introspection.roles(settings.project_id)
    screen.say()
    screen.say(f"roles in project {printable(project)}" if project else "roles in this API's project")
    if not roles:
        screen.say("  none")
    for key, organizations in sorted(roles.items()):
        granted = ", ".join(f"{domain} ({org})" for org, domain in organizations.items())
        screen.say(printable(f"  {key:<18}granted by {granted}"))


def _show_verdicts(screen: Screen, introspection: Introspection, settings: Settings, *, now: float) -> None:
    screen.say()
    for route in Route:
        refusal = refusal_of(introspection, settings, role=route.role, now=now)
        words = f"yes    has {route.role}" if route.role else "yes"
        if route is Route.PUBLIC:
            refusal, words = None, "open to anyone"
        elif refusal:
            words = f"no     {refusal.message}"
        screen.say(f"{route.path:<21}{screen.mark(words, 'red' if refusal else 'green')}")
