"""Why an active token lacks a role: not granted, elsewhere, off, undefined, misspelt, narrowed, or another project.

Any PAT may ask for its own role assignments (ZITADEL), so that most of this is certain without an administrator.
"""

from __future__ import annotations

from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.role_facts import ORGANIZATION_SCOPE, RoleFacts, near_miss, project_words, role_scopes
from zdemo.introspection.model import Introspection

OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"


def finding_for_missing_role(
    introspection: Introspection, settings: Settings, evidence: Evidence, role: str
) -> Finding:
    """Why the roles claim lacks ``role``, as far as it can be known."""
    facts = RoleFacts(role=role, introspection=introspection, settings=settings, evidence=evidence)
    return next((finding for rule in _RULES if (finding := rule(facts))), None) or _open(facts)


def _other_project_configured(facts: RoleFacts) -> Finding | None:
    """ZITADEL shows the roles of the API application's own project, and never those of another."""
    project, wanted = facts.project, facts.settings.project_id
    if not wanted or not project or project == wanted:
        return None
    use_theirs = f"use an API application of project {wanted}: set its {facts.settings.credential_variables}"
    use_ours = f"ZITADEL_PROJECT_ID={quoted(project, 40)}"
    grant = f"and grant the role there: {facts.grant}"
    has_it = facts.role in facts.introspection.roles(project)
    exists = any(a.project_id == wanted for a in facts.evidence.assignments or ())
    return Finding(
        id="role.other_project_configured",
        cause=f"the API application belongs to project {quoted(project, 40)}, and ZITADEL_PROJECT_ID is {wanted}: "
        "ZITADEL shows an API the roles of its own project only",
        seen=facts.seen,
        fix=(use_theirs, f"or, if the other one is meant: {use_ours}", grant)
        if exists and not has_it
        else (use_ours, *(() if has_it else (grant,)), f"or, if there is such a project: {use_theirs}"),
    )


def _narrowed(facts: RoleFacts) -> Finding | None:
    """A token that was requested for certain roles shows no other, granted or not (ZITADEL)."""
    asked = role_scopes(facts.introspection)
    if facts.is_pat or not asked or facts.role in asked:
        return None
    names = ", ".join(sorted(quoted(role, 60) for role in asked))
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for the role {names} only (its scope says so): {facts.role} cannot show, "
        "granted or not",
        seen=facts.seen,
        fix=("request the token without role scopes; then every role that its user has in this project shows",),
    )


def _narrowed_by_organization(facts: RoleFacts) -> Finding | None:
    organizations = [s for s in facts.introspection.scopes if s.startswith(ORGANIZATION_SCOPE)]
    if facts.is_pat or not organizations:
        return None
    names = ", ".join(quoted(s.removeprefix(ORGANIZATION_SCOPE), 40) for s in organizations)
    here = [a for a in facts.holding(facts.role) if a.project_id == facts.wanted_project and a.active]
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for roles granted by the organization {names} only (its scope says so), "
        f"and {facts.role} is not among them",
        certainty=Certainty.CERTAIN if here else Certainty.OPEN,
        candidates=() if here else ("another organization has granted it", "nobody has granted it"),
        seen=facts.seen,
        fix=(f"request the token without the scopes that begin with {ORGANIZATION_SCOPE}", facts.grant),
    )


def _deactivated(facts: RoleFacts) -> Finding | None:
    off = [a for a in facts.holding(facts.role) if not a.active and a.project_id == facts.wanted_project]
    if not off or any(a.active and a.project_id == facts.wanted_project for a in facts.holding(facts.role)):
        return None
    return Finding(
        id="role.deactivated",
        cause=f"the role {facts.role} is granted in this project, but that role assignment is deactivated",
        seen=facts.seen,
        fix=(facts.grant + "     (it activates the assignment)",),
    )


def _just_changed(facts: RoleFacts) -> Finding | None:
    if not any(a.active and a.project_id == facts.wanted_project for a in facts.holding(facts.role)):
        return None
    return Finding(
        id="role.just_changed",
        cause=f"ZITADEL lists the role {facts.role} as granted in this project, but introspection does not show it",
        certainty=Certainty.OPEN,
        candidates=(
            "it was granted a moment ago and shows soon, or was taken away a moment ago",
            *(() if facts.project else ("the API application belongs to another project than ZITADEL_PROJECT_ID",)),
        ),
        seen=facts.seen,
        fix=("ask once more; it takes milliseconds as a rule, a minute at most",),
    )


