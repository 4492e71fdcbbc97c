"""Checks of the API application's credentials, of PAT and its role, and of the administrator's PAT."""

from dataclasses import replace
from functools import partial

from zdemo.config.names import rename_steps
from zdemo.config.settings import correction_of
from zdemo.diagnosis.checks.check import check, failed, passed, skipped, warned, with_problems
from zdemo.diagnosis.checks.doctor_context import NOT_USABLE, DoctorContext
from zdemo.diagnosis.evidence import NOT_ASKED, Probe
from zdemo.diagnosis.finding import Finding, Outcome, quoted
from zdemo.diagnosis.rules.active_token import NoteKind
from zdemo.diagnosis.rules.rejected_client import KEY_METHODS
from zdemo.diagnosis.token_form import NEW_TOKEN, paste_problem, token_form
from zdemo.errors import ADMIN_REFUSED
from zdemo.errors.steps import SetVariable
from zdemo.http.example_api import ROLE
from zdemo.setup.plan import PERMISSIONS
from zdemo.zitadel.management import BIGGER_ROLE
from zdemo.zitadel.resources import find_application, list_permissions, list_projects, whoami

FOR_OTHERS = ("token.other_audience", "token.wrong_project")
ABOUT_AUDIENCE = (*FOR_OTHERS, "client.in_other_project")
ABOUT_ROLE = "role."
NO_PAT = "PAT is not set"


@check("client.accepted", "zitadel.host", verdict="not accepted")
def _accepted(context: DoctorContext) -> Finding:
    """ZITADEL accepts the API application's credentials."""
    names = ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
    if why_not := context.not_usable(*names):
        return skipped(why_not)
    if context.settings is None:
        return skipped(context.not_usable("ZDEMO_TIMEOUT") or NOT_USABLE)
    introspection, finding = context.investigation.introspection, context.investigation.finding
    if finding and (introspection is None or finding.id.startswith("zitadel.")):
        return finding if finding.id.startswith("client.") else replace(finding, brief="not checked")
    if introspection is None:
        return skipped("no time was left")
    what = "key" if context.settings.key else "client ID and secret"
    return passed(f"ZITADEL answers the API application's {what}", brief=f"accepted ({what})")


@check("client.kind", "client.accepted", verdict="another kind of client")
def _kind(context: DoctorContext) -> Finding:
    """The credentials are of the kind that the application is registered for."""
    key = context.settings.key if context.settings else None
    used, other = "a client ID and secret (Basic)", "a key (private_key_jwt)"
    if key:
        used, other = other, "Basic"
    if context.investigation.finding:
        return passed(f"{used}, accepted")  # the fault that was found comes first
    app = context.facts.look_up(partial(find_application, client_id=context.facts.settings.client_id))
    if app is None:
        return passed(f"{used}, accepted; only an administrator can see how the application is registered")
    if (app.method in KEY_METHODS) != (key is not None):  # both work
        return warned(
            f"ZITADEL still accepts {used}, but the application {quoted(app.name, 60)} is registered for {other}",
            "change the method on the application's page, or set ZITADEL_KEY_FILE or CLIENT_SECRET to fit it",
        )
    return passed(f"{used}, as the application {quoted(app.name, 60)} is registered")


@check("token.form", "settings.readable", verdict="does not look like a whole token", explains="token.active")
def _form(context: DoctorContext) -> Finding:
    """PAT is a whole token, with nothing around it."""
    if not context.token:
        renames = rename_steps(context.environment, "PAT")
        step = renames[0] if renames else NEW_TOKEN
        return warned(f"{NO_PAT}: there is no token to look at", step, brief=NO_PAT, stops=True)
    if why_not := context.not_usable("PAT"):
        return skipped(why_not)
    if problem := paste_problem(context.token):
        repair = correction_of(context.environment, "PAT")
        if isinstance(repair, SetVariable):  # the words stay those of the finding
            return replace(problem, fix=(replace(repair, advice=problem.fix[0]), *problem.fix[1:]))
        return problem
    form = token_form(context.token)
    known = context.investigation if not form.is_access_token and context.evidence.is_zitadel else None
    if known and known.introspection and known.introspection.active:
        return passed(f"{form.size}; ZITADEL accepts it")
    of_user = known and known.finding and known.finding.id.startswith("token.user_")  # then it is whole
    return passed(form.described) if form.is_access_token or of_user else warned(form.described, form.fix)


