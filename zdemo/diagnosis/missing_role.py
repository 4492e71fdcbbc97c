"""Why an active token lacks a role: not granted, deactivated, undefined, misspelled, or in another project.

ZITADEL lets any PAT list its own role assignments, so most of this is certain without an administrator.
"""

from __future__ import annotations

from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.diagnosis.cases import decide
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.role_facts import ORGANIZATION_SCOPE, RoleFacts, near_miss, project_words, role_scopes
from zdemo.introspection.model import Introspection

OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"


def finding_for_missing_role(
    introspection: Introspection, settings: Settings, evidence: Evidence, role: str
) -> Finding:
    """Return why the roles claim lacks ``role``, as far as it can be known."""
    facts = RoleFacts(role=role, introspection=introspection, settings=settings, evidence=evidence)
    return decide(_RULES, facts, _open)


def _other_project_configured(facts: RoleFacts) -> Finding | None:
    """Find a configured project that is not the application's: ZITADEL shows only the roles of the latter."""
    project, configured = facts.project, facts.settings.project_id
    if not configured or not project or project == configured:
        return None
    use_configured = f"use an API application of project {configured}: set its {facts.settings.credential_variables}"
    use_own = f"ZITADEL_PROJECT_ID={quoted(project, 40)}"
    grant = f"and grant the role there: {facts.grant}"
    has_it = facts.role in facts.introspection.roles(project)
    exists = any(a.project_id == configured for a in facts.evidence.assignments or ())
    return Finding(
        id="role.other_project_configured",
        cause=f"the API application belongs to project {quoted(project, 40)}, but ZITADEL_PROJECT_ID is {configured}: "
        "ZITADEL shows an API only the roles of its own project",
        fix=(use_configured, f"or, if the other project is meant: {use_own}", grant)
        if exists and not has_it
        else (use_own, *(() if has_it else (grant,)), f"or, if there is such a project: {use_configured}"),
    )


def _narrowed(facts: RoleFacts) -> Finding | None:
    """Find a token that was requested for certain roles: ZITADEL shows it no other role, granted or not."""
    requested = role_scopes(facts.introspection)
    if facts.is_pat or not requested or facts.role in requested:
        return None
    names = ", ".join(sorted(quoted(role, 60) for role in requested))
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for the role {names} only (by its scope): ZITADEL does not show {facts.role}, "
        "granted or not",
        fix=("request the token without role scopes; then it has every role of its user in this project",),
    )


def _narrowed_by_organization(facts: RoleFacts) -> Finding | None:
    organizations = [s for s in facts.introspection.scopes if s.startswith(ORGANIZATION_SCOPE)]
    if facts.is_pat or not organizations:
        return None
    names = ", ".join(quoted(s.removeprefix(ORGANIZATION_SCOPE), 40) for s in organizations)
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for roles granted by the organization {names} only (by its scope), and "
        f"{facts.role} is not among them",
        candidates=() if facts.is_granted_here else ("another organization has granted it", "it is not granted at all"),
        fix=(f"request the token without the scopes that begin with {ORGANIZATION_SCOPE}", facts.grant),
    )


def _deactivated(facts: RoleFacts) -> Finding | None:
    if facts.is_granted_here or not any(a.project_id == facts.project_that_counts for a in facts.assignments):
        return None
    return Finding(
        id="role.deactivated",
        cause=f"the role {facts.role} is granted in this project, but that role assignment is deactivated",
        fix=(facts.grant + "     (activates the assignment)",),
    )


def _just_changed(facts: RoleFacts) -> Finding | None:
    if not facts.is_granted_here:
        return None
    return Finding(
        id="role.just_changed",
        cause=f"ZITADEL lists the role {facts.role} as granted in this project, but introspection does not show it",
        candidates=(
            "it was granted or revoked a moment ago, and introspection shows that soon",
            *(() if facts.project else ("the API application belongs to another project than ZITADEL_PROJECT_ID",)),
        ),
        fix=("try again: a change shows within milliseconds as a rule, a minute at most",),
    )


