"""Why an active token lacks the role that the API requires.

ZITADEL lets any PAT list its own role assignments, so most findings are certain.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from zdemo.config.names import did_you_mean
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.rule import Rule, rule, table
from zdemo.diagnosis.token_case import TokenCase
from zdemo.diagnosis.wording import Lines
from zdemo.errors import ROLE_SCOPE, InsufficientScope
from zdemo.errors.response import Response
from zdemo.errors.steps import Command, GrantRole, SetVariable, Step, sentence
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection, project_behind
from zdemo.zitadel.records import RoleAssignment

OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"
ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"
NEAR_ROLE = 0.85  # of 1: one edit
MOST_SHOWN = 8  # role assignments in the evidence
PROJECT_CLAIM = re.compile(r"urn:zitadel:iam:org:project:([^:]+):roles")
ALL_ROLES = (
    "request the token without role scopes, and without scopes for organizations; then it has every role of its user "
    "in this project"
)


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


def other_application(settings: Settings) -> str:
    """Return what to do if the configured project is meant."""
    return f"use an API application of project {settings.project_id}: set its {settings.credential_variables}"


def near_miss(role: str, others: Collection[str]) -> str:
    """Return a key that most likely means the same: it differs in case or by one edit; empty when there is none."""
    return did_you_mean(role, [other for other in others if other != role], least=NEAR_ROLE)


def _project_words(assignment: RoleAssignment) -> str:
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"


@dataclass(frozen=True, kw_only=True)
class _RoleCase:
    role: str  # which an active token lacks
    introspection: Introspection
    settings: Settings
    evidence: Evidence
    refused_for_role: bool

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
    def holding(self) -> tuple[RoleAssignment, ...]:
        """The user's assignments that hold the role."""
        return tuple(a for a in self.evidence.assignments or () if self.role in a.role_keys)

    @property
    def here(self) -> tuple[RoleAssignment, ...]:
        """The assignments that hold the role in the project that counts: the configured one, else the application's."""
        project = self.settings.project_id or self.project
        return tuple(a for a in self.holding if a.project_id == project)

    @property
    def rights(self) -> str:
        return ", ".join(quoted(right, 40) for right in self.evidence.own_rights[:MOST_SHOWN]) or "ZITADEL_ADMIN_PAT"

    def may_show_rights(self) -> bool:  # where the API named the cause, no request is left for them
        return not self.refused_for_role and may_list_own_assignments(self.introspection)

    def is_granted(self) -> bool:
        return any(a.active for a in self.here)

    def is_undefined(self) -> bool:
        return self.defined is not None and self.role not in self.defined

    def grant(self, action: str = "grant", *, does: str = "") -> Command:
        names = user_of(self.introspection), self.role
        return Command(f"role {action}", names, self.evidence.admin_option, does=does)

    def rename(self, near: str) -> tuple[Step, ...]:
        """Return how to get the right key; ZITADEL refuses two keys in a project that differ only in case (409)."""
        define = self.grant("grant --create-role", does="defines the role first")
        if near.casefold() != self.role.casefold():
            return (define,)
        why = "ZITADEL accepts only one of two keys that differ only in case"
        return f"remove the role {quoted(near)} from the project: {why}", define


def _role_case(case: TokenCase) -> _RoleCase | None:
    if not isinstance(case.refusal, InsufficientScope) or case.introspection is None or case.settings is None:
        return None
    return _RoleCase(
        role=case.refusal.role,
        introspection=case.introspection,
        settings=case.settings,
        evidence=case.evidence,
        refused_for_role=case.refused_for_role,
    )


def _of_case(inner: Rule[_RoleCase]) -> Rule[TokenCase]:
    return Rule(
        lambda case: inner.judge(known) if (known := _role_case(case)) else None,
        inner.needs,
        lambda case: (known := _role_case(case)) is not None and inner.when(known),
    )


# --- what introspection shows, and the rights of the token's user


@rule()
def _other_project_configured(case: _RoleCase) -> Finding | None:
    project, configured = case.project, case.settings.project_id
    if not project or not configured or project == configured:
        return None
    has_role = case.role in case.introspection.roles(project)
    grant = () if has_role else (sentence("and grant the role there:", case.grant()),)
    return Finding(
        id="role.other_project_configured",
        cause=f"the API application belongs to project {quoted(project, 40)}, but ZITADEL_PROJECT_ID is "
        f"{configured}: ZITADEL shows an API only the roles of its own project",
        fix=(SetVariable("ZITADEL_PROJECT_ID", quoted(project, 40)), *grant),
        otherwise=(f"or, if there is such a project: {other_application(case.settings)}",),
    )


