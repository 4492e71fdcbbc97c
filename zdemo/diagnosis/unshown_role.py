"""Roles that are granted, but that introspection does not show."""

from zdemo.diagnosis.evidence import Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.role_case import RoleCase
from zdemo.introspection.model import RESOURCE_OWNER, Introspection

JUST_CHANGED = "role.just_changed"
SETTLED_SECONDS = 60  # after a change, in which introspection shows it (ZITADEL)
LET_THROUGH = "let proxies and gateways pass the answers of /oauth/v2/introspect unchanged and uncached"


def finding_for_unshown(case: RoleCase) -> Finding | None:
    """Find a role that is, or may be, granted here, but that the answer lacks."""
    may_be_granted = bool(case.grants_here) or case.evidence.assignments is None
    return (_claims_removed(case) if may_be_granted else None) or _just_changed(case)


def _claims_removed(case: RoleCase) -> Finding | None:
    """Find an answer without the claims that ZITADEL gives with every token that has this scope."""
    whole = RESOURCE_OWNER not in case.introspection.scopes
    if whole or any(name.startswith("urn:zitadel:") for name in case.introspection.claims):
        return None
    return Finding(
        id="role.claims_removed",
        cause="something between here and ZITADEL removes its claims from introspection: none begins with "
        f"urn:zitadel:, though the scope lists {RESOURCE_OWNER}",
        likely=True,
        fix=(LET_THROUGH,),
    )


def _just_changed(case: RoleCase) -> Finding | None:
    if not case.grants_here:
        return None
    listed = f"ZITADEL lists the role {case.role} as granted in this project"
    again = case.evidence.body(Probe.AGAIN)
    if Introspection(active=True, claims=again).has_role(case.role, case.settings.project_id):
        cause = f"the role {case.role} was granted a moment ago: introspection shows it now"
        return Finding(id=JUST_CHANGED, cause=cause, fix=("try again",))
    moment = () if _is_settled(case) else ("it was granted or changed a moment ago, and introspection shows that soon",)
    asked = (("asked", "introspection was asked twice"),) if again else ()
    try_again = "try again: a change shows within milliseconds as a rule, a minute at most"
    return Finding(
        id=JUST_CHANGED,
        cause=f"{listed}{'' if moment else ' for more than a minute'}, but introspection does not show it",
        candidates=(
            *moment,
            *(() if case.project else ("the API application belongs to another project than ZITADEL_PROJECT_ID",)),
            "something between here and ZITADEL changes the answers of introspection, or repeats old ones (a cache)",
            *(() if moment else ("ZITADEL is behind with its own tables (projections): its log names that",)),
        ),
        seen=asked,
        fix=(try_again, f"if it stays so: {LET_THROUGH}") if moment else (LET_THROUGH,),
    )


def _is_settled(case: RoleCase) -> bool:
    """Return whether what grants the role was last changed so long ago that introspection has to show it."""
    before = (case.evidence.looked_up_at - SETTLED_SECONDS) * 1000
    return all(grant.changed is not None and grant.changed < before for grant in case.grants_here)