@check("token.active", "client.accepted", "token.form", verdict="not active")
def _active(context: DoctorContext) -> Finding:
    """PAT is active; if not, why, as far as it can be known."""
    introspection, finding = context.investigation.introspection or NOT_ASKED, context.investigation.finding
    if finding and finding.id in FOR_OTHERS and not introspection.active:
        return passed("alive (userinfo accepts it), although introspection calls it inactive")
    if not introspection.active:
        return finding or failed("ZITADEL calls it inactive", "create a new PAT")
    if finding and finding.id not in ABOUT_AUDIENCE and not finding.id.startswith(ABOUT_ROLE):
        return replace(finding, brief="active, but not usable")
    who = introspection.text("username") or introspection.text("sub") or "a user without a name"
    if soon := context.investigation.notes.get(NoteKind.EXPIRY):
        what = f"active: {quoted(who, 60)}; {soon}"
        return warned(what, "create a new PAT before then, and set PAT to it", brief="expires soon")
    ids, names = context.facts.known.ids, (who, *map(introspection.text, ("sub", "preferred_username")))
    is_anothers = ids is not None and ids.named_by and ids.user not in names
    active, what = f"active: {quoted(who, 60)}", f"ZDEMO_PAT_USER_ID names another user than PAT's, {quoted(who, 60)}"
    if is_anothers:
        return warned(what, "correct ZDEMO_PAT_USER_ID, or remove it", brief="ZDEMO_PAT_USER_ID names another user")
    return passed(active, brief=active)


@check("token.audience", "token.active", verdict="not for this API")
def _audience(context: DoctorContext) -> Finding:
    """PAT is meant for this API."""
    finding = context.investigation.finding
    if finding and finding.id in ABOUT_AUDIENCE:
        return finding
    return passed("its audience names the API application or its project", brief="meant for this API")


@check(
    "role.granted",
    "token.audience",
    what=f"PAT's user has the role {ROLE} in this API's project",
    verdict=f"{ROLE} is missing",
)
def _granted(context: DoctorContext) -> Finding:
    introspection, finding = context.investigation.introspection or NOT_ASKED, context.investigation.finding
    if finding and finding.id.startswith(ABOUT_ROLE):
        return finding
    roles = introspection.roles(context.settings.project_id if context.settings else None)
    return passed(f"{ROLE}, granted by organization {' and '.join(quoted(org, 30) for org in roles.get(ROLE, {}))}")


@check("admin.valid", "zitadel.host", verdict="not valid")
def _admin_valid(context: DoctorContext) -> Finding:
    """ZITADEL_ADMIN_PAT is valid at this ZITADEL."""
    if unused := _admin_not_asked(context):
        return unused
    facts = context.facts
    if context.investigation.finding and facts.administrator_answered:
        return passed("valid: ZITADEL answers requests with it", brief="valid")
    known = facts.known.answer(Probe.ADMINISTRATOR).json_object()
    who = quoted(known.get("username") or whoami(facts.administrator).login_name, 60)
    return passed(f"valid: {who}", brief=who)


def _admin_not_asked(context: DoctorContext) -> Finding | None:
    """Return the result where the administrator's PAT is not sent to ZITADEL, or where its refusal is known."""
    pat = context.environment.get("ZITADEL_ADMIN_PAT", "").strip()
    if not pat:
        what = "ZITADEL_ADMIN_PAT is not set; only setup, role and some answers here need it"
        return skipped(what, brief="not set (ZITADEL_ADMIN_PAT)")
    if elsewhere := context.not_usable("ZITADEL_ADMIN_PAT"):
        return skipped(elsewhere)
    if problem := paste_problem(pat):
        return replace(problem, id=ADMIN_REFUSED, cause=f"ZITADEL_ADMIN_PAT: {problem.cause}")
    if withheld := context.withheld:
        return replace(with_problems([withheld], Outcome.WARN), brief="not sent", stops=True)
    if (finding := context.investigation.finding) and finding.id == "client.other_instance":
        return skipped("needs client.accepted: ZITADEL refuses everything")
    return None


@check("admin.rights", "admin.valid", verdict="not enough permissions")
def _admin_rights(context: DoctorContext) -> Finding:
    """The user of ZITADEL_ADMIN_PAT has the permissions that setup and role need."""
    if (finding := context.investigation.finding) and finding.id == "role.swapped_tokens":
        return skipped("needs role.granted: swapped with PAT")
    administrator = context.facts.administrator
    permissions = list_permissions(administrator)
    if not permissions:
        list_projects(administrator)  # raises when the user is not an administrator, not even of another organization
        permissions = list_permissions(administrator)
    if permissions is None:
        return passed("an administrator; ZITADEL did not say with which permissions")
    held = {permission.partition(":")[0] for permission in permissions}
    if missing := [permission for permission in PERMISSIONS if permission not in held]:
        for_role = "" if "user.grant.write" in missing else ", though not for zdemo role"
        what = f"an administrator whose role is not enough for setup{for_role}: it lacks {', '.join(missing)}"
        return warned(what, f"{BIGGER_ROLE}, or use such an administrator's PAT")
    return passed("an administrator with the permissions that setup and role need", brief="may do what setup needs")


CHECKS = (_accepted, _kind, _form, _active, _audience, _granted, _admin_valid, _admin_rights)
