"""Checks of the administrator's PAT: valid here, and with permissions enough for setup and role."""

from __future__ import annotations

from zdemo.diagnosis import OWN_API_SCOPE, TokenKind, paste_problem, quoted, token_form
from zdemo.doctor.check import Result, check, failed, failed_with, passed, skipped, warned
from zdemo.doctor.context import DoctorContext
from zdemo.errors import ManagementError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.resources import list_permissions, list_projects, user_id_of_token, whoami

NEEDED = ("project.create", "project.role.write", "project.app.write", "user.write", "user.grant.write")
BIGGER = "make its user ORG_OWNER of the organization (or IAM_OWNER), or use such an administrator's PAT"


def _client(context: DoctorContext) -> ManagementClient:
    return ManagementClient(context.issuer, context.admin_pat, timeout_seconds=context.step_seconds)


@check("admin.valid", "ZITADEL_ADMIN_PAT is valid at this ZITADEL", "zitadel.host")
def _valid(context: DoctorContext) -> Result:
    pat = context.environment.get("ZITADEL_ADMIN_PAT", "").strip()
    if not pat:
        return skipped("ZITADEL_ADMIN_PAT is not set; only setup, role and some answers here need it")
    if problem := paste_problem(pat):
        return failed(f"ZITADEL_ADMIN_PAT: {problem.cause}", *problem.fix)
    with _client(context) as client:
        try:
            return passed(f"valid: {quoted(whoami(client), 60)}")
        except ManagementError as error:
            return _refused(context, client, error) if error.status == 401 else failed_with(error)


def _refused(context: DoctorContext, client: ManagementClient, error: ManagementError) -> Result:
    """Return what a token that ZITADEL's API refuses may be: alive for others, not a PAT, or a dead PAT."""
    try:
        alive = user_id_of_token(client) is not None
    except ZdemoError:
        alive = False
    if alive:
        what = "ZITADEL_ADMIN_PAT is alive, but is not a PAT, and not meant for ZITADEL's own API"
        return failed(what, "use the PAT of an administrator", f"or request the token with the scope {OWN_API_SCOPE}")
    form = token_form(context.admin_pat)
    if form.kind is not TokenKind.PAT:
        what = f"ZITADEL_ADMIN_PAT is not valid at this ZITADEL, and does not look like a PAT: {form.described}"
        return failed(what, "copy the whole PAT again; if it is complete, create a new PAT for the user")
    return failed_with(error)


@check("admin.rights", "its user is an administrator, with the permissions that setup and role need", "admin.valid")
def _rights(context: DoctorContext) -> Result:
    with _client(context) as client:
        next(list_projects(client), None)  # raises when the user is not an administrator
        permissions = list_permissions(client)
    if permissions is None:
        return passed("an administrator; ZITADEL did not say with which permissions")
    held = {permission.partition(":")[0] for permission in permissions}
    if missing := [permission for permission in NEEDED if permission not in held]:
        what = f"an administrator whose role is too small for setup: it lacks {', '.join(missing)}"
        return warned(what, BIGGER)
    return passed("an administrator with the permissions that setup and role need")


CHECKS = (_valid, _rights)
