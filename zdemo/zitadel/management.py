"""The client of ZITADEL's management API: one bearer token, Connect with JSON, and refusals in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from zdemo.config.address import ZitadelAddress
from zdemo.errors import NO_MEMBERSHIP, ConnectionFailed, ManagementError, UnusableAnswer, ZdemoError
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.zitadel.introspection_response import answer_error, introspection_error

if TYPE_CHECKING:
    from zdemo.http.transport import Transport

T = TypeVar("T")
NO_ORGANIZATION = "AUTH-Bs7Ds"  # ZITADEL: x-zitadel-orgid names none
SESSION_TOKEN = "AUTHZ-Kl3p0"  # noqa: S105  # ZITADEL: its other APIs do not take a Session API token
NAME_TAKEN = "V3-DKcYh"  # ZITADEL: another object has the name, or already is what was to be created
NO_SUCH_SERVICE = ("5", "12", "unimplemented")  # REST's numbers, and Connect's word for an unknown method

ADMIN_PAT_REFUSED = (
    "the administrator's token is not valid at this ZITADEL: deleted, expired, not copied whole, of another instance, "
    "or not meant for ZITADEL's API",
    "copy the administrator's whole PAT again, or create a new PAT and set ZITADEL_ADMIN_PAT to it",
)
"""The message and the hint when ZITADEL's API answers 401."""

TOO_OLD = (
    "this ZITADEL is too old: it lacks the v2 API for projects, applications and authorizations",
    "update ZITADEL to the newest v4, or if it is new enough, let the proxy in front of it pass /zitadel.*",
)

BIGGER_ROLE = "make its user ORG_OWNER of the organization (or IAM_OWNER)"


class ManagementClient:
    """Calls the management API with one bearer token, for ``timeout_seconds`` per call at most.

    ``timeout_seconds`` may be a function, which is called when a request begins: the seconds left until a deadline.
    ``transport`` is one that exists already, to this ZITADEL.
    """

    def __init__(
        self,
        zitadel: ZitadelAddress,
        token: str,
        *,
        timeout_seconds: float | Callable[[], float],
        transport: Transport | None = None,
    ) -> None:
        from zdemo.http.transport import Transport  # here, because help and completion need no requests

        self.zitadel = zitadel
        self._transport = transport or Transport.to_zitadel(zitadel)
        self.close = self._transport.close
        self._token = token
        self._timeout_seconds = timeout_seconds
        self.organization_id = ""  # the organization in which ZITADEL counts the roles; empty for the user's own
        self.emulator = ""  # the name of zdemo's emulator, if it was that which answered last

    @property
    def timeout_seconds(self) -> float:
        """The longest time that a request which begins now may take."""
        return self._timeout_seconds() if callable(self._timeout_seconds) else self._timeout_seconds

    def has_token(self, text: str) -> bool:
        """Return whether a text is the client's own token."""
        return text == self._token

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Response:
        """Return the answer to one request, whatever its status. Raises IntrospectionError when there is none."""
        headers = {"Authorization": f"Bearer {token or self._token}", "Accept-Language": "en"}
        if self.organization_id:
            headers["x-zitadel-orgid"] = self.organization_id
        if body is not None:
            headers["Connect-Protocol-Version"] = "1"
        seconds = self.timeout_seconds
        try:
            answer = self._transport.send(method, path, timeout_seconds=seconds, headers=headers, json=body)
        except ConnectionFailed as failure:
            raise introspection_error(failure) from failure
        self.emulator = answer.emulator
        return answer


def answered(answer: Response, to: Callable[[dict[str, Any]], T]) -> T:
    """Return the answer, converted by ``to``.

    Raises:
        ManagementError: ZITADEL refuses the request; the message says what to do.
        UnusableAnswer: ``to`` cannot use the answer (ValueError, TypeError, AttributeError, KeyError).
        IntrospectionError: ZITADEL cannot answer now.
    """
    fields = answer.json()
    if answer.status != 200 or not isinstance(fields, dict):
        raise management_error(answer)
    try:
        return to(fields)
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # it has another shape
        raise management_error(answer) from error


# --- what a refusal means, in words


def management_error(answer: Response) -> ZdemoError:
    """Return the error that an answer of the management API means (ZITADEL v4; Connect error JSON)."""
    body = answer.json_object()
    code, text = str(body.get("code", "")), str(body.get("message", ""))
    if answer.status in (429, 500, *GATEWAY_STATUSES) or "unable to set instance" in answer.text:
        return answer_error(answer)
    error_id = text.rpartition("(")[2].rstrip(")") if text.endswith(")") else ""
    if not text or answer.status in (200, 501):
        seen = f"{answer.status}, {answer.media_type or 'no media type'}"
        message = f"the server at {answer.setting} is not ZITADEL's v2 API ({seen})"
        hint = f"check {answer.setting}, and whether a proxy in front of it answers in its place"
        return UnusableAnswer(message, hint=hint, answer=answer)
    message, hint = f"ZITADEL says: {text}", ""
    if not error_id and code in NO_SUCH_SERVICE:
        message, hint = TOO_OLD
    elif answer.status == 401 or error_id == SESSION_TOKEN:
        message, hint = ADMIN_PAT_REFUSED
    elif error_id == NO_MEMBERSHIP:
        message = "the administrator's token is valid, but its user is not an administrator there (no membership)"
        hint = f"use an administrator's PAT, or {BIGGER_ROLE}"
    elif error_id == NO_ORGANIZATION:
        message = "this ZITADEL has no organization with the ID of --org"
        hint = "give the ID on the organization's page"
    elif answer.status == 403:
        message = "the administrator role of the token's user is not enough for this (no permission)"
        hint = BIGGER_ROLE
    return ManagementError(message, hint=hint, answer=answer, code=code, error_id=error_id)


def is_missing(error: ManagementError) -> bool:
    """Return whether ZITADEL says that there is no such object, or that no object can have such an ID."""
    if error.status == 404:
        return error.error_id not in ("", NO_MEMBERSHIP)
    return error.code == "invalid_argument" and not error.error_id
