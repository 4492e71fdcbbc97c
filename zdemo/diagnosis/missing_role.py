"""Why an active token lacks a role: not granted, deactivated, undefined, misspelled, or in another project.

ZITADEL lets any PAT list its own role assignments, so most of this is certain without an administrator.
"""

from zdemo.config.printable import pasteable
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.misspelled_role import finding_for_other_key, finding_for_undefined
from zdemo.diagnosis.role_case import MOST_SHOWN, RoleCase, is_pat, project_words, role_scopes
from zdemo.diagnosis.unshown_role import finding_for_unshown
from zdemo.introspection.model import Introspection

OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"
ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"


def finding_for_missing_role(
    introspection: Introspection, settings: Settings, evidence: Evidence, role: str
) -> Finding:
    """Return why the roles claim lacks ``role``, as far as it can be known."""
    case = RoleCase(role=role, introspection=introspection, settings=settings, evidence=evidence)
    finding = _other_project_configured(case) or _administrators(case)
    finding = finding or _narrowed(case) or _narrowed_by_organization(case)
    finding = finding or _deactivated(case) or finding_for_unshown(case) or _in_other_project(case)
    finding = finding or finding_for_other_key(case) or finding_for_undefined(case) or _not_granted(case) or _open(case)
    return finding.and_seen(case.seen)


def _other_project_configured(case: RoleCase) -> Finding | None:
    """Find a configured project that is not the application's: ZITADEL shows only the roles of the latter."""
    project, configured = case.project, case.settings.project_id
    if not configured or not project or project == configured:
        return None
    use_configured = f"use an API application of project {configured}: set its {case.settings.credential_variables}"
    use_own = f"ZITADEL_PROJECT_ID={quoted(project, 40)}"
    grant = f"and grant the role there: {case.grant}"
    has_it = case.role in case.introspection.roles(project)
    exists = any(a.project_id == configured for a in case.evidence.assignments or ())
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


def _administrators(case: RoleCase) -> Finding | None:
    """Find an administrator's token: the fix is never to grant it the role."""
    rights = case.evidence.own_rights
    if not rights and not case.evidence.is_admin_pat:
        return None
    what = ", ".join(quoted(right, 40) for right in rights[:MOST_SHOWN]) or "ZITADEL_ADMIN_PAT"
    if case.evidence.admin_pat_rights == ():
        return Finding(
            id="role.swapped_tokens",
            cause=f"the token that was sent is an administrator's ({what}), and ZITADEL_ADMIN_PAT is not: they are "
            "swapped",
            fix=("exchange the values of PAT and ZITADEL_ADMIN_PAT",),
        )
    return Finding(
        id="role.administrators_token",
        cause=f"the token is valid, but it is an administrator's ({what}), without the role {case.role}; "
        "an administrator's token should not be sent to APIs",
        fix=("set PAT to the token of a service account that has the role",),
        otherwise=("zdemo setup  (creates such a user and its token, if there is none)",),
    )


def _narrowed(case: RoleCase) -> Finding | None:
    """Find a token that was requested for certain roles: ZITADEL shows it no other role, granted or not."""
    requested = role_scopes(case.introspection)
    if is_pat(case.introspection) or not requested or case.role in requested:
        return None
    names = ", ".join(sorted(quoted(role, 60) for role in requested))
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for the role {names} only (by its scope): ZITADEL does not show {case.role}, "
        "granted or not",
        fix=("request the token without role scopes; then it has every role of its user in this project",),
    )


def _narrowed_by_organization(case: RoleCase) -> Finding | None:
    organizations = [s for s in case.introspection.scopes if s.startswith(ORGANIZATION_SCOPE)]
    if is_pat(case.introspection) or not organizations:
        return None
    names = ", ".join(quoted(s.removeprefix(ORGANIZATION_SCOPE), 40) for s in organizations)
    return Finding(
        id="role.narrowed",
        cause=f"the token was requested for roles granted by the organization {names} only (by its scope), and "
        f"{case.role} is not among them",
        candidates=() if case.grants_here else ("another organization has granted it", "it is not granted at all"),
        fix=(f"request the token without the scopes that begin with {ORGANIZATION_SCOPE}", case.grant),
    )


