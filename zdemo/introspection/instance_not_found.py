"""ZITADEL's 404 for a host that it has no instance for: the hosts that it names, the cause and the fix."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from zdemo.config.names import assignment
from zdemo.config.origins import is_loopback
from zdemo.http.response import Response

INSTANCE_UNKNOWN = "unable to set instance using origin"  # ZITADEL: 404 text
# ZITADEL: {host, public host, scheme} of the request, as it understood them
NO_INSTANCE = re.compile(
    INSTANCE_UNKNOWN + r"(?: &\{(?P<host>\S*) (?P<public>\S*) (?P<scheme>\S*)\}"
    r"(?: \(ExternalDomain is (?P<domain>[^)]*)\))?)?"
)
PUBLIC_HOST_UNTRUSTED = "QUERY-IuGh1"
HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


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
    if hosts.host and _hostname(hosts.host) != requested.hostname:  # an instance's domain has no port
        return _host_changed(f"{requested.netloc} ({response.issuer_setting})", hosts)
    return _host_unknown(response, requested, hosts)


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:  # brackets without an address
        return netloc


def _host_changed(requested: str, hosts: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    return (
        "host_changed",
        f"a proxy in front of ZITADEL changes the host: the request was for {requested}, ZITADEL "
        f"received {hosts.host} and has no instance for it{_external_domain(hosts)}",
        (
            "let the proxy pass the Host header unchanged, and no other name in X-Forwarded-Host or Forwarded",
            "nginx: proxy_set_header Host $http_host;",
        ),
    )


def _host_unknown(
    response: Response, requested: SplitResult, hosts: InstanceNotFound
) -> tuple[str, str, tuple[str, ...]]:
    name = requested.hostname or hosts.host
    cause = f"ZITADEL has no instance for the host {name} ({response.issuer_setting}){_external_domain(hosts)}"
    fix: tuple[str, ...] = (
        f"add the name to the instance's domains in ZITADEL, or set {response.issuer_setting} to one of its domains",
    )
    if hosts.domain and hosts.domain.lower() != name.lower():
        assignment = address(response.issuer_setting, requested.scheme, hosts.domain, requested.port)
        fix = (*assignment, *_how_to_connect(requested, is_internal=bool(response.issuer)))
    return "host_unknown", cause, fix


def _how_to_connect(requested: SplitResult, *, is_internal: bool) -> tuple[str, ...]:
    """Return why the address that answers is not the one to ask for, or how to go on connecting to it."""
    if is_loopback(requested.hostname or ""):
        return ("localhost and 127.0.0.1 are two different hosts to ZITADEL",)
    origin = f"{requested.scheme}://{requested.netloc}"
    return () if is_internal else (f"if only that answers from here, also: ZITADEL_INTERNAL_URL={origin}",)


def _external_domain(hosts: InstanceNotFound) -> str:
    return f"; its ExternalDomain is {hosts.domain}" if hosts.domain else ""


def address(setting: str, scheme: str, host: str, port: int | None) -> tuple[str, ...]:
    """Return the assignment for another address, ready to paste, and the setting that plain http may need."""
    name = f"[{host}]" if ":" in host else host
    assigned = assignment(setting, f"{scheme}://{name}" + (f":{port}" if port else ""))
    if scheme != "http" or is_loopback(host):
        return (assigned,)
    return assigned, "ZDEMO_ALLOW_HTTP=1  (needed for plain http)"


def host_or_nothing(text: str | None) -> str:
    """Return a host name that came over the network; empty if it cannot be one."""
    return text if text and HOST.fullmatch(text) else ""
