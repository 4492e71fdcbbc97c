"""Why the API refuses an active token, usually for a missing role, and what is unusual about the token.

ZITADEL lets any PAT list its own role assignments, so most findings about roles are certain.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from zdemo.config.names import did_you_mean
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, GrantRole, quoted
from zdemo.diagnosis.wording import CLOCK_COMPARED, SYNCHRONISE, Lines, clock_words, shown_list, span
from zdemo.errors import ROLE_SCOPE, InsufficientScope, InvalidToken, Refused
from zdemo.guard.authorization import NO_ROLE, Policy, RequiredRoles, authorize
from zdemo.text.printable import pasteable
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection, project_behind
from zdemo.zitadel.records import RoleAssignment

SCOPE_NOTE = "scope also lists"
SOON_SECONDS = 600
SOON_FOR_A_PAT_SECONDS = 7 * 86_400
OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"
ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"
NEAR_ROLE = 0.85  # of 1: one edit
MOST_SHOWN = 8  # role assignments in the evidence
PROJECT_CLAIM = re.compile(r"urn:zitadel:iam:org:project:([^:]+):roles")


def is_pat(introspection: Introspection) -> bool:
    """Return whether the token is a personal access token: only a PAT has no ``client_id`` (ZITADEL)."""
    return "client_id" not in introspection.claims


def may_list_own_assignments(introspection: Introspection) -> bool:
    """Return whether ZITADEL lets the token list its user's role assignments and rights."""
    return is_pat(introspection) or OWN_API_SCOPE in introspection.scopes


def user_of(introspection: Introspection) -> str:
    """Return the token's user as commands take it: the ID if hidden characters make the name look like another's."""
    names = (introspection.text(name) for name in ("username", "preferred_username", "sub"))
    return next((name for name in names if name and name == quoted(name)), "USER")


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
class _RoleCase:
    role: str  # which an active token lacks
    introspection: Introspection
    settings: Settings
    evidence: Evidence

    @cached_property
    def project(self) -> str | None:
        """The API application's project; ``None`` when that is unknown."""
        return own_project(self.introspection, self.settings)

    @cached_property
    def granted(self) -> tuple[str, ...]:
        return tuple(self.introspection.roles(self.settings.project_id))

    @cached_property
    def defined(self) -> frozenset[str] | None:
        """The roles that the project defines, which only a PAT of this client shows."""
        surely_a_pat = is_pat(self.introspection) and self.settings.client_id in self.introspection.audience
        return role_scopes(self.introspection) if surely_a_pat else None

    @property
    def here(self) -> tuple[RoleAssignment, ...]:
        """The assignments that hold the role in the project that counts: the configured one, else the application's."""
        project = self.settings.project_id or self.project
        return tuple(a for a in self.holding if a.project_id == project)

    @property
    def holding(self) -> tuple[RoleAssignment, ...]:
        """The user's assignments that hold the role."""
        return tuple(a for a in self.evidence.assignments or () if self.role in a.role_keys)

    @property
    def grant(self) -> str:
        return self.command("grant", self.role)

    def command(self, action: str, *roles: str) -> str:
        """Return a ``zdemo role`` command for the user, with the option for an administrator that it needs."""
        words = pasteable(f"zdemo role {action}", user_of(self.introspection), *roles)
        return words if " -- " in words else words + self.evidence.admin_option

    @property
    def define(self) -> str:
        return f"{self.command('grant --create-role', self.role)}  (defines the role first)"

    @property
    def seen(self) -> Lines:
        names = ", ".join(quoted(role, 60) for role in self.granted) or "none"
        lines = [("token", "active"), ("roles", f"in this project: {names}")]
        if self.project:
            lines.append(("project", f"this API's is {quoted(self.project, 40)}"))
        if self.evidence.assignments is None:
            neither = ", and ZITADEL_ADMIN_PAT did not show them either" if self.evidence.with_administrator else ""
            may = may_list_own_assignments(self.introspection)
            if may and self.evidence.status(Probe.ASSIGNMENTS) not in (401, 403):
                lines.append(("assignments", "unknown: ZITADEL did not list them"))
            else:
                lines.append(("assignments", f"unknown: this token may not list them{neither}"))
        elif not self.evidence.assignments:
            lines.append(("assignments", f"none at all, listed with {self.evidence.assignments_from}"))
        for assignment in (self.evidence.assignments or ())[:MOST_SHOWN]:
            keys = ", ".join(quoted(key, 60) for key in assignment.role_keys) or "no role"
            state = "" if assignment.active else ", deactivated"
            lines.append(("assignments", f"{keys} in {project_words(assignment)}{state}"))
        return tuple(lines)


