"""ZITADEL's 404 for a host that none of its instances has."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from zdemo.config.address import INTERNAL_URL, is_loopback
from zdemo.errors.response import Response
from zdemo.errors.steps import SetVariable, Step, sentence
from zdemo.http.failure_messages import address_steps, host_or_nothing

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
            steps = (*steps, *_also(response, requested))
    return InstanceNotFound(fault=fault, cause=cause, steps=steps, host=host, domain=domain)


def _without_port(host: str) -> str:
    """Return the name in a Host field: an instance's domain has no port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets without an address
        return host


def _also(response: Response, requested: SplitResult) -> tuple[Step, ...]:
    """Return what to know, or to set as well, where the request should have been for another host."""
    if is_loopback(requested.hostname or ""):
        return ("localhost and 127.0.0.1 are two different hosts to ZITADEL",)
    if response.issuer:
        return ()
    internal = SetVariable(INTERNAL_URL, f"{requested.scheme}://{requested.netloc}")  # the address that answers
    return (sentence("if only that answers from here, also:", internal),)
