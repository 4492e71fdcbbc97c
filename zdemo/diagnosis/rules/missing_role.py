"""Why an active token lacks the role that the API requires.

ZITADEL lets any PAT list its own role assignments, so most findings are certain.
"""

from collections.abc import Collection, Sequence

from zdemo.config.names import MANAGER_ROLES, could_be_new_role, near_role
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.wording import Lines
from zdemo.errors import InsufficientScope
from zdemo.errors.steps import Command, GrantRole, SetVariable, Step
from zdemo.zitadel.records import RoleAssignment

ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"
MOST_SHOWN = 8  # role assignments in the evidence
ALL_ROLES = "request the token without scopes for roles and organizations: it then has all roles in this project"


def with_other_token(evidence: Evidence) -> str:
    """Return what to do about an administrator's token, which is never to be granted the role."""
    other = "use the token of a service account that has the role, in PAT or with --pat"
    return f"leave out --pat: then PAT in {evidence.other_pat} is sent" if evidence.other_pat else other


def other_application(settings: Settings) -> str:
    """Return what to do if the configured project is meant."""
    return f"use an API application of project {settings.project_id}: set its {settings.credential_variables}"


def pat_at_resource(*, likely: bool = False) -> Finding:
    """Return that a protected resource refuses PATs."""
    cause = "the token is a PAT, which a protected resource refuses: a PAT is active at every API of the instance"
    fix = (Command("token", does="gets a token of a service account, or with --login, of a person"),)
    return Finding(id="token.is_pat", cause=cause, likely=likely, fix=fix)


def _names(keys: Collection[str], limit: int = 60) -> str:
    return ", ".join(quoted(key, limit) for key in keys)


def _project_words(assignment: RoleAssignment) -> str:
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"


def _grant(case: TokenCase, action: str = "grant", *, does: str = "") -> Command:
    return Command(f"role {action}", (case.active.user, case.role), case.evidence.admin_option, does=does)


# --- what introspection shows, and the administrator roles of the token's user


def _other_project_configured(case: TokenCase) -> Finding | None:
    project, configured = case.active.project, case.settings.project_id
    if not project or not configured or project == configured:
        return None
    has_role = case.role in case.introspection.roles(project)  # then the token and the application are of one project
    certain = has_role or configured == case.settings.client_id or not configured.isdigit()
    belongs = f"the API application belongs to project {quoted(project, 40)}, but ZITADEL_PROJECT_ID is {configured}"
    meant = "" if certain else "if the API application is the right one"
    other = f"or, if the project is the right one: {other_application(case.settings)}"
    cause = f"{belongs}: ZITADEL shows an API only the roles of its own project"
    fix = (SetVariable("ZITADEL_PROJECT_ID", quoted(project, 40), certain=certain, does=meant), other)
    return Finding(id="role.other_project_configured", cause=cause, fix=fix)


def _rights(case: TokenCase) -> str:
    return _names((case.evidence.own_rights or ())[:MOST_SHOWN], 40) or "ZITADEL_ADMIN_PAT"


def _administrators(case: TokenCase) -> Finding:
    return Finding(
        id="role.administrators_token",
        cause=f"the token is an administrator's ({_rights(case)}), and does not have the role {case.role}; an "
        "administrator's token should not be sent to APIs",
        fix=(with_other_token(case.evidence),),
        otherwise=(Command("setup", does="creates such a user and its token, if there is none"),),
    )


@rule(Probe.OWN_RIGHTS, when=lambda case: case.active.may_list or case.evidence.is_admin_pat)
def _administrators_token(case: TokenCase) -> Finding | None:
    rights, with_other = case.evidence.own_rights, case.evidence.with_administrator  # then they may be swapped
    is_its = rights != () if case.evidence.is_admin_pat else rights and not with_other
    return _administrators(case) if is_its else None


