"""Why an active token lacks a role: not granted, deactivated, undefined, misspelled, or in another project.

ZITADEL lets any PAT list its own role assignments, so most of this is certain without an administrator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zdemo.client import ROLE
from zdemo.config.printable import pasteable
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.role_keys import near_miss
from zdemo.errors import ROLE_SCOPE
from zdemo.introspection.model import RESOURCE_OWNER, ROLES_CLAIM, Introspection, project_behind
from zdemo.management.model import RoleAssignment

OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"
ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"
JUST_CHANGED = "role.just_changed"
SETTLED_SECONDS = 60  # after a change, in which introspection shows it (ZITADEL)
LET_THROUGH = "let proxies and gateways pass the answers of /oauth/v2/introspect unchanged and uncached"
MOST_SHOWN = 8  # role assignments in the evidence
PROJECT_CLAIM = re.compile(r"urn:zitadel:iam:org:project:([^:]+):roles")


def is_pat(introspection: Introspection) -> bool:
    """Return whether the token is a personal access token: only a PAT has no ``client_id`` (ZITADEL)."""
    return "client_id" not in introspection.claims


def own_project(introspection: Introspection, settings: Settings) -> str | None:
    """Return the project that the API application belongs to; ``None`` when the introspection does not show it.

    A PAT's audience ends with the client ID and the project. The claim of a granted role names the project, and so
    does another token's audience when its only entry is not the client ID.
    """
    if is_pat(introspection) and (project := project_behind(settings.client_id, introspection.audience)):
        return project
    if ROLES_CLAIM in introspection.claims:
        named = [match[1] for claim in introspection.claims if (match := PROJECT_CLAIM.fullmatch(claim))]
        if len(named) == 1:
            return named[0]
    others = [entry for entry in introspection.audience if entry != settings.client_id]
    if len(introspection.audience) == 1 and others:
        return others[0]
    return None


def role_scopes(introspection: Introspection) -> frozenset[str]:
    """Return the role keys in the scope: for a PAT all that the project defines, for others those requested."""
    scopes = introspection.scopes
    return frozenset(scope.removeprefix(ROLE_SCOPE) for scope in scopes if scope.startswith(ROLE_SCOPE))


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """The case of a role that an active token lacks.

    ``project`` is the API application's; ``project_that_counts`` is the configured one, if there is one. Only a PAT
    of this client shows which roles are ``defined``. ``assignments`` are those that hold the role.
    """

    role: str
    introspection: Introspection
    settings: Settings
    evidence: Evidence

    @property
    def project(self) -> str | None:
        return own_project(self.introspection, self.settings)

    @property
    def project_that_counts(self) -> str | None:
        return self.settings.project_id or self.project

    @property
    def granted(self) -> tuple[str, ...]:
        return tuple(self.introspection.roles(self.settings.project_id))

    @property
    def defined(self) -> frozenset[str] | None:
        surely_a_pat = is_pat(self.introspection) and self.settings.client_id in self.introspection.audience
        return role_scopes(self.introspection) if surely_a_pat else None

    @property
    def assignments(self) -> tuple[RoleAssignment, ...]:
        return tuple(a for a in self.evidence.assignments or () if self.role in a.role_keys)

    @property
    def is_granted_here(self) -> bool:
        return any(a.active and a.project_id == self.project_that_counts for a in self.assignments)

    @property
    def is_settled(self) -> bool:
        """Whether what grants the role here was last changed so long ago that introspection has to show it."""
        changes = [a.changed for a in self.assignments if a.active and a.project_id == self.project_that_counts]
        before = (self.evidence.looked_up_at - SETTLED_SECONDS) * 1000
        return bool(changes) and all(changed is not None and changed < before for changed in changes)

    @property
    def user(self) -> str:
        names = (self.introspection.text(name) for name in ("username", "preferred_username", "sub"))
        return quoted(next(filter(None, names), "USER"))

    @property
    def grant(self) -> str:
        return pasteable("zdemo role grant", self.user, self.role)

    @property
    def add(self) -> str:
        return f"add the role {self.role} in ZITADEL's console: Projects, the API's project, Roles, New"

    @property
    def seen(self) -> tuple[tuple[str, str], ...]:
        names = ", ".join(quoted(role, 60) for role in self.granted) or "none"
        lines = [("token", "active"), ("roles", f"in this project: {names}")]
        if self.project:
            lines.append(("project", f"this API's is {quoted(self.project, 40)}"))
        if self.evidence.assignments is None:
            lines.append(("assignments", f"unknown: {_why_unknown(self.evidence)}"))
        elif not self.evidence.assignments:
            lines.append(("assignments", f"none at all, listed with {self.evidence.assignments_from}"))
        else:
            lines += [("assignments", _assignment_words(a)) for a in self.evidence.assignments[:MOST_SHOWN]]
        return tuple(lines)


def finding_for_missing_role(
    introspection: Introspection, settings: Settings, evidence: Evidence, role: str
) -> Finding:
    """Return why the roles claim lacks ``role``, as far as it can be known."""
    facts = _Facts(role=role, introspection=introspection, settings=settings, evidence=evidence)
    finding = _other_project_configured(facts) or _administrators(facts)
    finding = finding or _narrowed(facts) or _narrowed_by_organization(facts)
    finding = finding or _deactivated(facts) or _unshown(facts) or _in_other_project(facts)
    finding = finding or _near_miss(facts) or _undefined(facts) or _not_granted(facts) or _open(facts)
    return finding.and_seen(facts.seen)


def _other_project_configured(facts: _Facts) -> Finding | None:
    """Find a configured project that is not the application's: ZITADEL shows only the roles of the latter."""
    project, configured = facts.project, facts.settings.project_id
    if not configured or not project or project == configured:
        return None
    use_configured = f"use an API application of project {configured}: set its {facts.settings.credential_variables}"
    use_own = f"ZITADEL_PROJECT_ID={quoted(project, 40)}"
    grant = f"and grant the role there: {facts.grant}"
    has_it = facts.role in facts.introspection.roles(project)
    exists = any(a.project_id == configured for a in facts.evidence.assignments or ())
    configured_is_meant = exists and not has_it
    return Finding(
        id="role.other_project_configured",
        cause=f"the API application belongs to project {quoted(project, 40)}, but ZITADEL_PROJECT_ID is {configured}: "
        "ZITADEL shows an API only the roles of its own project",
        fix=(use_configured,) if configured_is_meant else (use_own, *(() if has_it else (grant,))),
        otherwise=(f"or, if the other project is meant: {use_own}", grant)
        if configured_is_meant
        else (f"or, if there is such a project: {use_configured}",),
    )


