"""Every error that zdemo raises on purpose, as one tree.

    ZdemoError                      exit code 1: the answer is no
    ├── UsageError                  2  the command line is wrong
    ├── SettingsError               3  settings are missing or wrong, all of them at once
    ├── MissingTokenError           3  a token is needed and none was given
    ├── ConnectionFailed            4  no answer came: name, port, TLS, time, proxy
    ├── Refused                     1  the API refuses a request (RFC 6750 §3)
    │   ├── NoToken                    401, no error code
    │   ├── InvalidRequest             400  invalid_request
    │   ├── InvalidToken               401  invalid_token
    │   └── InsufficientScope          401 or 403  insufficient_scope
    ├── IntrospectionError             the caller's token could not be judged
    │   ├── ZitadelUnavailable      4  503: ZITADEL does not answer, or not now
    │   ├── CredentialsRefused      1  502: ZITADEL refuses the API's own client credentials
    │   └── UnusableAnswer          4  502: what came is no introspection answer
    └── ManagementError             1  ZITADEL's management API says no

The message says the state, in lower case; the hint says the command or the variable that changes it.
Neither ever holds a token, a secret, or the text of a setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import ClassVar, Self

from zdemo.http.response import Response


class ExitCode(IntEnum):
    """What a command's exit status says."""

    YES = 0
    NO = 1
    USAGE = 2
    SETTINGS = 3
    NO_ANSWER = 4


class ZdemoError(Exception):
    """The root: a message for the person, a hint that says what to do, an exit code for the shell."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # for the traceback, where an app of somebody else does not catch it


class UsageError(ZdemoError):
    """The command line cannot be what was meant."""

    exit_code = ExitCode.USAGE


class SettingsError(ZdemoError):
    """Settings that are missing or wrong: one line per problem, and the fixes of problems that have their own."""

    exit_code = ExitCode.SETTINGS

    def __init__(self, problems: Sequence[str], *, hint: str = "", fixes: Mapping[str, str] | None = None) -> None:
        super().__init__("\n       ".join(problems), hint=hint)
        self.problems = tuple(problems)
        self.fixes = dict(fixes or {})


class MissingTokenError(ZdemoError):
    """A token is needed and there is none, or what is there cannot be sent as one."""

    exit_code = ExitCode.SETTINGS


class FailureKind(StrEnum):
    """Why no answer came."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    REFUSED = "refused"
    NO_ROUTE = "no_route"
    TIMEOUT = "timeout"
    HUNG_UP = "hung_up"
    PLAIN_HTTP = "plain_http"  # TLS was spoken to a port that speaks http
    NOT_TLS = "not_tls"  # TLS was spoken to a port that speaks neither
    EXPECTS_TLS = "expects_tls"  # plain http was spoken to a port that speaks TLS
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_WRONG_NAME = "certificate_wrong_name"
    TLS = "tls"
    PROXY = "proxy"  # it is not there, or says no
    PROXY_UNUSABLE = "proxy_unusable"  # what the environment names is no http proxy
    PROXY_LOGIN = "proxy_login"
    PROXY_WITHOUT_WAY = "proxy_without_way"  # it gets no connection to the server
    PROXY_PLAIN_HTTP = "proxy_plain_http"  # TLS was spoken to a proxy that speaks http
    BROKEN = "broken"  # what came is no HTTP
    TOO_LARGE = "too_large"


class ConnectionFailed(ZdemoError):
    """No usable answer came from ``origin``."""

    exit_code = ExitCode.NO_ANSWER

    def __init__(self, message: str, *, hint: str, kind: FailureKind, origin: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.origin = origin


class Refused(ZdemoError):
    """The API refuses a request. ``code`` is the error code of RFC 6750 §3.1, or ``None`` where none is due."""

    status: int = 401
    code: ClassVar[str | None] = None
    scope: str | None = None


class NoToken(Refused):
    """No bearer token was presented: a challenge without an error code (RFC 6750 §3.1)."""


class InvalidRequest(Refused):
    """The request is malformed: broken or repeated token, more than one way to send it (RFC 6750 §3.1)."""

    status = 400
    code = "invalid_request"


class InvalidToken(Refused):
    """The token is inactive, expired, not yet valid, or not for this API (RFC 6750 §3.1)."""

    code = "invalid_token"


class InsufficientScope(Refused):
    """The token is good, the role is missing (RFC 6750 §3.1). ``status`` is a setting: 401 or 403."""

    code = "insufficient_scope"

    def __init__(self, role: str, *, status: int) -> None:
        super().__init__(f"the role {role} is missing", hint="a project role must be granted to the token's user")
        self.role = role
        self.status = status
        self.scope = f"urn:zitadel:iam:org:project:role:{role}"


class IntrospectionError(ZdemoError):
    """The token could not be judged, so nobody is let in. ``answer`` is what came, if anything did;
    ``retry_after_seconds`` is for a 503."""

    status: ClassVar[int] = 502

    def __init__(
        self,
        message: str,
        *,
        hint: str,
        answer: Response | None = None,
        failure: ConnectionFailed | None = None,
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(message, hint=hint)
        self.answer = answer
        self.failure = failure
        self.retry_after_seconds = retry_after_seconds

    def copy(self) -> Self:
        """Return an equal error for another thread: one instance raised twice would gather the tracebacks of both."""
        return type(self)(
            self.message,
            hint=self.hint,
            answer=self.answer,
            failure=self.failure,
            retry_after_seconds=self.retry_after_seconds,
        )


class ZitadelUnavailable(IntrospectionError):
    """ZITADEL cannot be asked now: unreachable, too slow, rate limited, 5xx, or its database is away."""

    exit_code = ExitCode.NO_ANSWER
    status = 503


class CredentialsRefused(IntrospectionError):
    """ZITADEL refuses the API application's own credentials (ZITADEL: 400 ``unauthorized_client``)."""


class UnusableAnswer(IntrospectionError):
    """What came is no introspection answer: not ZITADEL, the wrong Host, a redirect, no boolean ``active``."""

    exit_code = ExitCode.NO_ANSWER


class ManagementError(ZdemoError):
    """ZITADEL's management API refused a call with ``answer``. ``code`` is its word, such as ``not_found``."""

    def __init__(self, message: str, *, hint: str, answer: Response, code: str = "", error_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.answer = answer
        self.status = answer.status
        self.code = code
        self.error_id = error_id
