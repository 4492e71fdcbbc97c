"""What a refusal of the management API means, in words."""

from zdemo.errors import ManagementError, UnusableAnswer, ZdemoError
from zdemo.http.response import GATEWAY_STATUSES, Response
from zdemo.introspection.refusals import answer_error

NO_MEMBERSHIP = "AUTHZ-cdgFk"  # ZITADEL: the token is valid, its user is not an administrator
SESSION_TOKEN = "AUTHZ-Kl3p0"  # noqa: S105  # ZITADEL: its other APIs do not take a Session API token
NAME_TAKEN = "V3-DKcYh"  # ZITADEL: any unique name or key
NO_SUCH_SERVICE = ("5", "12", "unimplemented")  # REST's numbers, and Connect's word for an unknown method

ADMIN_PAT_REFUSED = (
    "ZITADEL_ADMIN_PAT is not valid at this ZITADEL: deleted, expired, not copied whole, of another instance, "
    "or not a PAT but a token that is not meant for ZITADEL's API",
    "create a new PAT for an administrator and set ZITADEL_ADMIN_PAT",
)
"""The message and the hint when ZITADEL's API answers 401."""

TOO_OLD = (
    "this ZITADEL is too old: it lacks the v2 API for projects, applications and authorizations",
    "update ZITADEL to the newest v4; if it is new enough, check whether a proxy in front of it blocks /zitadel.*",
)

BIGGER_ROLE = "make its user ORG_OWNER of the organization (or IAM_OWNER)"

PERMISSIONS = {  # what a method needs (ZITADEL: InternalAuthZ)
    "CreateProject": "project.create",
    "DeleteProject": "project.delete",
    "AddProjectRole": "project.role.write",
    "CreateApplication": "project.app.write",
    "UpdateApplication": "project.app.write",
    "GenerateClientSecret": "project.app.write",
    "CreateApplicationKey": "project.app.write",
    "DeleteApplicationKey": "project.app.write",
    "DeleteApplication": "project.app.delete",
    "CreateUser": "user.write",
    "DeleteUser": "user.delete",
    "DeactivateUser": "user.write",
    "ReactivateUser": "user.write",
    "AddPersonalAccessToken": "user.write",
    "RemovePersonalAccessToken": "user.write",
    "CreateAuthorization": "user.grant.write",
    "UpdateAuthorization": "user.grant.write",
    "ActivateAuthorization": "user.grant.write",
    "DeleteAuthorization": "user.grant.delete",
    "ListProjects": "project.read",
    "GetProject": "project.read",
}


def management_error(answer: Response, method: str = "") -> ZdemoError:
    """Return the error that an answer of the management API means (ZITADEL v4; Connect error JSON)."""
    body = answer.json_object()
    code, text = str(body.get("code", "")), str(body.get("message", ""))
    if answer.status in (429, *GATEWAY_STATUSES) or "unable to set instance" in answer.text:
        return answer_error(answer)
    error_id = text.rpartition("(")[2].rstrip(")") if text.endswith(")") else ""
    if not text or answer.status in (200, 501):
        return UnusableAnswer(
            f"what answers at {answer.setting} is not ZITADEL's v2 API ({answer.status}, "
            f"{answer.media_type or 'no media type'})",
            hint=f"check {answer.setting}, and whether a proxy in front of it answers in its place",
            answer=answer,
        )
    if not error_id and code in NO_SUCH_SERVICE:
        return _refused(answer, code, *TOO_OLD)
    return _refused(answer, code, *_words(answer.status, error_id, text, method), error_id)


def _refused(answer: Response, code: str, message: str, hint: str, error_id: str = "") -> ManagementError:
    return ManagementError(message, hint=hint, answer=answer, code=code, error_id=error_id)


def _words(status: int, error_id: str, text: str, method: str) -> tuple[str, str]:
    if status == 401:
        return ADMIN_PAT_REFUSED
    if error_id == NO_MEMBERSHIP:
        return (
            "ZITADEL_ADMIN_PAT is a valid token, but its user is not an administrator (no membership)",
            f"{BIGGER_ROLE}, or use an administrator's PAT",
        )
    if error_id == SESSION_TOKEN:
        return (
            "ZITADEL_ADMIN_PAT is a Session API token, which ZITADEL's other APIs do not accept",
            "set ZITADEL_ADMIN_PAT to the personal access token of an administrator",
        )
    if status == 403:
        lacks = PERMISSIONS.get(method)
        return (
            "the administrator role of ZITADEL_ADMIN_PAT's user is too small"
            + (f": it lacks {lacks}" if lacks else " for this (no permission)"),
            BIGGER_ROLE,
        )
    return f"ZITADEL says: {text}", ""


def is_missing(error: ManagementError) -> bool:
    """Return whether ZITADEL says that there is no such object, or that no object can have such an ID."""
    if error.status == 404:
        return error.error_id not in ("", NO_MEMBERSHIP)
    return error.code == "invalid_argument" and not error.error_id


def is_taken_name(error: ManagementError) -> bool:
    """Return whether another object has the name, or already is what was to be created."""
    return error.error_id == NAME_TAKEN
