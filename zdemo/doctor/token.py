"""Checks of the API application's credentials and of PAT: accepted, active, meant for this API, with the role."""

from __future__ import annotations

from zdemo.client import ROLE
from zdemo.diagnosis import TokenKind, paste_problem, quoted, token_form, uses_the_other_method
from zdemo.doctor.check import Result, check, failed, from_finding, passed, skipped, warned
from zdemo.doctor.context import NOT_USABLE, DoctorContext

GOOD_FORMS = (TokenKind.PAT, TokenKind.OPAQUE, TokenKind.JWT)
ABOUT_AUDIENCE = ("token.other_audience", "client.in_other_project")
ABOUT_ROLE = "role."
NO_PAT = "PAT is not set"


@check("client.accepted", "ZITADEL accepts the API application's credentials", "zitadel.host")
def _accepted(context: DoctorContext) -> Result:
    if context.settings is None:
        names = ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
        return skipped(context.not_usable(*names) or context.not_usable("ZDEMO_TIMEOUT") or NOT_USABLE)
    introspection, finding = context.investigation.introspection, context.investigation.finding
    if finding and (introspection is None or finding.id.startswith("zitadel.")):
        return from_finding(finding)
    if introspection is None:
        return skipped("no time was left")
    what = "key" if context.settings.key else "client ID and secret"
    return passed(f"ZITADEL answers the API application's {what}")


@check("client.kind", "they are what the application is registered for: secret or key", "client.accepted")
def _kind(context: DoctorContext) -> Result:
    key = context.settings.key if context.settings else None
    used = "a key (private_key_jwt)" if key else "a client ID and secret (Basic)"
    app = context.application
    if app is None:
        return passed(f"{used}, accepted; only an administrator can see how the application is registered")
    if uses_the_other_method(app, with_key=key is not None):
        other = "Basic" if key else "a key (private_key_jwt)"
        return warned(
            f"ZITADEL still accepts {used}, but the application {quoted(app.name, 60)} is registered for {other}",
            "switch the application back on its page, or set ZITADEL_KEY_FILE or CLIENT_SECRET as it is registered",
        )
    return passed(f"{used}, as the application {quoted(app.name, 60)} is registered")


@check("token.form", "PAT is a whole token, with nothing around it", "settings.readable")
def _form(context: DoctorContext) -> Result:
    if not context.token:
        return skipped(f"{NO_PAT}: no token to look at")
    if problem := paste_problem(context.token):
        return from_finding(problem)
    form = token_form(context.token)
    if form.is_id_token:
        return warned(form.described, "send the access_token from the same answer of the token endpoint")
    if form.kind not in GOOD_FORMS:
        return warned(form.described, "copy the whole token again, and nothing else")
    return passed(form.described)


@check("token.active", "PAT is active; if not, why, as far as it can be known", "client.accepted", "token.form")
def _active(context: DoctorContext) -> Result:
    introspection, finding = context.investigation.introspection, context.investigation.finding
    if introspection is None:
        return skipped("there is no introspection")
    if not introspection.active:
        if finding and finding.id == "token.other_audience":
            return passed("alive (userinfo accepts it), although introspection calls it inactive")
        return from_finding(finding) if finding else failed("ZITADEL calls it inactive", "create a new PAT")
    if finding and finding.id not in ABOUT_AUDIENCE and not finding.id.startswith(ABOUT_ROLE):
        return from_finding(finding)
    who = introspection.text("username") or introspection.text("sub") or "a user without a name"
    soon = next((note for note in context.investigation.notes if "expires soon" in note), "")
    if soon:
        return warned(f"active: {quoted(who, 60)}; {soon}", "create a new PAT before then, and set PAT to it")
    return passed(f"active: {quoted(who, 60)}")


@check("token.audience", "it is meant for this API", "token.active")
def _audience(context: DoctorContext) -> Result:
    finding = context.investigation.finding
    if finding and finding.id in ABOUT_AUDIENCE:
        return from_finding(finding)
    return passed("meant for this API: its audience names the API application or its project")


@check("role.granted", f"its user has the role {ROLE} in this API's project", "token.audience")
def _granted(context: DoctorContext) -> Result:
    introspection, finding = context.investigation.introspection, context.investigation.finding
    if finding and finding.id.startswith(ABOUT_ROLE):
        return from_finding(finding)
    if introspection is None:
        return skipped("there is no introspection")
    roles = introspection.roles(context.settings.project_id if context.settings else None)
    domains = ", ".join(quoted(domain, 60) for domain in roles.get(ROLE, {}).values())
    return passed(f"{ROLE}, granted by {domains}")


CHECKS = (_accepted, _kind, _form, _active, _audience, _granted)
