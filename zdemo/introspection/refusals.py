"""What every other response to an introspection request means."""

from __future__ import annotations

from zdemo.errors import (
    ConnectionFailed,
    CredentialsRefused,
    FailureKind,
    IntrospectionError,
    UnusableAnswer,
    ZitadelUnavailable,
)
from zdemo.http.response import Response
from zdemo.introspection.instance_not_found import host_unknown_in_words, instance_not_found
from zdemo.introspection.model import Introspection, parse_introspection, unusable_answer

DATABASE_AWAY = "QUERY-d3fas"  # ZITADEL: the ID in its 404 text when it cannot read its database
CLIENT_ERRORS = ("unauthorized_client", "invalid_client")  # ZITADEL says the first, RFC 6749 the second
MOST_RETRY_AFTER_SECONDS = 60
CREDENTIALS_REFUSED = "check CLIENT_ID and CLIENT_SECRET against the application's page, and that it is active"
KEY_REFUSED = (
    "check this machine's clock, and the key of ZITADEL_KEY_FILE against the application's page: it is there, has not "
    "expired, and the application is active"
)


def answer_error(answer: Response, *, with_key: bool = False) -> IntrospectionError:
    """The error that any answer but 200 means (ZITADEL v4); ``with_key``: we authenticated with a key file."""
    status = answer.status
    if status == 429 or status >= 500 or (status == 404 and DATABASE_AWAY in answer.text):
        return _unavailable(answer)
    if unknown := instance_not_found(answer):
        _, cause, fix = host_unknown_in_words(answer, unknown)
        return UnusableAnswer(cause, hint="; ".join(fix), answer=answer)
    if is_credential_refusal(answer):
        return CredentialsRefused(
            f"ZITADEL refuses the API application's {'key' if with_key else 'credentials'}",
            hint=KEY_REFUSED if with_key else CREDENTIALS_REFUSED,
            answer=answer,
        )
    if 300 <= status < 400:
        return UnusableAnswer(
            "the introspection endpoint redirects; a redirect is not followed",
            hint="set ZITADEL_DOMAIN to the address that answers itself; exempt /oauth from single sign-on",
            answer=answer,
        )
    return unusable_answer("is none", answer)


def is_credential_refusal(answer: Response) -> bool:
    """Whether an answer says that our own credentials are bad (ZITADEL: 400; other servers: 401, 403)."""
    if answer.status == 400:
        return names_our_client(answer)
    return answer.status in (401, 403) and answer.media_type != "text/html"


def names_our_client(answer: Response) -> bool:
    """Whether an answer is an authorization server's word about its client (RFC 6749 §5.2).

    Any other refusal may be a filter's, about the one token that was asked about.
    """
    return answer.json_object().get("error") in CLIENT_ERRORS


def _unavailable(answer: Response) -> ZitadelUnavailable:
    """The error for an answer that says: not now."""
    if answer.status == 429:
        message, hint = "ZITADEL limits our requests (429)", "wait, and ask its operator for the limit"
    elif answer.status == 404:
        message, hint = "ZITADEL's database is away (QUERY-d3fas)", "look at ZITADEL's database, then try again"
    else:
        message, hint = f"ZITADEL, or a proxy before it, fails ({answer.status})", "look at ZITADEL's log"
    error = ZitadelUnavailable(message, hint=hint, answer=answer)
    wait = answer.headers.get("retry-after", "")
    if wait.isascii() and wait.isdigit():
        error.retry_after_seconds = max(1, min(int(wait[:9]), MOST_RETRY_AFTER_SECONDS))
    return error


def introspection_error(failure: ConnectionFailed) -> IntrospectionError:
    """The introspection error for a connection that failed. Too much of an answer is unusable, the rest unavailable."""
    kind = UnusableAnswer if failure.kind is FailureKind.TOO_LARGE else ZitadelUnavailable
    return kind(failure.message, hint=failure.hint, failure=failure)


def read_answer(answer: Response, *, with_key: bool = False) -> Introspection:
    """What an answer of the introspection endpoint says; ``with_key`` as in ``answer_error``.

    Raises:
        IntrospectionError: it says nothing usable.
    """
    if answer.status != 200:
        raise answer_error(answer, with_key=with_key)
    return parse_introspection(answer)
