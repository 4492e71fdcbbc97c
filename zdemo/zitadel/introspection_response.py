"""What any other response to a request to ZITADEL means than the one that was asked for."""

from zdemo import errors
from zdemo.errors.response import Response
from zdemo.zitadel.instance_not_found import instance_not_found
from zdemo.zitadel.introspection_answer import Introspection, parse_introspection, unusable_answer

DATABASE_AWAY = "QUERY-d3fas"  # ZITADEL cannot read its database: the ID in a text with 500, or 404 before v4.14
CLIENT_ERRORS = ("unauthorized_client", "invalid_client")  # ZITADEL says the first, RFC 6749 the second
MOST_RETRY_AFTER_SECONDS = 60
CREDENTIALS_REFUSED = "compare CLIENT_ID and CLIENT_SECRET with the application's page, and check that it is active"
KEY_REFUSED = (
    "check this machine's clock; check on the application's page that the application is active, and that the key of "
    "ZITADEL_KEY_FILE is listed and has not expired"
)


def answer_error(response: Response, *, with_key: bool = False) -> errors.IntrospectionError:
    """Return the error for a status other than 200 (ZITADEL v4); ``with_key``: a key file authenticated the request."""
    status = response.status
    if status == 429 or status >= 500 or (status == 404 and DATABASE_AWAY in response.text):
        return _unavailable(response)
    if not_found := instance_not_found(response):
        return errors.UnusableAnswer(not_found.cause, hint=not_found.steps, answer=response)
    # ZITADEL says it with 400, other servers with 401 or 403
    if names_our_client(response) if status == 400 else status in (401, 403) and response.media_type != "text/html":
        message = f"ZITADEL refuses the API application's {'key' if with_key else 'credentials'}"
        hint = KEY_REFUSED if with_key else CREDENTIALS_REFUSED
        return errors.CredentialsRefused(message, hint=hint, answer=response)
    if 300 <= status < 400:
        message = "the introspection endpoint redirects; redirects are not followed"
        hint = f"set {response.setting} to the address that does not redirect; exempt /oauth from single sign-on"
        return errors.UnusableAnswer(message, hint=hint, answer=response)
    return unusable_answer("is not an answer", response)


def names_our_client(response: Response) -> bool:
    """Tell whether an authorization server says this about its client (RFC 6749 §5.2).

    Any other refusal may be that of a filter, about the one token in the request.
    """
    return response.json_object().get("error") in CLIENT_ERRORS


def _unavailable(response: Response) -> errors.ZitadelUnavailable:
    if response.status == 429:
        message, hint = "ZITADEL limits the requests of this API (429)", "wait; ask ZITADEL's operator about the limit"
    elif DATABASE_AWAY in response.text:
        message, hint = "ZITADEL cannot read its database (QUERY-d3fas)", "check ZITADEL's database, then try again"
    else:
        message, hint = f"ZITADEL, or a proxy in front of it, fails ({response.status})", "check ZITADEL's log"
    wait = response.headers.get("retry-after", "")
    seconds = int(wait[:9]) if wait.isascii() and wait.isdigit() else 1
    seconds = max(1, min(seconds, MOST_RETRY_AFTER_SECONDS))
    return errors.ZitadelUnavailable(message, hint=hint, answer=response, retry_after_seconds=seconds)


def introspection_error(failure: errors.ConnectionFailed) -> errors.IntrospectionError:
    """Return the introspection error for a failed connection: 502 for a response that is too large, else 503."""
    kind = errors.UnusableAnswer if failure.kind is errors.FailureKind.TOO_LARGE else errors.ZitadelUnavailable
    return kind(failure.message, hint=failure.steps, failure=failure)


def read_answer(response: Response, *, with_key: bool = False) -> Introspection:
    """Return what a response of the introspection endpoint says, or raise its ``answer_error``."""
    if response.status != 200:
        raise answer_error(response, with_key=with_key)
    return parse_introspection(response)