def _administrators(facts: _Facts) -> Finding | None:
    """Find an administrator's token: the fix is never to grant it the role."""
    rights = facts.evidence.own_rights
    if not rights and not facts.evidence.is_admin_pat:
        return None
    what = ", ".join(quoted(right, 40) for right in rights[:MOST_SHOWN]) or "ZITADEL_ADMIN_PAT"
    if facts.evidence.admin_pat_rights == ():
        return Finding(
            id="role.swapped_tokens",
            cause=f"the token that was sent is an administrator's ({what}), and ZITADEL_ADMIN_PAT is not: they are "
            "swapped",
            fix=("exchange the values of PAT and ZITADEL_ADMIN_PAT",),
        )
    return Finding(
        id="role.administrators_token",
        cause=f"the token is valid, but it is an administrator's ({what}), without the role {facts.role}; "
        "an administrator's token should not be sent to APIs",
        fix=("set PAT to the token of a service user who has the role",),
        otherwise=("zdemo setup  (creates such a user and its token, if there is none)",),
    )


def _narrowed(facts: _Facts) -> Finding | None:
    """Find a token that was requested for certain roles: ZITADEL shows it no other role, granted or not."""
    requested = role_scopes(facts.introspection)
    if is_pat(facts.introspection) or not requested or facts.role in requested:
        return None
    names = ", ".join(sorted(quoted(role, 60) for role in requested))
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for the role {names} only (by its scope): ZITADEL does not show {facts.role}, "
        "granted or not",
        fix=("request the token without role scopes; then it has every role of its user in this project",),
    )


def _narrowed_by_organization(facts: _Facts) -> Finding | None:
    organizations = [s for s in facts.introspection.scopes if s.startswith(ORGANIZATION_SCOPE)]
    if is_pat(facts.introspection) or not organizations:
        return None
    names = ", ".join(quoted(s.removeprefix(ORGANIZATION_SCOPE), 40) for s in organizations)
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for roles granted by the organization {names} only (by its scope), and "
        f"{facts.role} is not among them",
        candidates=() if facts.is_granted_here else ("another organization has granted it", "it is not granted at all"),
        fix=(f"request the token without the scopes that begin with {ORGANIZATION_SCOPE}", facts.grant),
    )


