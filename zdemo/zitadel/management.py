"""The transport of ZITADEL's management API: one bearer token, Connect with JSON, one pager, and refusals in words.

ZITADEL's answers leave out defaults (empty lists, ``false``), and its lists trail writes by milliseconds.
"""

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from zdemo.config.address import ZitadelAddress
from zdemo.errors import ConnectionFailed, ManagementError, UnusableAnswer, ZdemoError
from zdemo.response import GATEWAY_STATUSES, Response
from zdemo.zitadel.refused_credentials import answer_error, introspection_error

PAGE_SIZE = 100
MOST_PAGES = 1000  # no project is that large; a list that repeats itself would be read without end
USER_SERVICE = "zitadel.user.v2.UserService"
PROJECT_SERVICE = "zitadel.project.v2.ProjectService"
APPLICATION_SERVICE = "zitadel.application.v2.ApplicationService"
ORGANIZATION_SERVICE = "zitadel.org.v2.OrganizationService"
AUTHORIZATION_SERVICE = "zitadel.authorization.v2.AuthorizationService"

LISTS = {
    *("applications", "authorizations", "keys", "projectGrants", "projectRoles", "projects", "result", "roles"),
}
OBJECTS = {
    *("apiConfiguration", "application", "details", "machine", "oidcConfiguration", "organization", "pagination"),
    *("project", "user"),
}
"""The fields of answers that hold lists of objects, and those that hold one object."""

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


class ManagementClient:
    """Calls the management API with one bearer token, for ``timeout_seconds`` per call at most.

    ``timeout_seconds`` may be a function, which is called when a request begins: the seconds left until a deadline.
    """

    def __init__(self, zitadel: ZitadelAddress, token: str, *, timeout_seconds: float | Callable[[], float]) -> None:
        from zdemo.http.transport import Transport  # here, because help and completion need no requests

        self.zitadel = zitadel
        self._transport = Transport.to_zitadel(zitadel)
        self._token = token
        self._timeout_seconds = timeout_seconds
        self.emulator = ""  # the name of zdemo's emulator, if it was that which answered last

    def __enter__(self) -> Self:
        return self

    @property
    def issuer(self) -> str:
        """ZITADEL's address as it knows itself."""
        return self.zitadel.issuer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def timeout_seconds(self) -> float:
        """The longest time that a request which begins now may take."""
        return self._timeout_seconds() if callable(self._timeout_seconds) else self._timeout_seconds

    def has_token(self, matches: Callable[[str], bool]) -> bool:
        """Return whether a condition holds for the client's own token."""
        return matches(self._token)

    def call(self, service: str, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make one unary Connect call.

        Raises:
            ManagementError: ZITADEL refuses it; the message says what to do.
            IntrospectionError: no ZITADEL answered there, or it cannot now.
        """
        answer = self.request("POST", f"/{service}/{method}", body)
        fields = answer.json()
        if answer.status == 200 and isinstance(fields, dict) and _has_known_shape(fields):
            return fields
        raise management_error(answer, method)

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> Response:
        """Return the answer to one request, whatever its status. Raises IntrospectionError when there is none."""
        headers = {"Authorization": f"Bearer {token or self._token}", "Accept-Language": "en"}
        if body is not None:
            headers["Connect-Protocol-Version"] = "1"
        try:
            answer = self._transport.send(
                method,
                path,
                timeout_seconds=self.timeout_seconds,
                headers=headers,
                json=None if body is None else dict(body),
            )
        except ConnectionFailed as failure:
            raise introspection_error(failure) from failure
        self.emulator = answer.emulator
        return answer

    def rows(self, service: str, method: str, body: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, oldest first. Raises what ``pages`` raises."""
        for page, _ in self.pages(service, method, body, key):
            yield from page

    def pages(
        self, service: str, method: str, body: Mapping[str, Any], key: str
    ) -> Iterator[tuple[list[dict[str, Any]], int]]:
        """Yield the rows of each page, and how many the whole list has: more, when some may not be seen (ZITADEL).

        Raises what ``call`` raises, and UnusableAnswer if the list never ends.
        """
        offset = 0
        for _ in range(MOST_PAGES):
            page = {"offset": str(offset), "limit": PAGE_SIZE, "asc": True}
            answer = self.call(service, method, {**body, "pagination": page})
            found, total = answer.get(key) or [], _count(answer, "totalResult")
            yield found, total
            offset += max(len(found), min(_count(answer, "appliedLimit"), PAGE_SIZE))
            if not found or offset >= total:
                return
        raise UnusableAnswer(
            f"ZITADEL's list does not end ({method}): after {MOST_PAGES} pages it announces more",
            hint=f"check {self.zitadel.setting}, and whether a proxy in front of it sends one page again and again",
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _has_known_shape(answer: dict[str, Any]) -> bool:
    """Return whether lists of objects and objects are where the v2 API has them, so that no reader needs to check."""
    for name, value in answer.items():
        parts = value if name in LISTS else [value] if name in OBJECTS else []
        if value is None:
            continue
        if not isinstance(parts, list) or not all(isinstance(part, dict) and _has_known_shape(part) for part in parts):
            return False
    return True


def _count(answer: Mapping[str, Any], name: str) -> int:
    """Return a number about the pages of a list; 0 when the answer does not have it."""
    try:
        return int(str((answer.get("pagination") or {}).get(name, "0")))
    except ValueError:
        return 0


# --- what a refusal means, in words


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
