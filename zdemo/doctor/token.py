"""Checks of our credentials at ZITADEL and of the token: accepted, alive, meant for this API, with the role."""

from __future__ import annotations

from zdemo.diagnosis import Finding, TokenKind, paste_problem, quoted, token_form, uses_the_other_method
from zdemo.doctor.check import Check, Result, failed, from_finding, passed, skipped, warned
from zdemo.doctor.context import NOT_USABLE, DoctorContext
from zdemo.investigation.investigate import SCOPED_ROLE

GOOD_FORMS = (TokenKind.PAT, TokenKind.OPAQUE, TokenKind.JWT)
ABOUT_AUDIENCE = ("token.other_audience", "client.in_other_project")
ABOUT_ROLE = "role."
NO_PAT = "PAT is not set"


def _accepted(case: DoctorContext) -> Result:
    if case.settings is None:
        names = ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
        return skipped(case.not_usable(*names) or case.not_usable("ZDEMO_TIMEOUT") or NOT_USABLE)
    found = case.investigation
    if found is None or (found.introspection is None and found.finding is None):
        return skipped("no time was left to ask")
    if found.introspection is None and found.finding:
        return from_finding(found.finding)
    if found.finding and found.finding.id.startswith("zitadel."):
        return from_finding(found.finding)
    what = "key" if case.settings.key else "client ID and secret"
    return passed(f"ZITADEL answers the API application's {what}")


def _kind(case: DoctorContext) -> Result:
    key = case.settings.key if case.settings else None
    ours = "a key (private_key_jwt)" if key else "a client ID and secret (Basic)"
    app = case.application
    if app is None:
        return passed(f"{ours}, and they work; how the application is registered, an administrator can see")
    if uses_the_other_method(app, with_key=key is not None):
        other = "Basic" if key else "a key (private_key_jwt)"
        return warned(
            f"{ours} is what works still, but the application {quoted(app.name, 60)} is registered for {other}",
            "switch it back on the application's page, or set ZITADEL_KEY_FILE or CLIENT_SECRET to what it is for",
        )
    return passed(f"{ours}, as the application {quoted(app.name, 60)} is registered")


def _form(case: DoctorContext) -> Result:
    if not case.token:
        return skipped(f"{NO_PAT}: no token to look at")
    if problem := paste_problem(case.token):
        return from_finding(problem)
    form = token_form(case.token)
    if form.is_id_token:
        return warned(form.described, "send the access_token of the same answer of the token endpoint")
    if form.kind not in GOOD_FORMS:
        return warned(form.described, "compare it with what ZITADEL showed: copy the whole token, and nothing else")
    return passed(form.described)


def _active(case: DoctorContext) -> Result:
    found = case.investigation
    if found is None or found.introspection is None:
        return skipped("ZITADEL could not be asked")
    finding = found.finding
    if not found.introspection.active:
        if finding and finding.id == "token.other_audience":
            return passed("alive (userinfo takes it), though introspection calls it inactive")
        return from_finding(finding) if finding else failed("ZITADEL calls it inactive", "create a new PAT")
    if finding and finding.id not in ABOUT_AUDIENCE and not finding.id.startswith(ABOUT_ROLE):
        return from_finding(finding)
    who = found.introspection.text("username") or found.introspection.text("sub") or "a user without a name here"
    soon = next((remark for remark in found.notes if "expires soon" in remark), "")
    if soon:
        return warned(f"active: {quoted(who, 60)}; {soon}", "create a new PAT before that, and set PAT to it")
    return passed(f"active: {quoted(who, 60)}")


def _finding(case: DoctorContext) -> Finding | None:
    return case.investigation.finding if case.investigation else None


def _audience(case: DoctorContext) -> Result:
    finding = _finding(case)
    if finding and finding.id in ABOUT_AUDIENCE:
        return from_finding(finding)
    return passed("meant for this API: its audience names the API application or its project")


def _granted(case: DoctorContext) -> Result:
    finding, found = _finding(case), case.investigation
    if finding and finding.id.startswith(ABOUT_ROLE):
        return from_finding(finding)
    if found is None or found.introspection is None:
        return skipped("ZITADEL could not be asked")
    roles = found.introspection.roles(case.settings.project_id if case.settings else None)
    domains = ", ".join(quoted(domain, 60) for domain in roles.get(SCOPED_ROLE, {}).values())
    return passed(f"{SCOPED_ROLE}, granted by {domains}")


CHECKS = (
    Check(
        id="client.accepted",
        what="ZITADEL takes the API application's credentials",
        needs=("zitadel.host",),
        examine=_accepted,
    ),
    Check(
        id="client.kind",
        what="they are of the kind that the application has: secret or key",
        needs=("client.accepted",),
        examine=_kind,
    ),
    Check(
        id="token.form",
        what="PAT is a whole token, pasted alone",
        needs=("settings.readable",),
        examine=_form,
    ),
    Check(
        id="token.active",
        what="PAT is alive; if not, why, as far as it can be known",
        needs=("client.accepted", "token.form"),
        examine=_active,
    ),
    Check(
        id="token.audience",
        what="it is meant for this API",
        needs=("token.active",),
        examine=_audience,
    ),
    Check(
        id="role.granted",
        what=f"its user has the role {SCOPED_ROLE} in this API's project",
        needs=("token.audience",),
        examine=_granted,
    ),
)
