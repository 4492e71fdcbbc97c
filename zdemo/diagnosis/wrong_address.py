"""The address: a host that is no instance's, one that a proxy changes, a redirect, http where TLS is spoken.

Each rule takes an answer that is no introspection and returns a finding, or ``None`` when it is about something else.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from zdemo.diagnosis.evidence import Evidence
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.phrases import health, seen, url
from zdemo.http.response import Response
from zdemo.introspection.instance_not_found import (
    address,
    explain_instance_not_found,
    host_or_nothing,
    instance_not_found,
)
from zdemo.introspection.refusals import DATABASE_AWAY

TLS_EXPECTED = re.compile("HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS|plain HTTP to an SSL")


def wrong_host(answer: Response, evidence: Evidence) -> Finding | None:  # noqa: ARG001  # the signature of a rule
    """The 404 that says that our Host is no domain of an instance; it names the hosts concerned."""
    found = instance_not_found(answer)
    if found is None or DATABASE_AWAY in answer.text:
        return None
    lines = (
        seen(answer),
        ("hosts", f"ZITADEL saw {found.host or 'none'}; its ExternalDomain is {found.domain or 'not told'}"),
    )
    name, cause, fix = explain_instance_not_found(answer, found)
    return Finding(id=f"zitadel.{name}", cause=cause, seen=lines, fix=fix)


def redirects(answer: Response, evidence: Evidence) -> Finding | None:
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


def redirected_to(answer: Response, setting: str) -> tuple[str, tuple[str, ...]]:
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


def expects_tls(answer: Response, evidence: Evidence) -> Finding | None:  # noqa: ARG001  # the signature of a rule
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


def says_that_it_expects_tls(answer: Response) -> bool:
    """How a TLS port answers plain http (ZITADEL, as all of Go: 400 in plain text; nginx and Apache: html)."""
    return answer.status == 400 and bool(TLS_EXPECTED.search(answer.text))