def project_words(assignment: RoleAssignment) -> str:
    """Return the project of an assignment in a sentence."""
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"


def _without_role(case: _RoleCase) -> Iterator[Finding]:
    """Yield why the roles claim lacks the role, the surest first."""
    project, configured = case.project, case.settings.project_id
    if configured and project and project != configured:  # ZITADEL shows only the roles of the application's project
        use_own = f"ZITADEL_PROJECT_ID={quoted(project, 40)}"
        grant = () if case.role in case.introspection.roles(project) else (f"and grant the role there: {case.grant}",)
        other_app = f"use an API application of project {configured}: set its {case.settings.credential_variables}"
        yield Finding(
            id="role.other_project_configured",
            cause=f"the API application belongs to project {quoted(project, 40)}, but ZITADEL_PROJECT_ID is "
            f"{configured}: ZITADEL shows an API only the roles of its own project",
            fix=(use_own, *grant),
            otherwise=(f"or, if there is such a project: {other_app}",),
        )
    rights = case.evidence.own_rights
    what = ", ".join(quoted(right, 40) for right in rights[:MOST_SHOWN]) or "ZITADEL_ADMIN_PAT"
    if rights and case.evidence.admin_pat_rights == ():
        yield Finding(
            id="role.swapped_tokens",
            cause=f"the token that was sent is an administrator's ({what}), and ZITADEL_ADMIN_PAT is not: they are "
            "swapped",
            fix=("exchange the values of PAT and ZITADEL_ADMIN_PAT",),
        )
    if rights or case.evidence.is_admin_pat:  # the fix is never to grant it the role
        yield Finding(
            id="role.administrators_token",
            cause=f"the token is valid, but it is an administrator's ({what}), without the role {case.role}; "
            "an administrator's token should not be sent to APIs",
            fix=("set PAT to the token of a service account that has the role",),
            otherwise=("zdemo setup  (creates such a user and its token, if there is none)",),
        )
    yield from _narrowed(case)
    granted_here = any(a.active for a in case.here)
    if case.here and not granted_here:
        yield Finding(
            id="role.deactivated",
            cause=f"the role {case.role} is granted in this project, but that role assignment is deactivated",
            fix=(case.grant + "  (activates the assignment)",),
        )
    if granted_here:
        other = "the API application belongs to another project than ZITADEL_PROJECT_ID"
        yield Finding(
            id="role.just_changed",
            cause=f"ZITADEL lists the role {case.role} as granted in this project, but introspection does not show it",
            candidates=(
                "it was granted or changed a moment ago, and introspection shows that soon",
                *(() if case.project else (other,)),
                "something between here and ZITADEL changes the answers of introspection, or repeats old ones (a "
                "cache)",
            ),
            fix=(
                "try again: a change usually shows within milliseconds, at most within a minute",
                "if that does not help: let proxies pass the answers of /oauth/v2/introspect unchanged and uncached",
            ),
        )
    elsewhere = [a for a in case.holding if a.active and a not in case.here]
    undefined = case.defined is not None and case.role not in case.defined  # a PAT's scope lists all of the project
    if elsewhere:  # in the API's own project, the role would show
        where = " and in ".join(project_words(a) for a in elsewhere[:3])
        here = f" ({quoted(case.project, 40)})" if case.project else ""
        more = f"; this API's project does not define {case.role}" if undefined else ""
        in_this = f"grant it in this project: {case.grant}"
        other_app = f"if {project_words(elsewhere[0])} is meant: use an API application of that project"
        yield Finding(
            id="role.in_other_project",
            cause=f"the role {case.role} is granted in {where}, not in this API's project{here}{more}",
            fix=(other_app if undefined else in_this,),
            otherwise=(f"or, if this one is meant: {case.define}" if undefined else f"or, {other_app}",),
        )
    if near := near_miss(case.role, case.granted):
        yield Finding(
            id="role.near_miss",
            cause=f"the token has the role {quoted(near)}, but the API requires {case.role}, which is another role key",
            fix=(case.grant,) if case.defined and not undefined else _rename(case, near),
            otherwise=(f"or, if that is the right key: require {quoted(near)} in the API",),
        )
    if undefined:
        near = near_miss(case.role, case.defined or ())
        there = ", ".join(sorted(quoted(role, 60) for role in case.defined or ())[:10]) or "none"
        similar = f", only {quoted(near)}" if near else ""
        yield Finding(
            id="role.near_miss" if near else "role.undefined",
            cause=f"this API's project does not define the role {case.role}{similar}, so no user can have it",
            seen=(("defined", f"roles of this project: {there}"),),
            fix=_rename(case, near),
            otherwise=("or, if the role belongs to another project: use an API application of that project",),
        )
    unknown_project = not (case.settings.project_id or case.project) and case.holding
    if case.evidence.assignments is not None and not unknown_project:
        has = "has other roles in this project" if case.granted else "has no role in this project"
        yield Finding(
            id="role.not_granted",
            cause=f"the token is valid, but the role {case.role} is not granted to its user, who {has}",
            fix=(case.grant,),
            repair=GrantRole(case.introspection.text("sub"), user_of(case.introspection), case.role),
        )
    yield _open(case)