def _deactivated(case: RoleCase) -> Finding | None:
    if case.grants_here or not any(a.project_id == case.project_that_counts for a in case.assignments):
        return None
    return Finding(
        id="role.deactivated",
        cause=f"the role {case.role} is granted in this project, but that role assignment is deactivated",
        fix=(case.grant + "  (activates the assignment)",),
    )


def _in_other_project(case: RoleCase) -> Finding | None:
    """Find an active assignment in another project; in the API's own project, the role would show."""
    elsewhere = [a for a in case.assignments if a.active and a.project_id != case.project_that_counts]
    if not elsewhere:
        return None
    where = " and in ".join(project_words(a) for a in elsewhere[:3])
    here = f" ({quoted(case.project, 40)})" if case.project else ""
    undefined = case.defined is not None and case.role not in case.defined
    more = f"; this API's project does not define {case.role}" if undefined else ""
    in_this = f"grant it in this project: {case.grant}"
    other_app = f"if {project_words(elsewhere[0])} is meant: use an API application of that project"
    return Finding(
        id="role.in_other_project",
        cause=f"the role {case.role} is granted in {where}, not in this API's project{here}{more}",
        fix=(other_app if undefined else in_this,),
        otherwise=(f"or, if this one is meant: {case.add}", f"then {in_this}") if undefined else (f"or, {other_app}",),
    )


def _not_granted(case: RoleCase) -> Finding | None:
    unknown_project = not case.project_that_counts and case.assignments
    if case.evidence.assignments is None or unknown_project:
        return None
    has = "has other roles in this project" if case.granted else "has no role in this project"
    missing, guest = _missing_from_project_grant(case), case.evidence.guest_records
    assigns = f"or, if the organization {guest.organization[1]} is to assign it: " if guest and missing else ""
    return Finding(
        id="role.not_granted",
        cause=f"the token is valid, but the role {case.role} is not granted to its user, who {has}{missing}",
        fix=(case.grant,),
        otherwise=(f"{assigns}add it to the Project Grant: the project's page, Project Grants",) if assigns else (),
    )


def _missing_from_project_grant(case: RoleCase) -> str:
    """Return why the user's own organization cannot have assigned the role, if an administrator sees that."""
    guest = case.evidence.guest_records
    if guest is None or (guest.grant and case.role in guest.grant.role_keys):
        return ""
    number, name = (quoted(text, 60) for text in guest.organization)
    project = f"project {quoted(guest.project.name, 60)}"
    lacks = (
        f"the Project Grant of {project} to it lacks the role"
        if guest.grant
        else f"{project} has no Project Grant for it"
    )
    return f". The user is of the organization {name} ({number}): {lacks}"


def _open(case: RoleCase) -> Finding:
    candidates = [
        "it is not granted to the token's user",
        "it is granted in another project than this API's",
        "its role assignment is deactivated",
    ]
    if case.defined is None:
        candidates.append("this project does not define it, or defines it in another spelling")
    needs = "" if case.evidence.with_administrator else "; needs ZITADEL_ADMIN_PAT"
    scope = f"or request the token with the scope {OWN_API_SCOPE}: then it may list its own role assignments"
    unlisted = case.evidence.assignments is None and case.evidence.status(Probe.ASSIGNMENTS) is None
    refused = unlisted or case.evidence.status(Probe.ASSIGNMENTS) in (401, 403)
    return Finding(
        id="role.missing",
        cause=f"the token is valid, but does not have the role {case.role} in this project",
        candidates=tuple(candidates),
        fix=(
            f"{pasteable('zdemo role list', case.user)}  (shows the user's roles in this project{needs})",
            case.grant,
        ),
        otherwise=(scope,) if refused and not is_pat(case.introspection) else (),
    )
