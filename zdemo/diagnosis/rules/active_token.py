"""What is to be said about an active token: why the API would refuse it, and what is unusual about it."""

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.missing_role import finding_for_missing_role, is_pat, near_miss, role_scopes
from zdemo.diagnosis.wording import CLOCK_COMPARED, SYNCHRONISE, clock_words, shown_list, span
from zdemo.errors import InsufficientScope, InvalidToken, Refused
from zdemo.guard.authorization import NO_ROLE, Policy, RequiredRoles, authorize
from zdemo.zitadel.introspection_answer import Introspection

SCOPE_NOTE = "scope also lists"
SOON_SECONDS = 600
SOON_FOR_A_PAT_SECONDS = 7 * 86_400


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """Return the API's refusal, decided by the function that the API uses; ``None`` when it accepts the token."""
    roles = NO_ROLE if role is None else RequiredRoles(all_of=(role,))
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, roles=roles)
    except Refused as refusal:
        return refusal.with_traceback(None)  # its frames hold what was asked about
    return None


def finding_for_active(
    introspection: Introspection, settings: Settings, evidence: Evidence = NOTHING, *, role: str | None, now: float
) -> Finding | None:
    """Return why the API refuses an active token; ``None`` when it accepts it."""
    refusal = refusal_of(introspection, settings, role=role, now=now)
    if isinstance(refusal, InsufficientScope):
        return finding_for_missing_role(introspection, settings, evidence, refusal.role)
    if not isinstance(refusal, InvalidToken):
        return None
    expired = introspection.expires_at is not None and now >= introspection.expires_at
    early = introspection.not_before is not None and now < introspection.not_before
    if (ahead := evidence.clock_off_by) and (expired or early):
        return Finding(
            id="clock.skewed",
            cause=f"{clock_words(ahead)}; the token is in time by ZITADEL's clock, but not by this machine's",
            seen=(CLOCK_COMPARED,),
            fix=(SYNCHRONISE,),
        )
    if expired:
        return Finding(id="token.expired", cause="the token has just expired", fix=("request a new one",))
    if early:
        return Finding(id="token.not_yet_valid", cause=refusal.message, fix=(refusal.hint,))
    return Finding(  # the audience of an active token names the application's own project
        id="client.in_other_project",
        cause="the token is meant for the project of this API application, but ZITADEL_PROJECT_ID is another project "
        f"({settings.project_id})",
        seen=(("audience", shown_list(list(introspection.audience))),),
        fix=("set ZITADEL_PROJECT_ID to the project that the API application belongs to",),
        otherwise=(
            f"or use an API application of project {settings.project_id}: set its {settings.credential_variables}",
        ),
    )


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
    project, granted = settings.project_id, introspection.roles(settings.project_id)
    issuer = introspection.text("iss")
    texts, of_pat = [], is_pat(introspection)
    if only_listed := sorted(quoted(role, 60) for role in role_scopes(introspection) if role not in granted):
        why = "It was requested but is not granted"
        if of_pat:  # an API that checks ``scope`` would accept every PAT
            why = "For a PAT, ZITADEL lists every role of the project there, granted or not"
        names = f"role{'' if len(only_listed) == 1 else 's'} {shown_list(only_listed)}"
        texts.append(f"{SCOPE_NOTE} the {names}. {why}; only the roles above count.")
    if near := near_miss(role, tuple(granted)) if role and role not in granted else "":
        texts.append(f"the role {quoted(near)} is not {role}: role keys must match exactly")
    if project and project not in introspection.audience:
        texts.append(f"the audience does not name the project {project} (ZITADEL_PROJECT_ID)")
    if issuer and issuer != settings.issuer:
        texts.append(
            f"ZITADEL's issuer is {quoted(issuer)}, but ZITADEL_DOMAIN is {settings.issuer}: JWTs for the other "
            "address are refused; make scheme, host and port the same (ExternalSecure, or X-Forwarded-Proto from the "
            "proxy)"
        )
    left = (introspection.expires_at or 0) - (now or 0)
    if now is not None and 0 < left <= (SOON_FOR_A_PAT_SECONDS if of_pat else SOON_SECONDS):
        texts.append(f"the token expires soon, in {span(left)}")
    if ahead := evidence.clock_off_by:
        texts.append(f"{clock_words(ahead)}: synchronise the time")
    return tuple(texts)
