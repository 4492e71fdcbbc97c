"""Which instance a request is for, and the issuer in its answer.

ZITADEL chooses the instance by host name and builds the issuer from the request, port included. For a name that is
not the domain of an instance it answers 404 with a text that names both hosts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, g

INSTANCE_HEADER = "HTTP_X_ZITADEL_INSTANCE_HOST"
PUBLIC_HEADER = "HTTP_X_ZITADEL_PUBLIC_HOST"
FORWARDED_HEADERS = ("HTTP_FORWARDED", "HTTP_X_ZITADEL_FORWARDED")

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
        forwarded = [_forwarded(environ.get(name, "")) for name in FORWARDED_HEADERS]
        hosts = [
            environ.get(INSTANCE_HEADER),
            *(pairs.get("host") for pairs in forwarded),
            environ.get("HTTP_X_FORWARDED_HOST"),
            environ.get("HTTP_HOST"),
        ]
        schemes = [*(pairs.get("proto") for pairs in forwarded), environ.get("HTTP_X_FORWARDED_PROTO")]
        return cls(
            instance_host=next(filter(None, hosts), ""),
            public_host=environ.get(PUBLIC_HEADER, ""),
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

    @property
    def instance_domain(self) -> str:
        """The instance's host without its port."""
        return self.instance_host.split(":")[0]

    def refusal(self, external_domain: str) -> "InstanceNotFound | None":
        """Return why no instance answers here, or None when one does. Case matters."""
        if self.instance_domain != external_domain:
            return InstanceNotFound(origin=self, external_domain=external_domain, error_id="QUERY-1kIjX")
        if self.requested_host.split(":")[0] != external_domain:
            return InstanceNotFound(origin=self, external_domain=external_domain, error_id="QUERY-IuGh1")
        return None


@dataclass(frozen=True, kw_only=True)
class InstanceNotFound:
    """The refusal of a host that has no instance, in the forms of the three protocols."""

    origin: Origin
    external_domain: str
    error_id: str

    def as_text(self) -> Response:
        """Return the answer of the OAuth and OpenID Connect endpoints."""
        answer = Response(self._message() + "\n", HTTPStatus.NOT_FOUND, content_type="text/plain; charset=utf-8")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def message_with_parent(self) -> str:
        """Return the message of the Connect and REST APIs."""
        domain, public = self.origin.instance_domain, self.origin.requested_host.split(":")[0]
        return (
            f"{self._message()} Parent=(unable to get instance by domain: instanceDomain {domain}, "
            f"publicHostname {public}: ID={self.error_id} Message=Errors.IAM.NotFound)"
        )

    def _message(self) -> str:
        origin = self.origin
        return (
            f"unable to set instance using origin &{{{origin.instance_host} {origin.public_host} {origin.scheme}}} "
            f"(ExternalDomain is {self.external_domain}): ID={self.error_id} Message={_NOT_FOUND}"
        )


def current() -> Origin:
    """Return the origin of the current request."""
    origin: Origin = g.origin
    return origin


def _forwarded(value: str) -> dict[str, str]:
    """Return the first value of each parameter (RFC 7239 §4), or nothing when the header is malformed."""
    pairs: dict[str, str] = {}
    for part in re.split(r"[,;]", value) if value else []:
        match = _PAIR.fullmatch(part)
        if match is None:
            return {}
        text = match[2]
        pairs.setdefault(match[1].lower(), re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] == '"' else text)
    return pairs
