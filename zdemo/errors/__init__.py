"""Every error that zdemo raises on purpose, as one tree.

    ZdemoError                      exit code 1: the answer is no
    ├── UsageError                  2  the command line is wrong
    ├── SettingsError               3  settings are missing or wrong, all of them at once
    ├── MissingTokenError           3  a token is needed and none was given
    ├── GuardError                  1  a guard is used in a way that could leave a view open
    ├── ConnectionFailed            4  no answer came: name, port, TLS, time, proxy
    ├── Refused                     1  the API refuses a request (RFC 6750 §3)
    │   ├── NoToken                    401, no error code
    │   ├── InvalidRequest             400  invalid_request
    │   ├── InvalidToken               401  invalid_token
    │   └── InsufficientScope          401 or 403  insufficient_scope
    ├── IntrospectionError             the caller's token could not be judged
    │   ├── ZitadelUnavailable      4  503: ZITADEL does not answer, or not now
    │   ├── CredentialsRefused      1  502: ZITADEL refuses the API's own client credentials
    │   └── UnusableAnswer          4  502: the answer is not an introspection answer
    └── ManagementError             1  ZITADEL's management API refuses a call

A message says what is wrong, in lower case; a hint says what to do. Neither contains what could be a secret.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from functools import partial
from typing import ClassVar, Self

from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.response import Response
from zdemo.errors.steps import Step, in_line

Hint = Step | Sequence[Step]
NO_MEMBERSHIP = "AUTHZ-cdgFk"  # ZITADEL: the token is valid, its user is not an administrator
ADMIN_REFUSED = "admin.refused"  # the ID of the finding that an administrator's token cannot be used
ROLE_SCOPE = "urn:zitadel:iam:org:project:role:"
SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")  # RFC 6749 §3.3: a role with other characters has no scope


class ExitCode(IntEnum):
    """The exit statuses of commands."""

    YES = 0
    NO = 1
    USAGE = 2
    SETTINGS = 3
    NO_ANSWER = 4


class ZdemoError(Exception):
    """The root of all errors: a message of one or more lines, a hint that says what to do, and an exit code.

    The hint is a step, or several of them. ``finding`` is the ID of the cause, where the diagnosis found it, and
    ``because`` what is wrong with the settings that decide about it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.NO
    finding = ""
    because: tuple[Problem, ...] = ()

    def __init__(self, *lines: str, hint: Hint = "") -> None:
        self.lines, self.message = lines, "\n".join(lines)
        super().__init__(self.message)
        steps = (hint,) if isinstance(hint, Step) else hint
        self.steps: tuple[Step, ...] = tuple(filter(None, steps))
        if self.hint:
            self.add_note(f"hint: {self.hint}")  # for the traceback in apps that do not catch it

    @property
    def hint(self) -> str:
        """The steps in words."""
        return "; ".join(map(in_line, self.steps))


