"""Whether the API would accept a token that ZITADEL calls active, and why not: the clock, the audience, or the role."""

from __future__ import annotations

from zdemo.authorization import Policy, authorize
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.missing_role import finding_for_missing_role
from zdemo.diagnosis.phrases import CLOCK_COMPARED, CLOCK_TOLERANCE_SECONDS, SYNCHRONISE, clock_words, shown_list
from zdemo.errors import InsufficientScope, InvalidToken, Refused
from zdemo.introspection.model import Introspection


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """Return the API's refusal, decided by the function that the API uses; ``None`` when it accepts the token."""
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, role=role)
    except Refused as refusal:
        return refusal
    return None


def finding_for_active(
    introspection: Introspection, settings: Settings, evidence: Evidence = NOTHING, *, role: str | None, now: float
) -> Finding | None:
    """Return why the API refuses an active token; ``None`` when it accepts it."""
    refusal = refusal_of(introspection, settings, role=role, now=now)
    if isinstance(refusal, InsufficientScope):
        return finding_for_missing_role(introspection, settings, evidence, refusal.role)
    if isinstance(refusal, InvalidToken):
        return _clock(introspection, evidence, refusal, now) or _audience(introspection, settings)
    return None


def _clock(introspection: Introspection, evidence: Evidence, refusal: InvalidToken, now: float) -> Finding | None:
    """Return the finding for a token outside of its time: by ZITADEL's clock, which calls it active, it is in time."""
    expired = introspection.expires_at is not None and now >= introspection.expires_at
    early = introspection.not_before is not None and now < introspection.not_before
    if not expired and not early:
        return None
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        return Finding(
            id="clock.skewed",
            cause=f"{clock_words(ahead)}; the token is in time by ZITADEL's clock, but not by this machine's",
            seen=(CLOCK_COMPARED,),
            fix=(SYNCHRONISE,),
        )
    if expired:
        return Finding(id="token.expired", cause="the token has just expired", fix=("request a new one",))
    return Finding(id="token.not_yet_valid", cause=refusal.message, fix=(refusal.hint,))


def _audience(introspection: Introspection, settings: Settings) -> Finding:
    """Return the finding for a token of another project than the configured one.

    ZITADEL calls it active, so its audience names the API application or that application's project.
    """
    return Finding(
        id="client.in_other_project",
        cause="the token is meant for the project of this API application, but ZITADEL_PROJECT_ID is another project "
        f"({settings.project_id})",
        seen=(("audience", shown_list(list(introspection.audience))),),
        fix=(
            "set ZITADEL_PROJECT_ID to the project that the API application belongs to",
            f"or use an API application of project {settings.project_id}: set its {settings.credential_variables}",
        ),
    )