def _deactivated(facts: _Facts) -> Finding | None:
    if facts.is_granted_here or not any(a.project_id == facts.project_that_counts for a in facts.assignments):
        return None
    return Finding(
        id="role.deactivated",
        cause=f"the role {facts.role} is granted in this project, but that role assignment is deactivated",
        fix=(facts.grant + "  (activates the assignment)",),
    )


def _unshown(facts: _Facts) -> Finding | None:
    """Find a role that is, or may be, granted here, but that the answer lacks."""
    may_be_granted = facts.is_granted_here or facts.evidence.assignments is None
    return (_claims_removed(facts) if may_be_granted else None) or _just_changed(facts)


def _claims_removed(facts: _Facts) -> Finding | None:
    """Find an answer without the claims that ZITADEL gives with every token that has this scope."""
    whole = RESOURCE_OWNER not in facts.introspection.scopes
    if whole or any(name.startswith("urn:zitadel:") for name in facts.introspection.claims):
        return None
    return Finding(
        id="role.claims_removed",
        cause="something between here and ZITADEL removes its claims from introspection: none begins with "
        f"urn:zitadel:, though the scope lists {RESOURCE_OWNER}",
        likely=True,
        fix=(LET_THROUGH,),
    )


def _just_changed(facts: _Facts) -> Finding | None:
    if not facts.is_granted_here:
        return None
    listed = f"ZITADEL lists the role {facts.role} as granted in this project"
    again = facts.evidence.body(Probe.AGAIN)
    if Introspection(active=True, claims=again).has_role(facts.role, facts.settings.project_id):
        cause = f"the role {facts.role} was granted a moment ago: introspection shows it now"
        return Finding(id=JUST_CHANGED, cause=cause, fix=("try again",))
    moment = () if facts.is_settled else ("it was granted or changed a moment ago, and introspection shows that soon",)
    asked = (("asked", "introspection was asked twice"),) if again else ()
    try_again = "try again: a change shows within milliseconds as a rule, a minute at most"
    return Finding(
        id=JUST_CHANGED,
        cause=f"{listed}{'' if moment else ' for more than a minute'}, but introspection does not show it",
        candidates=(
            *moment,
            *(() if facts.project else ("the API application belongs to another project than ZITADEL_PROJECT_ID",)),
            "something between here and ZITADEL changes the answers of introspection, or repeats old ones (a cache)",
            *(() if moment else ("ZITADEL is behind with its own tables (projections): its log names that",)),
        ),
        seen=asked,
        fix=(try_again, f"if it stays so: {LET_THROUGH}") if moment else (LET_THROUGH,),
    )


def _in_other_project(facts: _Facts) -> Finding | None:
    """Find an active assignment in another project; in the API's own project, the role would show."""
    elsewhere = [a for a in facts.assignments if a.active and a.project_id != facts.project_that_counts]
    if not elsewhere:
        return None
    where = " and in ".join(_project_words(a) for a in elsewhere[:3])
    here = f" ({quoted(facts.project, 40)})" if facts.project else ""
    undefined = facts.defined is not None and facts.role not in facts.defined
    more = f"; this API's project does not define {facts.role}" if undefined else ""
    in_this = f"grant it in this project: {facts.grant}"
    other_app = f"if {_project_words(elsewhere[0])} is meant: use an API application of that project"
    return Finding(
        id="role.in_other_project",
        cause=f"the role {facts.role} is granted in {where}, not in this API's project{here}{more}",
        fix=(other_app if undefined else in_this,),
        otherwise=(f"or, if this one is meant: {facts.add}", f"then {in_this}") if undefined else (f"or, {other_app}",),
    )


def _near_miss(facts: _Facts) -> Finding | None:
    near = near_miss(facts.role, facts.granted)
    if not near:
        return None
    exists = facts.defined is not None and facts.role in facts.defined
    fix, otherwise = _corrected(facts, near, (facts.grant,) if exists else _rename(facts, near))
    return Finding(
        id="role.near_miss",
        cause=f"the token has the role {quoted(near)}, but the API requires {facts.role}, which is another role key",
        fix=fix,
        otherwise=otherwise,
    )