def drop_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error that is kept, and of those that led to it: their frames hold the whole request.

    What the frames hold may hold the error in turn. Only Python's collector can free such a circle, and to do so it
    stops all threads.
    """
    while error is not None and error.__traceback__ is not None:  # the second condition ends a circle of errors
        error.__traceback__ = None
        error = error.__context__


class UsageError(ZdemoError):
    """A command line that is wrong."""

    exit_code = ExitCode.USAGE


class SettingsError(ZdemoError):
    """Settings that are missing or wrong: all problems at once. A text is a problem with a file.

    Without a ``hint``, the steps of the problems are what to do.
    """

    exit_code = ExitCode.SETTINGS

    def __init__(self, problems: Iterable[Problem | str], *, hint: Hint = ()) -> None:
        of_file = partial(Problem, kind=ProblemKind.FILE)
        self.problems = tuple(of_file(text=known) if isinstance(known, str) else known for known in problems)
        steps = dict.fromkeys(step for problem in self.problems for step in problem.steps)
        super().__init__(*map(str, self.problems), hint=hint or tuple(steps))


class MissingTokenError(ZdemoError):
    """A token that is needed and is missing, or cannot be sent."""

    exit_code = ExitCode.SETTINGS


class GuardError(ZdemoError, TypeError):
    """A guard with wrong arguments, or in a place where it guards nothing. Also a TypeError, as for any wrong call."""


class FailureKind(StrEnum):
    """The reasons why no usable answer came."""

    NAME_NOT_RESOLVED = "name_not_resolved"
    REFUSED = "refused"
    NO_ROUTE = "no_route"
    TIMEOUT = "timeout"
    HUNG_UP = "hung_up"
    PLAIN_HTTP = "plain_http"  # https was used for a port that speaks http
    NOT_TLS = "not_tls"  # https was used for a port that speaks neither
    EXPECTS_TLS = "expects_tls"  # http was used for a port that speaks TLS
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_WRONG_NAME = "certificate_wrong_name"
    TLS = "tls"
    PROXY = "proxy"  # the proxy does not answer, or refuses
    PROXY_REFUSED = "proxy_refused"  # nothing listens where the proxy should
    PROXY_UNUSABLE = "proxy_unusable"  # not an http proxy
    PROXY_LOGIN = "proxy_login"
    PROXY_WITHOUT_WAY = "proxy_without_way"  # the proxy cannot connect to the server
    PROXY_PLAIN_HTTP = "proxy_plain_http"  # https was used for a proxy that speaks http
    BROKEN = "broken"  # the answer is not HTTP
    TOO_LARGE = "too_large"


class ConnectionFailed(ZdemoError):
    """A request without a usable answer; ``connecting`` is whether a timeout came before there was a connection."""

    exit_code = ExitCode.NO_ANSWER

    def __init__(self, message: str, *, hint: Hint, kind: FailureKind, connecting: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.kind, self.connecting = kind, connecting


class Refused(ZdemoError):
    """A request that the API refuses. ``code`` is the error code of RFC 6750 §3.1, ``None`` where it has none."""

    status: int = 401
    code: ClassVar[str | None] = None
    scope: str | None = None


class NoToken(Refused):
    """A request without a bearer token: a challenge without an error code (RFC 6750 §3.1)."""


class InvalidRequest(Refused):
    """A malformed request: the token is broken, repeated, or sent in more than one way (RFC 6750 §3.1)."""

    status = 400
    code = "invalid_request"


class InvalidToken(Refused):
    """A token that is inactive, expired, not yet valid, or not for this API (RFC 6750 §3.1)."""

    code = "invalid_token"


class InsufficientScope(Refused):
    """A valid token without the role (RFC 6750 §3.1). ``status`` is a setting: 401 or 403.

    All of ``all_of`` are required; without it, one of ``missing``. ``scope`` names the roles that would do, ``lacking``
    says which the user lacks.
    """

    code = "insufficient_scope"

    def __init__(self, missing: Sequence[str], *, status: int, all_of: Sequence[str] = ()) -> None:
        roles = self.lacking = ", ".join(missing)
        message = f"the role {roles} is missing" if len(missing) == 1 else f"the roles {roles} are missing"
        if len(missing) > 1 and not all_of:
            message, self.lacking = f"one of the roles {roles} is required", f"any of {roles}"
        super().__init__(message, hint="a project role must be granted to the token's user")
        self.role = missing[0]
        self.status = status
        scopes = [f"{ROLE_SCOPE}{role}" for role in all_of or missing if SCOPE_TOKEN.fullmatch(role)]
        self.scope = " ".join(scopes) or None


class IntrospectionError(ZdemoError):
    """A token that could not be judged, so the request is refused. ``answer`` is what ZITADEL answered, if it did."""

    status: ClassVar[int] = 502

    def __init__(
        self,
        message: str,
        *,
        hint: Hint,
        answer: Response | None = None,
        failure: ConnectionFailed | None = None,
        retry_after_seconds: int = 1,
    ) -> None:
        super().__init__(message, hint=hint)
        self.answer, self.failure, self.retry_after_seconds = answer, failure, retry_after_seconds

    def copy(self) -> Self:
        """Return an equal error for another thread: an instance raised twice collects both tracebacks."""
        twin = type(self).__new__(type(self), self.message)
        vars(twin).update(vars(self))
        return twin


class ZitadelUnavailable(IntrospectionError):
    """A ZITADEL that cannot answer now: unreachable, too slow, rate limited, 5xx, or without its database."""

    exit_code = ExitCode.NO_ANSWER
    status = 503


class CredentialsRefused(IntrospectionError):
    """Credentials of the API application that ZITADEL refuses (400 ``unauthorized_client``)."""


class UnusableAnswer(IntrospectionError):
    """An answer that is not an introspection: not ZITADEL, the wrong Host, a redirect, no boolean ``active``."""

    exit_code = ExitCode.NO_ANSWER


class ManagementError(ZdemoError):
    """A call that ZITADEL's management API refused. ``code`` is ZITADEL's word, such as ``not_found``."""

    def __init__(self, message: str, *, hint: Step, answer: Response, code: str = "", error_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.answer, self.status, self.code, self.error_id = answer, answer.status, code, error_id
        self.finding = ADMIN_REFUSED if self.status == 401 or error_id == NO_MEMBERSHIP else ""
