"""Checks of the administrator's PAT: valid here, and with rights enough for setup and role."""

from __future__ import annotations

from functools import partial
from typing import Any

from zdemo.diagnosis import TokenKind, paste_problem, quoted, token_form
from zdemo.diagnosis.missing_role import OWN_API_SCOPE
from zdemo.doctor.check import Check, Result, failed, passed, skipped, warned
from zdemo.doctor.context import DoctorContext
from zdemo.errors import ZdemoError
from zdemo.http.response import Response
from zdemo.management.client import PROJECT_SERVICE, ManagementClient
from zdemo.management.refusals import management_error

WHOAMI = "/auth/v1/users/me"
MY_PERMISSIONS = "/auth/v1/permissions/zitadel/me/_search"
NEEDED = ("project.create", "project.role.write", "project.app.write", "user.write", "user.grant.write")
BIGGER = "make its user ORG_OWNER of the organization (or IAM_OWNER), or use such an administrator's PAT"


def _ask(case: DoctorContext, method: str, path: str, body: dict[str, Any] | None = None) -> Response | ZdemoError:
    client = ManagementClient(case.issuer, case.admin_pat, timeout_seconds=case.step_seconds)
    try:
        return client.request(method, path, body)
    except ZdemoError as error:
        return error
    finally:
        client.close()


def _valid(case: DoctorContext) -> Result:
    given = case.environment.get("ZITADEL_ADMIN_PAT", "").strip()
    if not given:
        return skipped("ZITADEL_ADMIN_PAT is not set; only setup, role and some answers here need it")
    if problem := paste_problem(given):
        return failed(f"ZITADEL_ADMIN_PAT: {problem.cause}", *problem.fix)
    answer = _ask(case, "GET", WHOAMI)
    if isinstance(answer, ZdemoError):
        return failed(answer.message, answer.hint)
    zitadels_401 = answer.status == 401 and "message" in answer.json_object()
    return _refused(case, answer) if zitadels_401 else _whose(answer)


def _refused(case: DoctorContext, answer: Response) -> Result:
    """What a token that ZITADEL's API refuses may be, besides a PAT that is dead."""
    alive = _ask(case, "GET", "/oidc/v1/userinfo")
    if isinstance(alive, Response) and alive.status == 200 and alive.json_object().get("sub"):
        what = "ZITADEL_ADMIN_PAT is alive, but no PAT, and not meant for ZITADEL's own API"
        return failed(what, "use the PAT of an administrator", f"or request the token with the scope {OWN_API_SCOPE}")
    form = token_form(case.admin_pat)
    if form.kind is not TokenKind.PAT:
        what = f"ZITADEL_ADMIN_PAT is not valid at this ZITADEL, and no usual PAT: {form.described}"
        return failed(what, "copy the whole PAT once more; if that is the whole one, create a new PAT for the user")
    return failed(*_told(management_error(answer)))


def _whose(answer: Response) -> Result:
    if answer.status == 403 and "AUTHZ-Kl3p0" in answer.text:
        what = "ZITADEL_ADMIN_PAT is a Session API token, which ZITADEL's other APIs do not take"
        return failed(what, "set ZITADEL_ADMIN_PAT to the personal access token of an administrator")
    user = answer.json_object().get("user")
    if answer.status != 200 or not isinstance(user, dict):
        return failed(*_told(management_error(answer)))
    return passed(f"valid: {quoted(user.get('preferredLoginName') or user.get('userName'), 60)}")


def _told(error: Exception) -> tuple[str, str]:
    return (error.message, error.hint) if isinstance(error, ZdemoError) else (str(error), "")


def _rights(case: DoctorContext) -> Result:
    ask = partial(_ask, case, "POST")
    answer = ask(f"/{PROJECT_SERVICE}/ListProjects", {"pagination": {"limit": 1}})
    if isinstance(answer, ZdemoError):
        return failed(answer.message, answer.hint)
    if answer.status != 200:
        return failed(*_told(management_error(answer)))
    permissions = ask(MY_PERMISSIONS, {})
    held = permissions.json_object().get("result") if isinstance(permissions, Response) else None
    if not isinstance(held, list):
        return passed("an administrator; which permissions the role has, ZITADEL did not tell")
    lacking = [name for name in NEEDED if not any(str(one).partition(":")[0] == name for one in held)]
    if lacking:
        what = f"an administrator whose role is too small for setup: no permission for {', '.join(lacking)}"
        return warned(what, BIGGER)
    return passed("an administrator who may do what setup and role do")


CHECKS = (
    Check(
        id="admin.valid",
        what="ZITADEL_ADMIN_PAT is valid at this ZITADEL",
        needs=("zitadel.host",),
        examine=_valid,
    ),
    Check(
        id="admin.rights",
        what="its user is an administrator, with rights enough for setup and role",
        needs=("admin.valid",),
        examine=_rights,
    ),
)