def _narrowed(case: _RoleCase) -> Iterator[Finding]:
    """Yield a finding if the token was requested for certain roles or organizations: ZITADEL shows no others."""
    scopes, requested = case.introspection.scopes, role_scopes(case.introspection)
    organizations = [s.removeprefix(ORGANIZATION_SCOPE) for s in scopes if s.startswith(ORGANIZATION_SCOPE)]
    by_role = bool(requested) and case.role not in requested
    if is_pat(case.introspection) or not (by_role or organizations):
        return
    names = ", ".join(quoted(name, 60) for name in (sorted(requested) if by_role else organizations))
    what = f"the role {names}" if by_role else f"roles granted by the organization {names}"
    is_open = not by_role and not any(a.active for a in case.here)
    yield Finding(
        id="role.narrowed",
        cause=f"the token was requested for {what} only (by its scope): ZITADEL does not show {case.role}",
        candidates=("another organization has granted it", "it is not granted at all") if is_open else (),
        fix=(
            "request the token without role scopes, and without scopes for organizations; then it has every role of "
            "its user in this project",
            *(() if by_role else (case.grant,)),
        ),
    )


def _rename(case: _RoleCase, near: str) -> tuple[str, ...]:
    """Return how to get the right key; ZITADEL refuses two keys in a project that differ only in case (409)."""
    if near.casefold() != case.role.casefold():
        return (case.define,)
    one = "(ZITADEL accepts only one of two keys that differ only in case)"
    return (f"remove the role {quoted(near)} from the project", case.define, one)


def _open(case: _RoleCase) -> Finding:
    spelled = "this project does not define it, or defines it in another spelling"
    scope = f"or request the token with the scope {OWN_API_SCOPE}: then it may list its own role assignments"
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {case.role} in this project",
        candidates=(
            "it is not granted to the token's user",
            "it is granted in another project than this API's",
            "its role assignment is deactivated",
            *((spelled,) if case.defined is None else ()),
        ),
        fix=(f"{case.command('list')}  (shows the user's roles in this project)", case.grant),
        otherwise=() if may_list_own_assignments(case.introspection) else (scope,),
    )


def near_miss(role: str, others: Collection[str]) -> str:
    """Return a key that most likely means the same: it differs in case or by one edit; empty when there is none."""
    return did_you_mean(role, [other for other in others if other != role], least=NEAR_ROLE)


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
        case = _RoleCase(role=refusal.role, introspection=introspection, settings=settings, evidence=evidence)
        return next(_without_role(case)).and_seen(case.seen)
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
    introspection: Introspection, settings: Settings, role: str | None, *, now: float, evidence: Evidence
) -> tuple[str, ...]:
    """Return a sentence for each thing that is unusual about an active token."""
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
    left = (introspection.expires_at or 0) - now
    if 0 < left <= (SOON_FOR_A_PAT_SECONDS if of_pat else SOON_SECONDS):
        texts.append(f"the token expires soon, in {span(left)}")
    if ahead := evidence.clock_off_by:
        texts.append(f"{clock_words(ahead)}: synchronise the time")
    return tuple(texts)
