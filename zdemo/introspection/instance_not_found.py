"""ZITADEL's 404 for a host that is no instance's, in words: it tells which host it saw, and which it would know.

A module of its own, below introspection, because the API's log, the commands that change ZITADEL and the diagnosis
all meet this answer, and one sentence is enough for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from zdemo.config.parsers import is_loopback
from zdemo.http.response import Response

INSTANCE_UNKNOWN = "unable to set instance using origin"  # ZITADEL: 404 text, our Host is none of its domains
# ZITADEL: {host, public host, scheme} of the request, as it understood them
NO_INSTANCE = re.compile(
    INSTANCE_UNKNOWN + r"(?: &\{(?P<host>\S*) (?P<public>\S*) (?P<scheme>\S*)\}"
    r"(?: \(ExternalDomain is (?P<domain>[^)]*)\))?)?"
)
PUBLIC_HOST_UNTRUSTED = "QUERY-IuGh1"
HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


@dataclass(frozen=True, kw_only=True)
class InstanceNotFound:
    """The host that ZITADEL saw, the public one that a proxy names, and its ExternalDomain; empty if not told."""

    host: str
    public: str
    domain: str


def instance_not_found(answer: Response) -> InstanceNotFound | None:
    """What the answer names; ``None`` when it is another answer."""
    message = answer.json_object().get("message")
    found = NO_INSTANCE.search(message if isinstance(message, str) else answer.text)
    if answer.status != 404 or not found:
        return None
    return InstanceNotFound(**{name: host_or_nothing(found[name]) for name in ("host", "public", "domain")})


def host_unknown_in_words(answer: Response, found: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    """A name for the fault, its cause, and what mends it."""
    asked = urlsplit(answer.url)
    if PUBLIC_HOST_UNTRUSTED in answer.text:
        return _public_host_untrusted(found)
    if found.host and _name_in(found.host) != asked.hostname:  # the port is no part of an instance's domain
        return _host_changed(asked.netloc, found)
    return _host_unknown(asked, found)


def _name_in(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # brackets that hold no address
        return host


def _public_host_untrusted(found: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    name = found.public or found.host
    return (
        "public_host_untrusted",
        f"ZITADEL does not trust the public host {name} that a proxy in between names",
        (
            "let the proxy pass Host unchanged and send no x-zitadel-public-host",
            f"or add {name} to the trusted domains of the instance",
        ),
    )


def _host_changed(asked: str, found: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    return (
        "host_changed",
        f"a proxy before ZITADEL changes the host: {asked} (ZITADEL_DOMAIN) was asked, and {found.host} arrived there, "
        "which is no domain of an instance" + (f" (ExternalDomain {found.domain})" if found.domain else ""),
        (
            "let the proxy pass the Host header unchanged, and no other name in X-Forwarded-Host or Forwarded",
            "nginx: proxy_set_header Host $http_host;",
        ),
    )


def _host_unknown(asked: SplitResult, found: InstanceNotFound) -> tuple[str, str, tuple[str, ...]]:
    name = asked.hostname or found.host
    cause = f"ZITADEL answers, but {name} (ZITADEL_DOMAIN) is no domain of an instance of it"
    if found.domain:
        cause += f"; its ExternalDomain is {found.domain}"
    fix: tuple[str, ...] = (
        "add the name to the instance's domains in ZITADEL, or set ZITADEL_DOMAIN to one that it has",
    )
    if found.domain and found.domain.lower() != name.lower():
        instead = address("ZITADEL_DOMAIN", asked.scheme, found.domain, asked.port)
        fix = (*instead, "localhost and 127.0.0.1 are two names to ZITADEL")
    return "host_unknown", cause, fix


def address(setting: str, scheme: str, host: str, port: int | None) -> tuple[str, ...]:
    """What to write to have another address, ready to be pasted; with it what makes zdemo take plain http."""
    name = f"[{host}]" if ":" in host else host
    assignment = f"{setting}={scheme}://{name}" + (f":{port}" if port else "")
    if scheme != "http" or is_loopback(host):
        return (assignment,)
    return assignment, "ZDEMO_ALLOW_HTTP=1          (with it, as that is plain http)"


def host_or_nothing(text: str | None) -> str:
    """A host name that came over the network; empty when it cannot be one."""
    return text if text and HOST.fullmatch(text) else ""
