"""What any other response to an introspection request means, ZITADEL's 404 for an unknown host among them."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from zdemo import errors
from zdemo.config.address import is_loopback
from zdemo.config.names import assignment
from zdemo.errors.response import Response
from zdemo.zitadel.introspection_answer import Introspection, parse_introspection, unusable_answer

INSTANCE_UNKNOWN = "unable to set instance using origin"  # ZITADEL: 404 text
# ZITADEL: {host, public host, scheme} of the request, as it understood them
NO_INSTANCE = re.compile(
    INSTANCE_UNKNOWN + r"(?: &\{(?P<host>\S*) (?P<public>\S*) (?P<scheme>\S*)\}"
    r"(?: \(ExternalDomain is (?P<domain>[^)]*)\))?)?"
)
PUBLIC_HOST_UNTRUSTED = "QUERY-IuGh1"
HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")
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
    if hosts := instance_not_found(response):
        _, cause, fix = explain_instance_not_found(response, hosts)
        return errors.UnusableAnswer(cause, hint="; ".join(fix), answer=response)
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
    return kind(failure.message, hint=failure.hint, failure=failure)


def read_answer(response: Response, *, with_key: bool = False) -> Introspection:
    """Return what a response of the introspection endpoint says, or raise its ``answer_error``."""
    if response.status != 200:
        raise answer_error(response, with_key=with_key)
    return parse_introspection(response)


@dataclass(frozen=True, kw_only=True)
class InstanceNotFound:
    """The host that ZITADEL received, a proxy's public host, and ZITADEL's ExternalDomain; empty if not named."""

    host: str
    public: str
    domain: str


def instance_not_found(response: Response) -> InstanceNotFound | None:
    """Return the hosts that the response names; ``None`` if it is another response."""
    message = response.json_object().get("message")
    match = NO_INSTANCE.search(message if isinstance(message, str) else response.text)
    if response.status != 404 or not match:
        return None
    return InstanceNotFound(**{name: host_or_nothing(match[name]) for name in ("host", "public", "domain")})


def explain_instance_not_found(response: Response, hosts: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    """Return a name for the fault, its cause, and the steps that fix it."""
    requested = urlsplit(response.issuer or response.url)
    if PUBLIC_HOST_UNTRUSTED in response.text:
        name = hosts.public or hosts.host
        return (
            "public_host_untrusted",
            f"ZITADEL does not trust the public host {name}, which a proxy in front of it names",
            (
                "let the proxy pass Host unchanged and send no x-zitadel-public-host",
                f"or add {name} to the trusted domains of the instance",
            ),
        )
    domain = f"; its ExternalDomain is {hosts.domain}" if hosts.domain else ""
    try:
        received = urlsplit(f"//{hosts.host}").hostname  # an instance's domain has no port
    except ValueError:  # brackets without an address
        received = hosts.host
    if hosts.host and received != requested.hostname:
        return (
            "host_changed",
            f"a proxy in front of ZITADEL changes the host: the request was for {requested.netloc} "
            f"({response.issuer_setting}), ZITADEL received {hosts.host} and has no instance for it{domain}",
            (
                "let the proxy pass the Host header unchanged, and no other name in X-Forwarded-Host or Forwarded",
                "nginx: proxy_set_header Host $http_host;",
            ),
        )
    name = requested.hostname or hosts.host
    fix: tuple[str, ...] = (
        f"add the name to the instance's domains in ZITADEL, or set {response.issuer_setting} to one of its domains",
    )
    if hosts.domain and hosts.domain.lower() != name.lower():
        fix = address(response.issuer_setting, requested.scheme, hosts.domain, requested.port)
        if is_loopback(requested.hostname or ""):
            fix = (*fix, "localhost and 127.0.0.1 are two different hosts to ZITADEL")
        elif not response.issuer:  # then this is the address that answers
            origin = f"{requested.scheme}://{requested.netloc}"
            fix = (*fix, f"if only that answers from here, also: ZITADEL_INTERNAL_URL={origin}")
    return "host_unknown", f"ZITADEL has no instance for the host {name} ({response.issuer_setting}){domain}", fix


def address(setting: str, scheme: str, host: str, port: int | None, path: str = "") -> tuple[str, ...]:
    """Return the assignment for another address, ready to paste, and the setting that plain http may need."""
    name = f"[{host}]" if ":" in host else host
    assigned = assignment(setting, f"{scheme}://{name}" + (f":{port}" if port else "") + path)
    if scheme != "http" or is_loopback(host):
        return (assigned,)
    return assigned, "ZDEMO_ALLOW_HTTP=1  (needed for plain http)"


def host_or_nothing(text: str | None) -> str:
    """Return a host name that came over the network; empty if it cannot be one."""
    return text if text and HOST.fullmatch(text) else ""
