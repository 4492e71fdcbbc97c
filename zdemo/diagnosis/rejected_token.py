"""Why the API refuses a token that ZITADEL calls active: the clock, the audience, or the role."""

from __future__ import annotations

from zdemo.authorization import Policy, authorize
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.missing_role import finding_for_missing_role
from zdemo.diagnosis.phrases import shown_list
from zdemo.errors import InsufficientScope, InvalidToken, Refused
from zdemo.introspection.model import Introspection

CLOCK_TOLERANCE_SECONDS = 5  # ``Date`` has a resolution of 1 s, and an answer takes its time


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """The API's decision, from the very function that it uses; ``None`` lets the token pass."""
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, role=role)
    except Refused as refusal:
        return refusal
    return None


def finding_for_active(
    introspection: Introspection, settings: Settings, evidence: Evidence = NOTHING, *, role: str | None, now: float
) -> Finding | None:
    """Why the API refuses an active token; ``None`` when it does not."""
    refusal = refusal_of(introspection, settings, role=role, now=now)
    if isinstance(refusal, InsufficientScope):
        return finding_for_missing_role(introspection, settings, evidence, refusal.role)
    if isinstance(refusal, InvalidToken):
        return _clock(introspection, evidence, refusal, now) or _audience(introspection, settings)
    return None


def _clock(introspection: Introspection, evidence: Evidence, refusal: InvalidToken, now: float) -> Finding | None:
    """ZITADEL calls the token active, so by its clock it is in time."""
    expired = introspection.expires_at is not None and now >= introspection.expires_at
    early = introspection.not_before is not None and now < introspection.not_before
    if not expired and not early:
        return None
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        return Finding(
            id="clock.skewed",
            cause=f"{clock_words(ahead)}; by ZITADEL's clock the token is in time, by this machine's it is not",
            seen=(("clock", "compared with the Date of ZITADEL's answer"),),
            fix=("synchronise the time of this machine (NTP), e.g. timedatectl set-ntp true, and check ZITADEL's",),
        )
    if expired:
        return Finding(id="token.expired", cause="the token has expired just now", fix=("request a new one",))
    return Finding(id="token.not_yet_valid", cause=refusal.message, fix=(refusal.hint,))


def clock_words(ahead_seconds: float) -> str:
    """By how much the clocks differ, and in which direction."""
    where = "ahead of" if ahead_seconds > 0 else "behind"
    return f"this machine's clock is {abs(ahead_seconds):.0f} s {where} ZITADEL's"


def _audience(introspection: Introspection, settings: Settings) -> Finding:
    """ZITADEL called it active, so it names the application or its project: not the project that is configured."""
    return Finding(
        id="client.in_other_project",
        cause="the token is meant for the project of this API application, and that is not the one in "
        f"ZITADEL_PROJECT_ID ({settings.project_id})",
        seen=(("audience", shown_list(list(introspection.audience))),),
        fix=(
            "set ZITADEL_PROJECT_ID to the project that the API application belongs to",
            f"or use an API application of project {settings.project_id}: its {settings.credential_variables}",
        ),
    )