def _administrators(case: _RoleCase) -> Finding:
    return Finding(  # the fix is never to grant it the role
        id="role.administrators_token",
        cause=f"the token is valid, but it is an administrator's ({case.rights}), without the role "
        f"{case.role}; an administrator's token should not be sent to APIs",
        fix=("set PAT to the token of a service account that has the role",),
        otherwise=(Command("setup", does="creates such a user and its token, if there is none"),),
    )


@rule(Probe.OWN_RIGHTS, when=_RoleCase.may_show_rights)
def _administrators_token(case: _RoleCase) -> Finding | None:
    with_other = case.evidence.with_administrator  # then they may be swapped
    return _administrators(case) if case.evidence.own_rights and not with_other else None


@rule(Probe.ADMINISTRATOR_RIGHTS, when=lambda case: bool(case.evidence.own_rights))
def _swapped_tokens(case: _RoleCase) -> Finding:
    if case.evidence.admin_pat_rights != ():
        return _administrators(case)
    return Finding(
        id="role.swapped_tokens",
        cause=f"the token that was sent is an administrator's ({case.rights}), and ZITADEL_ADMIN_PAT is not: they "
        "are swapped",
        fix=("exchange the values of PAT and ZITADEL_ADMIN_PAT",),
    )


@rule()
def _narrowed_to_roles(case: _RoleCase) -> Finding | None:
    requested = role_scopes(case.introspection)
    if is_pat(case.introspection) or not requested or case.role in requested:
        return None
    names = ", ".join(quoted(name, 60) for name in sorted(requested))
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for the role {names} only (by its scope): ZITADEL does not show {case.role}",
        fix=(ALL_ROLES,),
    )


# --- what the user's role assignments show


@rule(Probe.ASSIGNMENTS)
def _narrowed_to_organizations(case: _RoleCase) -> Finding | None:
    scopes = () if is_pat(case.introspection) else case.introspection.scopes
    organizations = [s.removeprefix(ORGANIZATION_SCOPE) for s in scopes if s.startswith(ORGANIZATION_SCOPE)]
    if not organizations:
        return None
    names = ", ".join(quoted(name, 60) for name in organizations)
    candidates = ("another organization has granted it", "it is not granted at all")
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for roles granted by the organization {names} only (by its scope): ZITADEL "
        f"does not show {case.role}",
        candidates=() if case.is_granted() else candidates,
        fix=(ALL_ROLES, case.grant()),
    )


@rule(Probe.ASSIGNMENTS, when=_RoleCase.is_granted)
def _just_changed(case: _RoleCase) -> Finding:
    other = "the API application belongs to another project than ZITADEL_PROJECT_ID"
    return Finding(
        id="role.just_changed",
        cause=f"ZITADEL lists the role {case.role} as granted in this project, but introspection does not show it",
        candidates=(
            "it was granted or changed a moment ago, and introspection shows that soon",
            *(() if case.project else (other,)),
            "something between here and ZITADEL changes the answers of introspection, or repeats old ones (a cache)",
        ),
        fix=(
            "try again: a change usually shows within milliseconds, at most within a minute",
            "if that does not help: let proxies pass the answers of /oauth/v2/introspect unchanged and uncached",
        ),
    )


@rule(Probe.ASSIGNMENTS)
def _deactivated(case: _RoleCase) -> Finding | None:
    if not case.here:
        return None
    return Finding(
        id="role.deactivated",
        cause=f"the role {case.role} is granted in this project, but that role assignment is deactivated",
        fix=(case.grant(does="activates the assignment"),),
    )


@rule(Probe.ASSIGNMENTS)
def _in_other_project(case: _RoleCase) -> Finding | None:
    elsewhere = [a for a in case.holding if a.active and a not in case.here]
    if not elsewhere:
        return None
    where = " and in ".join(_project_words(a) for a in elsewhere[:3])
    here = f" ({quoted(case.project, 40)})" if case.project else ""
    more = f"; this API's project does not define {case.role}" if case.is_undefined() else ""
    use_other = f"if {_project_words(elsewhere[0])} is meant: use an API application of that project"
    use_this = sentence("grant it in this project:", case.grant()), f"or, {use_other}"
    define = use_other, sentence("or, if this one is meant:", case.grant("grant --create-role"))
    fix, otherwise = define if case.is_undefined() else use_this
    return Finding(  # in the API's own project, the role would show
        id="role.in_other_project",
        cause=f"the role {case.role} is granted in {where}, not in this API's project{here}{more}",
        fix=(fix,),
        otherwise=(otherwise,),
    )