def _in_other_project(facts: RoleFacts) -> Finding | None:
    """Active elsewhere. Where the own project is not known, it cannot be that one: there the role would show."""
    elsewhere = [a for a in facts.holding(facts.role) if a.active and a.project_id != facts.wanted_project]
    if not elsewhere:
        return None
    where = " and in ".join(project_words(a) for a in elsewhere[:3])
    here = f" ({quoted(facts.project, 40)})" if facts.project else ""
    undefined = facts.defined is not None and facts.role not in facts.defined
    more = f"; this one does not even define {facts.role}" if undefined else ""
    in_this = f"grant it in this project: {facts.grant}"
    other_app = f"if {project_words(elsewhere[0])} is the one that is meant: use an API application of it"
    fixes = (
        (other_app, f"or add the role to this project and {in_this}") if undefined else (in_this, f"or, {other_app}")
    )
    return Finding(
        id="role.in_other_project",
        cause=f"the role {facts.role} is granted in {where}, not in this API's project{here}{more}",
        seen=facts.seen,
        fix=fixes,
    )


def _near_miss(facts: RoleFacts) -> Finding | None:
    near = near_miss(facts.role, facts.granted)
    if not near:
        return None
    exists = facts.defined is not None and facts.role in facts.defined
    return Finding(
        id="role.near_miss",
        cause=f"the token has the role {quoted(near)}, and the API demands {facts.role}: that is another key",
        seen=facts.seen,
        fix=(facts.grant,) if exists else _rename(facts, near),
    )


def _rename(facts: RoleFacts, near: str) -> tuple[str, ...]:
    """ZITADEL refuses two keys in one project that differ in case only (409), so that one must go first."""
    if near.casefold() == facts.role.casefold():
        return (
            f"remove the role {quoted(near)} from the project and add {facts.role} exactly so",
            f"then grant it: {facts.grant}",
            "(ZITADEL takes no two keys in one project that differ in case only)",
        )
    return (f"add the role {facts.role} to the project, exactly so, and grant it: {facts.grant}",)


def _undefined(facts: RoleFacts) -> Finding | None:
    """A PAT's scope lists every role of the API application's project, so that what is not there does not exist."""
    if facts.defined is None or facts.role in facts.defined:
        return None
    near = near_miss(facts.role, facts.defined)
    there = ", ".join(sorted(quoted(role, 60) for role in facts.defined)[:10]) or "none"
    spelt = f", only {quoted(near)}" if near else ""
    return Finding(
        id="role.near_miss" if near else "role.undefined",
        cause=f"this API's project does not define the role {facts.role}{spelt}, so nobody can have it",
        seen=(*facts.seen, ("defined", f"roles of this project: {there}")),
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
    unclear_where = not facts.wanted_project and facts.holding(facts.role)
    if facts.evidence.assignments is None or unclear_where:
        return None
    has = "has no role in this project" if not facts.granted else "has other roles there"
    return Finding(
        id="role.not_granted",
        cause=f"the token is valid, but the role {facts.role} is not granted to its user, who {has}",
        seen=facts.seen,
        fix=(facts.grant,),
    )


def _open(facts: RoleFacts) -> Finding:
    """The assignments or the project are not known: a session token may ask only with ZITADEL's own audience."""
    candidates = [
        "it is not granted to the token's user",
        "it is granted in another project than this API's",
        "its role assignment is deactivated",
    ]
    if facts.defined is None:
        candidates.append("this project does not define it, or under another spelling")
    needs = "" if facts.evidence.with_administrator else "; needs ZITADEL_ADMIN_PAT"
    fix = [f"zdemo role list {facts.user}     (shows the user's roles in this project{needs})", facts.grant]
    answer = facts.evidence.answer(Probe.ASSIGNMENTS)
    if not facts.is_pat and (answer is None or answer.status in (401, 403)):
        fix.append(f"or request the token with the scope {OWN_API_SCOPE}: then it may tell its own assignments")
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but it does not have the role {facts.role} in this project",
        certainty=Certainty.OPEN,
        candidates=tuple(candidates),
        seen=facts.seen,
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
