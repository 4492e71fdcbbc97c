"""The screen of ``introspect``: who, what for, which roles, what the API would say, why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from zdemo.authorization import Policy, authorize
from zdemo.cli.screen import Screen, printable, show_finding
from zdemo.client import Route
from zdemo.config.masking import masked
from zdemo.config.settings import Settings
from zdemo.diagnosis import token_form
from zdemo.errors import Refused
from zdemo.introspection.model import Introspection, within_all_clocks
from zdemo.investigation.investigate import Investigation

NEVER = 253402300799  # 9999-12-31T23:59:59Z, ZITADEL's date for a PAT without expiry
MINUTE, HOUR, DAY = 60, 3600, 86400
SHOWN_ABOVE = ("token", "roles")  # evidence that an active token has shown before the reason is told
PROJECT_CLAIM_PREFIX, ROLES_SUFFIX = "urn:zitadel:iam:org:project:", ":roles"


def show_investigation(
    screen: Screen, investigation: Investigation, settings: Settings, token: str, *, now: float
) -> None:
    """What ZITADEL says of a token, and what follows for each route."""
    found = investigation.introspection
    if found is None or not found.active:
        screen.say(f"{'active':<12}  {screen.mark('no' if found else 'unknown', 'red')}")
        if investigation.finding:
            show_finding(screen, investigation.finding)
        return
    screen.pairs(_about(found, token, now=now))
    _show_roles(screen, found, settings)
    _show_verdicts(screen, found, settings, now=now)
    if investigation.finding:
        screen.say()
        finding = investigation.finding
        new = tuple((label, text) for label, text in finding.seen if label not in SHOWN_ABOVE)
        show_finding(screen, replace(finding, seen=new))
    for remark in investigation.notes:
        screen.say()
        screen.pairs([("note", remark)], label_width=4)


def _about(found: Introspection, token: str, *, now: float) -> list[tuple[str, str]]:
    kind = f"{token_form(token).kind.value.replace('_', ' ')} {masked(token)}"
    issued = found.claims.get("iat")
    if type(issued) is int:
        kind += f", issued {span(now - within_all_clocks(issued))} ago"
    return [
        ("active", f"yes, {time_left(found, now=now)}"),
        ("who", _who(found)),
        ("token", kind),
        ("issuer", found.text("iss") or "not named"),
        ("audience", " ".join(found.audience) or "not named"),
        ("scopes", "\n".join(found.scopes) or "none"),
    ]


def _who(found: Introspection) -> str:
    name = found.text("username") or found.text("client_id") or "a user without a name here"
    return f"{name} (user {found.text('sub') or 'unknown'})"


def time_left(found: Introspection, *, now: float) -> str:
    """How long the token lives yet; a PAT's year 9999 is never."""
    expires = found.expires_at
    if expires is None:
        return "without a time of expiry"
    if expires >= NEVER:
        return "until it is deleted (never expires)"
    return (
        f"for {span(expires - now)} yet, until {moment(expires)}" if expires > now else f"but expired {moment(expires)}"
    )


def moment(epoch_seconds: float) -> str:
    """A point in time in UTC; what no calendar holds is shown in seconds."""
    try:
        return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{epoch_seconds:.0f} s after 1970"


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        if seconds >= unit or unit == 1:
            count = max(int(seconds // unit), 0)
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError  # the last unit always fits


def _show_roles(screen: Screen, found: Introspection, settings: Settings) -> None:
    project = settings.project_id or next(
        (
            name.removeprefix(PROJECT_CLAIM_PREFIX).removesuffix(ROLES_SUFFIX)
            for name in found.claims
            if name.startswith(PROJECT_CLAIM_PREFIX) and name.endswith(f"{ROLES_SUFFIX}") and name.count(":") > 5
        ),
        None,
    )
    roles = found.roles(settings.project_id)
    screen.say()
    screen.say(f"roles in project {printable(project)}" if project else "roles in this API's project")
    if not roles:
        screen.say("  none")
    for key, organizations in sorted(roles.items()):
        granted = ", ".join(f"{domain} ({org})" for org, domain in organizations.items())
        screen.say(printable(f"  {key:<18}granted by {granted}"))


def verdicts(found: Introspection, settings: Settings, *, now: float) -> list[tuple[Route, bool, str]]:
    """For each route whether the API would let this token pass, and why: by the API's own decision."""
    policy = Policy.from_settings(settings)
    out: list[tuple[Route, bool, str]] = []
    for route in Route:
        if route is Route.PUBLIC:
            out.append((route, True, "open to anyone"))
            continue
        try:
            authorize(found, policy, now=now, role=route.role)
        except Refused as refused:
            out.append((route, False, f"no     {refused.message}"))
        else:
            out.append((route, True, f"yes    has {route.role}" if route.role else "yes"))
    return out


def _show_verdicts(screen: Screen, found: Introspection, settings: Settings, *, now: float) -> None:
    screen.say()
    for route, passes, words in verdicts(found, settings, now=now):
        screen.say(f"{route.path:<21}{screen.mark(words, 'green' if passes else 'red')}")