@rule()
def _near_miss(case: _RoleCase) -> Finding | None:
    if not (near := near_miss(case.role, case.granted)):
        return None
    return Finding(
        id="role.near_miss",
        cause=f"the token has the role {quoted(near)}, but the API requires {case.role}, which is another role key",
        fix=(case.grant(),) if case.defined and not case.is_undefined() else case.rename(near),
        otherwise=(f"or, if that is the right key: require {quoted(near)} in the API",),
    )


@rule(when=_RoleCase.is_undefined)
def _undefined(case: _RoleCase) -> Finding:
    near = near_miss(case.role, case.defined or ())
    names = ", ".join(sorted(quoted(role, 60) for role in case.defined or ())[:10]) or "none"
    similar = f", only {quoted(near)}" if near else ""
    return Finding(
        id="role.near_miss" if near else "role.undefined",
        cause=f"this API's project does not define the role {case.role}{similar}, so no user can have it",
        seen=(("defined", f"roles of this project: {names}"),),
        fix=case.rename(near),
        otherwise=("or, if the role belongs to another project: use an API application of that project",),
    )


@rule(Probe.ASSIGNMENTS)
def _not_granted(case: _RoleCase) -> Finding | None:
    unknown_project = not (case.settings.project_id or case.project) and case.holding
    if case.evidence.assignments is None or unknown_project:
        return None
    has = "has other roles in this project" if case.granted else "has no role in this project"
    user_id, name = case.introspection.text("sub"), user_of(case.introspection)
    return Finding(
        id="role.not_granted",
        cause=f"the token is valid, but the role {case.role} is not granted to its user, who {has}",
        fix=(GrantRole(user_id, name, case.role, case.evidence.admin_option),),
    )


@rule()
def _missing(case: _RoleCase) -> Finding:
    spelled = "this project does not define it, or defines it in another spelling"
    scope = f"or request the token with the scope {OWN_API_SCOPE}: then it may list its own role assignments"
    names, option = (user_of(case.introspection),), case.evidence.admin_option
    roles = Command("role list", names, option, does="shows the user's roles in this project")
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {case.role} in this project",
        candidates=(
            "it is not granted to the token's user",
            "it is granted in another project than this API's",
            "its role assignment is deactivated",
            *((spelled,) if case.defined is None else ()),
        ),
        fix=(roles, case.grant()),
        otherwise=() if may_list_own_assignments(case.introspection) else (scope,),
    )


def _token_lines(case: _RoleCase) -> Lines:
    names = ", ".join(quoted(role, 60) for role in case.granted) or "none"
    project = (("project", f"this API's is {quoted(case.project, 40)}"),) if case.project else ()
    return ("token", "active"), ("roles", f"in this project: {names}"), *project


def _assignment_lines(case: _RoleCase) -> Lines:
    evidence, lines = case.evidence, []
    if evidence.assignments is None:
        neither = ", and ZITADEL_ADMIN_PAT did not show them either" if evidence.with_administrator else ""
        refused = isinstance(reply := evidence.assignments_refused, Response) and reply.status in (401, 403)
        may_list = may_list_own_assignments(case.introspection) and not refused
        lines = [f"unknown: {'ZITADEL did not list them' if may_list else f'this token may not list them{neither}'}"]
    elif not evidence.assignments:
        lines = [f"none at all, listed with {evidence.assignments_from}"]
    for assignment in (evidence.assignments or ())[:MOST_SHOWN]:
        keys = ", ".join(quoted(key, 60) for key in assignment.role_keys) or "no role"
        lines.append(f"{keys} in {_project_words(assignment)}{'' if assignment.active else ', deactivated'}")
    return *_token_lines(case), *(("assignments", line) for line in lines)


BY_INTROSPECTION = table(
    _other_project_configured,
    rule(when=lambda case: case.evidence.is_admin_pat)(_administrators),
    _administrators_token,
    _swapped_tokens,
    _narrowed_to_roles,
    seen=_token_lines,
)
BY_ASSIGNMENTS = table(
    _narrowed_to_organizations,
    _just_changed,
    _deactivated,
    _in_other_project,
    _near_miss,
    _undefined,
    _not_granted,
    _missing,
    seen=_assignment_lines,
)
MISSING_ROLE = tuple(map(_of_case, (*BY_INTROSPECTION, *BY_ASSIGNMENTS)))
