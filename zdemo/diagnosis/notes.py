"""Notes: what is unusual about an active token, whether the API accepts it or not."""

from __future__ import annotations

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.phrases import CLOCK_TOLERANCE_SECONDS, MOST_ITEMS, clock_words, span
from zdemo.diagnosis.role_facts import is_pat, near_miss, role_scopes
from zdemo.introspection.model import ROLES_CLAIM, Introspection, roles_claim_of

SOON_SECONDS = 600
SOON_FOR_A_PAT_SECONDS = 7 * 86_400


def notes(
    introspection: Introspection,
    settings: Settings,
    role: str | None = None,
    *,
    now: float | None = None,
    evidence: Evidence = NOTHING,
) -> tuple[str, ...]:
    """Return a sentence for each thing that is unusual about an active token.

    Without ``now`` (epoch seconds) nothing is said about time.
    """
    if not introspection.active:
        return ()
    texts = (
        _listed_not_granted(introspection, settings),
        _near_miss(introspection, settings, role),
        _odd_claim(introspection, settings),
        _audience(introspection, settings),
        _issuer(introspection, settings),
        _soon(introspection, now),
        _clock(evidence),
    )
    return tuple(text for text in texts if text)


def _listed_not_granted(introspection: Introspection, settings: Settings) -> str:
    """Warn about the roles in a PAT's scope: an API that checks ``scope`` would accept every PAT."""
    granted = introspection.roles(settings.project_id)
    only_listed = sorted(quoted(role, 60) for role in role_scopes(introspection) if role not in granted)
    if not only_listed:
        return ""
    names = ", ".join(only_listed[:MOST_ITEMS]) + (" …" if len(only_listed) > MOST_ITEMS else "")
    word = "role" if len(only_listed) == 1 else "roles"
    if is_pat(introspection):
        why = "For a PAT, ZITADEL lists every role of the project there, granted or not; only the roles above count."
    else:
        why = "It was requested but is not granted; only the roles above count."
    return f"scope also lists the {word} {names}. {why}"


def _near_miss(introspection: Introspection, settings: Settings, role: str | None) -> str:
    granted = introspection.roles(settings.project_id)
    near = near_miss(role, tuple(granted)) if role and role not in granted else ""
    return f"the role {quoted(near)} is not {role}: role keys must match exactly" if near else ""


def _odd_claim(introspection: Introspection, settings: Settings) -> str:
    name = roles_claim_of(settings.project_id) if settings.project_id else ROLES_CLAIM
    claim = introspection.claims.get(name)
    if name not in introspection.claims or (
        isinstance(claim, dict) and len(introspection.roles(settings.project_id)) == len(claim)
    ):
        return ""
    return "the roles claim does not have ZITADEL's shape (role, then organization); the parts without it are ignored"


def _audience(introspection: Introspection, settings: Settings) -> str:
    if not settings.project_id or settings.project_id in introspection.audience:
        return ""
    return f"the audience does not name the project {settings.project_id} (ZITADEL_PROJECT_ID)"


def _issuer(introspection: Introspection, settings: Settings) -> str:
    issuer = introspection.text("iss")
    if not issuer or issuer == settings.issuer:
        return ""
    return (
        f"ZITADEL's issuer is {quoted(issuer)}, but ZITADEL_DOMAIN is {settings.issuer}: JWTs for the other address "
        "are refused; make scheme, host and port the same (ExternalSecure, or X-Forwarded-Proto from the proxy)"
    )


def _soon(introspection: Introspection, now: float | None) -> str:
    if now is None or introspection.expires_at is None:
        return ""
    left = introspection.expires_at - now
    limit = SOON_FOR_A_PAT_SECONDS if is_pat(introspection) else SOON_SECONDS
    return f"the token expires soon, in {span(left)}" if 0 < left <= limit else ""


def _clock(evidence: Evidence) -> str:
    ahead = evidence.clock_ahead_seconds
    if ahead is None or abs(ahead) <= CLOCK_TOLERANCE_SECONDS:
        return ""
    return f"{clock_words(ahead)}: synchronise the time"
