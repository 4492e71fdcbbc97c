"""Decide whether a request may pass, from its bearer token and the introspection answer (RFC 6750).

Pure functions. The API and ``zdemo introspect`` call the same ones, so both come to the same verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zdemo.config.settings import Settings
from zdemo.errors import InsufficientScope, InvalidRequest, InvalidToken, NoToken
from zdemo.introspection.model import Introspection

LONGEST_TOKEN = 16 * 1024  # characters
B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1
CREDENTIALS = re.compile(rf"(?i:bearer) +({B64TOKEN.pattern}) *")
BEARER = re.compile(r"bearer(?![A-Za-z0-9!#$%&'*+.^_`|~-])", re.IGNORECASE)  # the scheme, not the start of a longer one
SECOND_CREDENTIALS = re.compile(r",\s*bearer\b", re.IGNORECASE)  # how servers join a second Authorization field
NOT_BEFORE_LEEWAY_SECONDS = 5
REALM = "zdemo"


def bearer_token(authorization: str | None, *, also_in_query_or_form: bool = False) -> str:
    """Return the token from an ``Authorization`` header field (RFC 6750 §2.1).

    ``also_in_query_or_form`` tells that the request has an ``access_token`` there: a request may not use two ways at
    once (RFC 6750 §2), and that way alone is not offered.

    Raises:
        NoToken: the header field is missing, or has another scheme.
        InvalidRequest: the field is malformed, too long, or not the only one.
    """
    credentials = CREDENTIALS.fullmatch(authorization or "")
    if credentials is None:
        raise _without_token(authorization or "")
    if also_in_query_or_form:
        raise InvalidRequest("the token is sent in two ways", hint="send it only in the Authorization header field")
    token = credentials[1]
    if len(token) > LONGEST_TOKEN:
        raise InvalidRequest("the token is longer than 16 KiB", hint="send the token and nothing else")
    return token


def _without_token(authorization: str) -> NoToken | InvalidRequest:
    """Return why a header field holds no token."""
    if SECOND_CREDENTIALS.search(authorization):
        return InvalidRequest("more than one Authorization header field", hint="send exactly one")
    if not BEARER.match(authorization):
        return NoToken("no bearer token", hint="send the header field Authorization: Bearer TOKEN")
    return InvalidRequest("the Authorization header field holds no token", hint="send Authorization: Bearer TOKEN")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the API requires of every token, on every route.

    If ``audience`` is not empty, the token's audience must contain one of these.
    """

    project_id: str | None = None
    audience: frozenset[str] = frozenset()
    role_denied_status: int = 401

    @classmethod
    def from_settings(cls, settings: Settings) -> Policy:
        """Return the policy; with ``ZITADEL_PROJECT_ID``, the audience must name the project or the API application."""
        audience = {settings.project_id, settings.client_id} if settings.project_id else set()
        return cls(
            project_id=settings.project_id,
            audience=frozenset(a for a in audience if a),
            role_denied_status=settings.role_denied_status,
        )


def authorize(introspection: Introspection, policy: Policy, *, now: float, role: str | None = None) -> None:
    """Raise an error unless the token may pass at ``now`` (epoch seconds) and has ``role``, if one is required.

    Raises:
        InvalidToken: inactive, expired, not yet valid, or not for this API.
        InsufficientScope: the role is missing. Only the roles claim counts, never ``scope``.
    """
    if not introspection.active:
        raise InvalidToken(
            "the token is not active", hint="get a new one: it is unknown, expired or revoked, or its user is inactive"
        )
    if introspection.expires_at is not None and now >= introspection.expires_at:
        raise InvalidToken("the token has expired", hint="get a new one")
    if introspection.not_before is not None and now + NOT_BEFORE_LEEWAY_SECONDS < introspection.not_before:
        raise InvalidToken("the token is not valid yet", hint="compare the clocks of this machine and ZITADEL")
    if policy.audience and policy.audience.isdisjoint(introspection.audience):
        raise InvalidToken("the token is not meant for this API", hint="request it with the audience of this project")
    if role is not None and not introspection.has_role(role, policy.project_id):
        raise InsufficientScope(role, status=policy.role_denied_status)
