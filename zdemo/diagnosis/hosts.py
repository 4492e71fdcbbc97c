"""The address: a host that is no instance's, one that a proxy changes, a redirect, http where TLS is spoken.

Each rule takes an answer that is no introspection and returns a finding, or ``None`` when it is about something else.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.findings import Finding
from zdemo.diagnosis.words import health, host_or_nothing, seen, url
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
    port = f":{parts.port}" if parts.port else ""
    fix = ["add the name to the instance's domains in ZITADEL, or use one that it has"]
    if domain and domain.lower() != name.lower():
        fix = [f"ZITADEL_DOMAIN={parts.scheme}://{domain}{port}", "localhost and 127.0.0.1 are two names to ZITADEL"]
    return Finding(
        id="zitadel.host_unknown",
        cause=f"ZITADEL answers, but {name} is no domain of an instance of it"
        + (f"; its ExternalDomain is {domain}" if domain else ""),
        seen=lines,
        fix=tuple(fix),
    )


def redirects(answer: Answer, evidence: Evidence) -> Finding | None:
    """Single sign-on, or a host that has moved. Of ``Location`` only the host is shown: the rest may hold secrets."""
    if not 300 <= answer.status < 400:
        return None
    own = url(answer)
    try:
        target = urlsplit(answer.headers.get("location", ""))
        host, port = host_or_nothing(target.hostname), f":{target.port}" if target.port else ""
    except ValueError:
        host, port, target = "", "", urlsplit("")
    moved = bool(host) and target.path == own.path
    fix: tuple[str, ...] = (
        "exempt /oauth, /oidc and /.well-known from the single sign-on that stands before ZITADEL",
        "or set ZITADEL_DOMAIN to an address at which ZITADEL answers itself",
    )
    if moved:
        fix = (f"ZITADEL_DOMAIN={target.scheme}://{host}{port}",)
    return Finding(
        id="zitadel.redirects",
        cause=f"{own.netloc} redirects requests to {host + port if host else 'another address'} "
        f"({answer.status}); a redirect is not followed",
        seen=(seen(answer), *health(evidence)),
        fix=fix,
    )


def expects_tls(answer: Answer, evidence: Evidence) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    """Plain http at a TLS port (ZITADEL, as all of Go: 400 in plain text; nginx and Apache: html)."""
    if answer.status != 400 or not TLS_EXPECTED.search(answer.text):
        return None
    host = url(answer).netloc
    return Finding(
        id="net.expects_tls",
        cause=f"{host} expects TLS (https), and plain http was spoken to it",
        seen=(seen(answer),),
        fix=(f"ZITADEL_DOMAIN=https://{host}",),
    )
