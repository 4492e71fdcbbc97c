"""What responses of ZITADEL mean that are not the answer that was asked for."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from zdemo import errors
from zdemo.config.address import INTERNAL_URL, is_loopback
from zdemo.errors.response import Response
from zdemo.errors.steps import SetVariable, Step
from zdemo.http.failure_messages import address_steps, host_or_nothing
from zdemo.zitadel.introspection_answer import Introspection, parse_introspection, unusable_answer

DATABASE_AWAY = "QUERY-d3fas"  # ZITADEL cannot read its database: the ID in a text with 500, or 404 before v4.14
CREDENTIALS_REFUSED = "compare CLIENT_ID and CLIENT_SECRET with the application's page, and check that it is active"
KEY_REFUSED = (
    "check this machine's clock",
    "check on the application's page that it is active, and that the key of ZITADEL_KEY_FILE is listed and not expired",
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
        hint = f"set {response.setting} to the address that does not redirect, or exempt /oauth from single sign-on"
        return errors.UnusableAnswer(message, hint=hint, answer=response)
    return unusable_answer("is not an answer", response)


def names_our_client(response: Response) -> bool:
    """Tell whether an authorization server says this about its client (RFC 6749 §5.2).

    Any other refusal may be that of a filter, about the one token in the request.
    """
    return response.json_object().get("error") in ("unauthorized_client", "invalid_client")  # ZITADEL's word, the RFC's


def _unavailable(response: Response) -> errors.ZitadelUnavailable:
    if response.status == 429:
        message, hint = "ZITADEL limits the requests of this API (429)", "wait, or ask its operator about the limit"
    elif DATABASE_AWAY in response.text:
        message, hint = "ZITADEL cannot read its database (QUERY-d3fas)", "check ZITADEL's database, then try again"
    else:
        message, hint = f"ZITADEL, or a proxy in front of it, fails ({response.status})", "check ZITADEL's log"
    wait = response.headers.get("retry-after", "")
    seconds = int(wait[:9]) if wait.isascii() and wait.isdigit() else 1
    seconds = max(1, min(seconds, 60))
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


# --- a host that none of its instances has

INSTANCE_UNKNOWN = "unable to set instance using origin"  # ZITADEL: 404 text
# ZITADEL: {host, public host, scheme} of the request, as it understood them
NO_INSTANCE = re.compile(
    INSTANCE_UNKNOWN + r"(?: &\{(?P<host>\S*) (?P<public>\S*) (?P<scheme>\S*)\}"
    r"(?: \(ExternalDomain is (?P<domain>[^)]*)\))?)?"
)
PUBLIC_HOST_UNTRUSTED = "QUERY-IuGh1"


@dataclass(frozen=True, kw_only=True)
class InstanceNotFound:
    """Why ZITADEL has no instance for a request, and the hosts that it names, empty if it does not.

    ``host`` is what ZITADEL received, ``domain`` its ExternalDomain.
    """

    fault: str
    cause: str
    steps: tuple[Step, ...]
    host: str
    domain: str


def instance_not_found(response: Response) -> InstanceNotFound | None:
    """Return why ZITADEL has no instance for the request; ``None`` if it is another response."""
    message = response.json_object().get("message")
    match = NO_INSTANCE.search(message if isinstance(message, str) else response.text)
    if response.status != 404 or not match:
        return None
    host, public, domain = (host_or_nothing(match[name]) for name in ("host", "public", "domain"))
    requested = urlsplit(response.issuer or response.url)
    setting = response.issuer_setting
    its_domain = f"; its ExternalDomain is {domain}" if domain else ""
    name = requested.hostname or host
    steps: tuple[Step, ...]
    if PUBLIC_HOST_UNTRUSTED in response.text:
        untrusted = public or host
        fault = "public_host_untrusted"
        cause = f"ZITADEL does not trust the public host {untrusted}, which a proxy in front of it names"
        steps = (
            "let the proxy pass Host unchanged and send no x-zitadel-public-host",
            f"or add {untrusted} to the trusted domains of the instance",
        )
    elif host and _without_port(host) != requested.hostname:
        fault = "host_changed"
        cause = (
            f"a proxy in front of ZITADEL changes the host: the request was for {requested.netloc} ({setting}), "
            f"ZITADEL received {host} and has no instance for it{its_domain}"
        )
        steps = (
            "let the proxy pass the Host header unchanged, and no other name in X-Forwarded-Host or Forwarded",
            "nginx: proxy_set_header Host $http_host;",
        )
    else:
        fault = "host_unknown"
        cause = f"ZITADEL has no instance for the host {name} ({setting}){its_domain}"
        steps = (f"add the name to the instance's domains in ZITADEL, or set {setting} to one of its domains",)
        if domain and domain.lower() != name.lower():
            certain = all(is_loopback(_without_port(known)) for known in (host, domain))
            steps = address_steps(setting, requested.scheme, domain, requested.port, certain=certain)
            if is_loopback(requested.hostname or ""):
                steps = (*steps, "localhost and 127.0.0.1 are two different hosts to ZITADEL")
            elif not response.issuer:
                answers = f"{requested.scheme}://{requested.netloc}"
                steps = (*steps, SetVariable(INTERNAL_URL, answers, does="also, if only that answers from here"))
    return InstanceNotFound(fault=fault, cause=cause, steps=steps, host=host, domain=domain)


def _without_port(host: str) -> str:
    """Return the name in a Host field: an instance's domain has no port."""
    return re.sub(r":\d*$", "", host).strip("[]").lower()