def _corrected(facts: _Facts, near: str, steps: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fix and its alternative: an API may misspell the role that it requires, but zdemo's own does not."""
    if facts.role == ROLE:
        return steps, (f"or, in an API of your own, require {quoted(near)}",)
    first, *others = steps
    return (f"in the API, require {quoted(near)} instead of {facts.role}",), (
        f"or, if {facts.role} is right: {first}",
        *others,
    )


def _rename(facts: _Facts, near: str) -> tuple[str, ...]:
    """Return how to get the right key; ZITADEL refuses two keys in a project that differ only in case (409)."""
    if near.casefold() == facts.role.casefold():
        return (
            f"remove the role {quoted(near)} from the project",
            facts.add,
            f"then grant it: {facts.grant}",
            "(ZITADEL accepts only one of two keys that differ only in case)",
        )
    return (facts.add, f"then grant it: {facts.grant}")


def _undefined(facts: _Facts) -> Finding | None:
    """Find a role that the project does not define: a PAT's scope lists every role of the project."""
    if facts.defined is None or facts.role in facts.defined:
        return None
    near = near_miss(facts.role, facts.defined)
    there = ", ".join(sorted(quoted(role, 60) for role in facts.defined)[:10]) or "none"
    add = (facts.add, f"then grant it: {facts.grant}")
    fix, otherwise = _corrected(facts, near, _rename(facts, near)) if near else (add, ())
    similar = f", only {quoted(near)}" if near else ""
    return Finding(
        id="role.near_miss" if near else "role.undefined",
        cause=f"this API's project does not define the role {facts.role}{similar}, so no user can have it",
        seen=(("defined", f"roles of this project: {there}"),),
        fix=fix,
        otherwise=(*otherwise, "or, if the role belongs to another project: use an API application of that project"),
    )


def _not_granted(facts: _Facts) -> Finding | None:
    unknown_project = not facts.project_that_counts and facts.assignments
    if facts.evidence.assignments is None or unknown_project:
        return None
    has = "has other roles in this project" if facts.granted else "has no role in this project"
    missing, guest = _missing_from_project_grant(facts), facts.evidence.guest_records
    assigns = f"or, if the organization {guest.organization[1]} is to assign it: " if guest and missing else ""
    return Finding(
        id="role.not_granted",
        cause=f"the token is valid, but the role {facts.role} is not granted to its user, who {has}{missing}",
        fix=(facts.grant,),
        otherwise=(f"{assigns}add it to the project grant: the project's page, Grants",) if assigns else (),
    )


def _missing_from_project_grant(facts: _Facts) -> str:
    """Return why the user's own organization cannot have assigned the role, if an administrator sees that."""
    guest = facts.evidence.guest_records
    if guest is None or (guest.grant and facts.role in guest.grant.role_keys):
        return ""
    number, name = (quoted(text, 60) for text in guest.organization)
    project = f"project {quoted(guest.project.name, 60)}"
    lacks = (
        f"the project grant of {project} to it lacks the role"
        if guest.grant
        else f"{project} has no project grant for it"
    )
    return f". The user is of the organization {name} ({number}): {lacks}"


def _open(facts: _Facts) -> Finding:
    candidates = [
        "it is not granted to the token's user",
        "it is granted in another project than this API's",
        "its role assignment is deactivated",
    ]
    if facts.defined is None:
        candidates.append("this project does not define it, or defines it in another spelling")
    needs = "" if facts.evidence.with_administrator else "; needs ZITADEL_ADMIN_PAT"
    scope = f"or request the token with the scope {OWN_API_SCOPE}: then it may list its own role assignments"
    unlisted = facts.evidence.assignments is None and facts.evidence.status(Probe.ASSIGNMENTS) is None
    refused = unlisted or facts.evidence.status(Probe.ASSIGNMENTS) in (401, 403)
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {facts.role} in this project",
        candidates=tuple(candidates),
        fix=(
            f"{pasteable('zdemo role list', facts.user)}  (shows the user's roles in this project{needs})",
            facts.grant,
        ),
        otherwise=(scope,) if refused and not is_pat(facts.introspection) else (),
    )


def _why_unknown(evidence: Evidence) -> str:
    status = evidence.status(Probe.ASSIGNMENTS)
    if status is None:
        return "no answer came in time" if evidence.asked else "not asked"
    if status in (401, 403):
        neither = ", and ZITADEL_ADMIN_PAT did not show them either" if evidence.with_administrator else ""
        return f"this token may not list them{neither}"
    return f"ZITADEL answered {status}"


def _assignment_words(assignment: RoleAssignment) -> str:
    keys = ", ".join(quoted(key, 60) for key in assignment.role_keys) or "no role"
    state = "" if assignment.active else ", deactivated"
    return f"{keys} in {_project_words(assignment)}{state}"


def _project_words(assignment: RoleAssignment) -> str:
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"