@rule(Probe.ADMINISTRATOR_RIGHTS, when=lambda case: bool(case.evidence.own_rights))
def _swapped_tokens(case: TokenCase) -> Finding:
    if case.evidence.admin_pat_rights != () or case.evidence.admin_option:  # a PAT that an option gave, not a variable
        return _administrators(case)
    cause = f"the token that was sent is an administrator's ({_rights(case)}), and ZITADEL_ADMIN_PAT is not"
    fix = "exchange the values of PAT and ZITADEL_ADMIN_PAT"
    return Finding(id="role.swapped_tokens", cause=f"{cause}: they are swapped", fix=(fix,))


def _narrowed_to_roles(case: TokenCase) -> Finding | None:
    requested = case.active.requested
    if case.active.is_pat or not requested or case.role in requested:
        return None
    return _narrowed(case, f"the role {_names(sorted(requested))}", ALL_ROLES)


def _narrowed(case: TokenCase, to: str, *fix: Step, candidates: tuple[str, ...] = ()) -> Finding:
    cause = f"the token was requested for {to} only (by its scope): ZITADEL does not show {case.role}"
    return Finding(id="role.narrowed", cause=cause, candidates=candidates, fix=fix)


# --- what the user's role assignments show


@rule(Probe.ASSIGNMENTS)
def _by_assignments(case: TokenCase) -> Finding | None:
    project = case.settings.project_id or case.active.project  # the one that counts
    holding = [a for a in case.evidence.assignments or () if case.role in a.role_keys]
    here = [a for a in holding if a.project_id == project]
    elsewhere = [a for a in holding if a.active and a not in here]
    is_granted = any(a.active for a in here)
    scopes = () if case.active.is_pat else case.introspection.scopes
    if organizations := [s.removeprefix(ORGANIZATION_SCOPE) for s in scopes if s.startswith(ORGANIZATION_SCOPE)]:
        to = f"roles granted by the organization {_names(organizations)}"
        candidates = () if is_granted else ("another organization has granted it", "it is not granted at all")
        return _narrowed(case, to, ALL_ROLES, _grant(case), candidates=candidates)
    if is_granted:
        return _just_changed(case)
    if here:
        cause = f"the role {case.role} is granted in this project, but that role assignment is deactivated"
        return Finding(id="role.deactivated", cause=cause, fix=(_grant(case, does="activates the assignment"),))
    return _in_other_project(case, elsewhere) if elsewhere else None


def _just_changed(case: TokenCase) -> Finding:
    cause = f"ZITADEL lists the role {case.role} as granted in this project, but introspection does not show it"
    moment = "it was granted or changed a moment ago: that usually shows within milliseconds, at most within a minute"
    other = "the API application belongs to another project than ZITADEL_PROJECT_ID"
    cached = "something between here and ZITADEL changes the answers of introspection, or repeats old ones (a cache)"
    fix = "try again", "then let proxies pass the answers of /oauth/v2/introspect unchanged"
    candidates = (moment, cached) if case.active.project else (moment, other, cached)
    return Finding(id="role.just_changed", cause=cause, candidates=candidates, fix=fix)


def _in_other_project(case: TokenCase, elsewhere: Sequence[RoleAssignment]) -> Finding:
    where, project = " and in ".join(_project_words(a) for a in elsewhere[:3]), case.active.project
    cause = f"the role {case.role} is granted in {where}, not in this API's project"
    if project:
        cause += f" ({quoted(project, 40)})"
    use_other = f"if {_project_words(elsewhere[0])} is meant: use an API application of that project"
    defined = case.active.defined
    if defined is not None and case.role not in defined:
        cause += f", which does not define {case.role}"
        define = _grant(case, "grant --create-role", does="or, if this project is meant: defines the role first")
        return Finding(id="role.in_other_project", cause=cause, fix=(use_other,), otherwise=(define,))
    grant = _grant(case, does="grants it in this project")
    return Finding(id="role.in_other_project", cause=cause, fix=(grant,), otherwise=(f"or, {use_other}",))


