"""The address: a host that is no instance's, one that a proxy changes, a redirect, http where TLS is spoken.

Each rule takes an answer that is no introspection and returns a finding, or ``None`` when it is about something else.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.findings import Finding
from zdemo.diagnosis.words import address, health, host_or_nothing, seen, url
from zdemo.introspection import DATABASE_AWAY, INSTANCE_UNKNOWN
from zdemo.transport import Answer

# ZITADEL: {host, public host, scheme} of the request, as it understood them
NO_INSTANCE = re.compile(
    r"unable to set instance using origin &\{(?P<host>\S*) (?P<public>\S*) (?P<scheme>\S*)\}"
    r"(?: \(ExternalDomain is (?P<domain>[^)]*)\))?"
)
HOST_UNKNOWN, PUBLIC_HOST_UNTRUSTED = "QUERY-1kIjX", "QUERY-IuGh1"
TLS_EXPECTED = re.compile("HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS|plain HTTP to an SSL")


def wrong_host(answer: Answer, evidence: Evidence) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    """The 404 that says that our Host is no domain of an instance; it names the hosts concerned."""
    found = NO_INSTANCE.search(answer.text)
    if answer.status != 404 or INSTANCE_UNKNOWN not in answer.text or DATABASE_AWAY in answer.text or not found:
        return None
    host, public, domain = (host_or_nothing(found[name]) for name in ("host", "public", "domain"))
    lines = (seen(answer), ("hosts", f"ZITADEL saw {host or 'none'}; its ExternalDomain is {domain or 'not told'}"))
    if PUBLIC_HOST_UNTRUSTED in answer.text:
        return Finding(
            id="zitadel.public_host_untrusted",
            cause=f"ZITADEL does not trust the public host {public or host} that a proxy in between names",
            seen=lines,
            fix=(
                "let the proxy pass Host unchanged and send no x-zitadel-public-host",
                f"or add {public or host} to the trusted domains of the instance",
            ),
        )
    if host and host.lower() != url(answer).netloc.lower():
        return _host_changed(answer, host, domain, lines)
    return _host_unknown(answer, host or url(answer).netloc, domain, lines)


def _host_changed(answer: Answer, host: str, domain: str, lines: tuple[tuple[str, str], ...]) -> Finding:
    return Finding(
        id="zitadel.host_changed",
        cause=f"a proxy before ZITADEL changes the host: {url(answer).netloc} was asked, and {host} arrived there, "
        "which is no domain of an instance" + (f" (ExternalDomain {domain})" if domain else ""),
        seen=lines,
        fix=(
            "let the proxy pass the Host header unchanged, and no other name in X-Forwarded-Host or Forwarded",
            "nginx: proxy_set_header Host $http_host;",
        ),
    )


def _host_unknown(answer: Answer, host: str, domain: str, lines: tuple[tuple[str, str], ...]) -> Finding:
    parts = url(answer)
    name = parts.hostname or host
    fix: tuple[str, ...] = ("add the name to the instance's domains in ZITADEL, or use one that it has",)
    if domain and domain.lower() != name.lower():
        instead = address("ZITADEL_DOMAIN", parts.scheme, domain, parts.port)
        fix = (*instead, "localhost and 127.0.0.1 are two names to ZITADEL")
    return Finding(
        id="zitadel.host_unknown",
        cause=f"ZITADEL answers, but {name} is no domain of an instance of it"
        + (f"; its ExternalDomain is {domain}" if domain else ""),
        seen=lines,
        fix=fix,
    )


def redirects(answer: Answer, evidence: Evidence) -> Finding | None:
    """Single sign-on, or a host that has moved."""
    if not 300 <= answer.status < 400:
        return None
    shown, moved = redirected_to(answer, "ZITADEL_DOMAIN")
    return Finding(
        id="zitadel.redirects",
        cause=f"{url(answer).netloc} redirects requests to {shown} ({answer.status}); a redirect is not followed",
        seen=(seen(answer), *health(evidence)),
        fix=moved
        or (
            "exempt /oauth, /oidc and /.well-known from the single sign-on that stands before ZITADEL",
            "or set ZITADEL_DOMAIN to an address at which ZITADEL answers itself",
        ),
    )


def redirected_to(answer: Answer, setting: str) -> tuple[str, tuple[str, ...]]:
    """Where a redirect leads, and what to set when the whole server has moved there, under another name or scheme.

    Of ``Location`` only the host is shown: the rest may hold secrets.
    """
    try:
        target = urlsplit(answer.headers.get("location", ""))
        host, port, scheme = host_or_nothing(target.hostname), target.port, target.scheme or url(answer).scheme
    except ValueError:
        return "another address", ()
    if not host or scheme not in ("http", "https"):
        return "another address", ()
    moved = address(setting, scheme, host, port) if target.path == url(answer).path else ()
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else ""), moved


def expects_tls(answer: Answer, evidence: Evidence) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    """Plain http at a TLS port."""
    if not says_that_it_expects_tls(answer):
        return None
    host = url(answer).netloc
    return Finding(
        id="net.expects_tls",
        cause=f"{host} expects TLS (https), and plain http was spoken to it",
        seen=(seen(answer),),
        fix=(f"ZITADEL_DOMAIN=https://{host}",),
    )


def says_that_it_expects_tls(answer: Answer) -> bool:
    """How a TLS port answers plain http (ZITADEL, as all of Go: 400 in plain text; nginx and Apache: html)."""
    return answer.status == 400 and bool(TLS_EXPECTED.search(answer.text))
