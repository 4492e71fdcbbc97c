"""The instance that a request is for.

ZITADEL chooses it by host name and builds the issuer from the request, port included. For a name that is not the
domain of an instance it answers 404 with a text that names both hosts.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

_DOCS = "https://zitadel.com/docs/apis/introduction#domains"
_NOT_FOUND = f"Instance not found. Make sure you got the domain right. Check out {_DOCS}"
_PAIR = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\]|\\.)*")\s*""")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request was sent to; hosts have their ports as sent, and ``public_host`` is empty when not sent."""

    instance_host: str
    public_host: str
    scheme: str

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Origin":
        """Read the headers in ZITADEL's order: its own, ``Forwarded``, ``X-Forwarded-*``, Host."""
        forwarded = [_forwarded(environ.get(name, "")) for name in ("HTTP_FORWARDED", "HTTP_X_ZITADEL_FORWARDED")]
        hosts = [
            environ.get("HTTP_X_ZITADEL_INSTANCE_HOST"),
            *(pairs.get("host") for pairs in forwarded),
            environ.get("HTTP_X_FORWARDED_HOST"),
            environ.get("HTTP_HOST"),
        ]
        schemes = [*(pairs.get("proto") for pairs in forwarded), environ.get("HTTP_X_FORWARDED_PROTO")]
        return cls(
            instance_host=next(filter(None, hosts), ""),
            public_host=environ.get("HTTP_X_ZITADEL_PUBLIC_HOST", ""),
            scheme=next((scheme for scheme in schemes if scheme in ("http", "https")), "http"),
        )

    @property
    def requested_host(self) -> str:
        """The host in the issuer."""
        return self.public_host or self.instance_host

    @property
    def issuer(self) -> str:
        """Scheme and host, without a slash at the end."""
        return f"{self.scheme}://{self.requested_host}"

    def refusal(self, external_domain: str, others: Collection[str] = ()) -> str:
        """Return why no instance answers here, or an empty text; of ``others``, one with a port needs that port."""
        domains, hosts = {external_domain, *others}, (self.instance_host, self.requested_host)
        requested, public = (not domains.isdisjoint((host, host.split(":")[0])) for host in hosts)
        if requested and public:
            return ""
        return self.unable(external_domain, f"ID={'QUERY-IuGh1' if requested else 'QUERY-1kIjX'} Message={_NOT_FOUND}")

    def unable(self, external_domain: str, why: str) -> str:
        """Return what ZITADEL says when it cannot choose the instance."""
        origin = f"&{{{self.instance_host} {self.public_host} {self.scheme}}}"
        return f"unable to set instance using origin {origin} (ExternalDomain is {external_domain}): {why}"


def current_origin() -> Origin:
    """Return the origin of the current request."""
    origin: Origin = g.origin
    return origin


def _forwarded(value: str) -> dict[str, str]:
    """Return the first value of each parameter (RFC 7239 §4), or nothing when the header is malformed."""
    matches = [_PAIR.fullmatch(part) for part in re.split(r"[,;]", value)] if value else []
    pairs = {match[1].lower(): re.sub(r'\\(.)|"', r"\1", match[2]) for match in reversed(matches) if match}
    return pairs if all(matches) else {}
