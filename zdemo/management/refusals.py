"""What a refusal of the management API means, in words."""

from __future__ import annotations

from zdemo.errors import ManagementError, UnusableAnswer
from zdemo.http.response import Response
from zdemo.introspection.refusals import answer_error

NOT_IMPLEMENTED = 501  # how the gRPC gateway of older ZITADELs answers paths that it does not have
NO_PROJECT = "QUERY-fk2fs"
NO_MEMBERSHIP = "AUTHZ-cdgFk"  # ZITADEL: valid token, its user is no administrator

ADMIN_PAT_REFUSED = (
    "ZITADEL_ADMIN_PAT is not valid at this ZITADEL: deleted, expired, not copied whole, of another instance, "
    "or no PAT but a token that is not meant for ZITADEL's API",
    "create a new PAT for an administrator and set ZITADEL_ADMIN_PAT",
)
"""What is wrong when ZITADEL's API answers 401, and what to do."""


def management_error(answer: Response) -> Exception:
    """The error that an answer of the management API means (ZITADEL v4; Connect error JSON)."""
    body = answer.json_object()
    code, text = str(body.get("code", "")), str(body.get("message", ""))
    if answer.status in (429, 502, 503, 504) or "unable to set instance" in answer.text:
        return answer_error(answer)
    if not text or answer.status in (200, NOT_IMPLEMENTED):
        kind = answer.media_type or "no media type"
        return UnusableAnswer(
            f"what answers at ZITADEL_DOMAIN is not ZITADEL's v2 API ({answer.status}, {kind})",
            hint="check ZITADEL_DOMAIN and what stands between; ZITADEL has this API since v4",
            answer=answer,
        )
    error_id = text.rpartition("(")[2].rstrip(")") if text.endswith(")") else ""
    message, hint = _words(answer.status, error_id, text)
    return ManagementError(message, hint=hint, status=answer.status, code=code, error_id=error_id)


def _words(status: int, error_id: str, text: str) -> tuple[str, str]:
    if status == 401:
        return ADMIN_PAT_REFUSED
    if error_id == NO_MEMBERSHIP:
        return (
            "ZITADEL_ADMIN_PAT is a valid token, but its user is no administrator (no membership)",
            "make its user ORG_OWNER of the organization (or IAM_OWNER), or use an administrator's PAT",
        )
    if status == 403:
        return (
            "the administrator role of ZITADEL_ADMIN_PAT's user is too small for this (no permission)",
            "make its user ORG_OWNER of the organization (or IAM_OWNER)",
        )
    if error_id == NO_PROJECT:
        return (
            "there is no project with the ID in ZITADEL_PROJECT_ID, or the administrator may not see it",
            "copy the ID from the project's page, or unset ZITADEL_PROJECT_ID: the API application's is taken then",
        )
    return f"ZITADEL says: {text}", ""