def _in_other_project(facts: RoleFacts) -> Finding | None:
    """Find an active assignment in another project; in the API's own project, the role would show."""
    elsewhere = [a for a in facts.assignments if a.active and a.project_id != facts.project_that_counts]
    if not elsewhere:
        return None
    where = " and in ".join(project_words(a) for a in elsewhere[:3])
    here = f" ({quoted(facts.project, 40)})" if facts.project else ""
    undefined = facts.defined is not None and facts.role not in facts.defined
    more = f"; this API's project does not define {facts.role}" if undefined else ""
    in_this = f"grant it in this project: {facts.grant}"
    other_app = f"if {project_words(elsewhere[0])} is meant: use an API application of that project"
    fixes = (
        (other_app, f"or add the role to this project and {in_this}") if undefined else (in_this, f"or, {other_app}")
    )
    return Finding(
        id="role.in_other_project",
        cause=f"the role {facts.role} is granted in {where}, not in this API's project{here}{more}",
        fix=fixes,
    )


def _near_miss(facts: RoleFacts) -> Finding | None:
    near = near_miss(facts.role, facts.granted)
    if not near:
        return None
    exists = facts.defined is not None and facts.role in facts.defined
    return Finding(
        id="role.near_miss",
        cause=f"the token has the role {quoted(near)}, but the API requires {facts.role}, which is another role key",
        fix=(facts.grant,) if exists else _rename(facts, near),
    )


def _rename(facts: RoleFacts, near: str) -> tuple[str, ...]:
    """Return how to get the right key; ZITADEL refuses two keys in a project that differ only in case (409)."""
    if near.casefold() == facts.role.casefold():
        return (
            f"remove the role {quoted(near)} from the project and add exactly {facts.role}",
            f"then grant it: {facts.grant}",
            "(ZITADEL accepts only one of two keys that differ only in case)",
        )
    return (f"add exactly the role {facts.role} to the project, and grant it: {facts.grant}",)


def _undefined(facts: RoleFacts) -> Finding | None:
    """Find a role that the project does not define: a PAT's scope lists every role of the project."""
    if facts.defined is None or facts.role in facts.defined:
        return None
    near = near_miss(facts.role, facts.defined)
    there = ", ".join(sorted(quoted(role, 60) for role in facts.defined)[:10]) or "none"
    similar = f", only {quoted(near)}" if near else ""
    return Finding(
        id="role.near_miss" if near else "role.undefined",
        cause=f"this API's project does not define the role {facts.role}{similar}, so no user can have it",
        seen=(("defined", f"roles of this project: {there}"),),
        fix=(
            *(
                _rename(facts, near)
                if near
                else (f"add the role {facts.role} to the project, then grant it: {facts.grant}",)
            ),
            "or, if the role belongs to another project: use an API application of that project",
        ),
    )


def _not_granted(facts: RoleFacts) -> Finding | None:
    unknown_project = not facts.project_that_counts and facts.assignments
    if facts.evidence.assignments is None or unknown_project:
        return None
    has = "has other roles in this project" if facts.granted else "has no role in this project"
    return Finding(
        id="role.not_granted",
        cause=f"the token is valid, but the role {facts.role} is not granted to its user, who {has}",
        fix=(facts.grant,),
    )


def _open(facts: RoleFacts) -> Finding:
    """Return the open finding: the assignments or the project are unknown."""
    candidates = [
        "it is not granted to the token's user",
        "it is granted in another project than this API's",
        "its role assignment is deactivated",
    ]
    if facts.defined is None:
        candidates.append("this project does not define it, or defines it in another spelling")
    needs = "" if facts.evidence.with_administrator else "; needs ZITADEL_ADMIN_PAT"
    fix = [f"zdemo role list {facts.user}     (shows the user's roles in this project{needs})", facts.grant]
    unlisted = facts.evidence.assignments is None and facts.evidence.status(Probe.ASSIGNMENTS) is None
    if not facts.is_pat and (unlisted or facts.evidence.status(Probe.ASSIGNMENTS) in (401, 403)):
        fix.append(f"or request the token with the scope {OWN_API_SCOPE}: then it may list its own role assignments")
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {facts.role} in this project",
        candidates=tuple(candidates),
        fix=tuple(fix),
    )


_RULES: tuple[Callable[[RoleFacts], Finding | None], ...] = (
    _other_project_configured,
    _narrowed,
    _narrowed_by_organization,
    _deactivated,
    _just_changed,
    _in_other_project,
    _near_miss,
    _undefined,
    _not_granted,
)