def _near_miss(case: TokenCase) -> Finding | None:
    defined, granted = case.active.defined, near_role(case.role, case.active.granted)
    is_defined = defined is not None and case.role in defined
    near = granted or ("" if defined is None or is_defined else near_role(case.role, defined))
    if not near and (defined is None or is_defined):
        return None
    cause = f"the token has the role {quoted(near)}, but the API requires {case.role}, which is another role key"
    if not granted:
        similar = f" (it defines {quoted(near)})" if near else ""
        cause = f"this API's project does not define the role {case.role}, so no user can have it{similar}"
    require = f"require {quoted(near)} in the API"
    # ZITADEL refuses two keys in a project that differ only in case (409)
    instead = f" in place of {quoted(near)}" if near.casefold() == case.role.casefold() else ""
    fix: tuple[Step, ...] = (require, f"or, if {case.role} is right: define it in the project{instead}")
    if is_defined:
        fix = _grant(case), f"or, if that is the right key: {require}"
    elif not could_be_new_role(case.role, case.active.user):
        keys = (near,) if near else sorted(defined or ())[:MOST_SHOWN]
        fix = (f"name one role of this project by its key ({_names(keys) or 'it has none'})",)
    elif not near:
        elsewhere = "or, if the role belongs to another project: use an API application of that project"
        fix = _grant(case, "grant --create-role", does="defines the role first"), elsewhere
    seen = (("defined", f"roles of this project: {_names(sorted(defined)[:10]) or 'none'}"),) if defined else ()
    name = "role.near_miss" if near else "role.undefined"
    return Finding(id=name, cause=cause, seen=seen, fix=fix[:1], otherwise=fix[1:])


def _manager_role(case: TokenCase) -> Finding | None:
    if case.role not in MANAGER_ROLES:
        return None
    cause = f"{case.role} is a role of ZITADEL's administrators: APIs see the roles of their project alone"
    keys = _names(sorted(case.active.defined or ())[:MOST_SHOWN])
    return Finding(id="role.undefined", cause=cause, fix=(f"name one role of this project by its key ({keys})",))


@rule(Probe.ASSIGNMENTS)
def _missing(case: TokenCase) -> Finding:
    user, option = case.active.user, case.evidence.admin_option
    assignments, known_project = case.evidence.assignments, case.settings.project_id or case.active.project
    if assignments is not None and (known_project or not any(case.role in a.role_keys for a in assignments)):
        has = "other roles" if case.active.granted else "no role"
        not_granted = f"the token is valid, but the role {case.role} is not granted to its user"
        fix = GrantRole(case.introspection.text("sub"), user, case.role, option)
        return Finding(id="role.not_granted", cause=f"{not_granted}, who has {has} in this project", fix=(fix,))
    spelled = "this project does not define it, or defines it in another spelling"
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {case.role} in this project",
        candidates=(
            "it is not granted to the token's user",
            "it is granted in another project than this API's",
            "its role assignment is deactivated",
            *((spelled,) if case.active.defined is None else ()),
        ),
        fix=(Command("role list", (user,), option, does="shows the user's roles in this project"), _grant(case)),
    )


def _token_lines(case: TokenCase) -> Lines:
    project = (("project", f"this API's is {quoted(case.active.project, 40)}"),) if case.active.project else ()
    return ("token", "active"), ("roles", f"in this project: {_names(case.active.granted) or 'none'}"), *project


def _assignment_lines(case: TokenCase) -> Lines:
    evidence, listed, lines = case.evidence, case.evidence.assignments or (), []
    if evidence.assignments is None:
        neither = ", and the administrator's token did not show them either" if evidence.with_administrator else ""
        may_list = case.active.may_list
        lines = [f"unknown: {'ZITADEL did not list them' if may_list else f'this token may not list them{neither}'}"]
    elif not listed:
        lines = [f"none at all, listed with {evidence.assignments_from}"]
    for assignment in listed[:MOST_SHOWN]:
        state = "" if assignment.active else ", deactivated"
        lines.append(f"{_names(assignment.role_keys) or 'no role'} in {_project_words(assignment)}{state}")
    return *_token_lines(case), *(("assignments", line) for line in lines)


MISSING_ROLE = table(
    *table(
        _manager_role,
        _other_project_configured,
        _administrators_token,
        _swapped_tokens,
        _narrowed_to_roles,
        seen=_token_lines,
    ),
    *table(_by_assignments, _near_miss, _missing, seen=_assignment_lines),
    when=lambda case: isinstance(case.refusal, InsufficientScope),
)
