"""What ZITADEL says about a token (RFC 7662 §2.2), and the protocol of everything that can ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from zdemo.errors import (
    UnusableAnswer,
)
from zdemo.http.response import Response, json_decoder

INTROSPECTION_PATH = "/oauth/v2/introspect"
ROLES_CLAIM = "urn:zitadel:iam:org:project:roles"
FARTHEST_SECONDS = 10**15  # from 1970, some 30 million years: a float holds it, and no clock gets there


def roles_claim_of(project_id: str) -> str:
    """The name of the claim with the roles of one project."""
    return f"urn:zitadel:iam:org:project:{project_id}:roles"


@dataclass(frozen=True, kw_only=True)
class Introspection:
    """An introspection answer whose claims that decide have the right types. ``exp`` and ``nbf`` are epoch seconds."""

    active: bool
    claims: Mapping[str, Any] = field(default_factory=dict)
    expires_at: int | None = None
    not_before: int | None = None
    audience: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """A claim that is meant to be text; empty when it is absent or anything else."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes. Never roles: of a PAT, ZITADEL lists every role of the project here, granted or not."""
        return tuple(self.text("scope").split())

    def has_role(self, role: str, project_id: str | None = None) -> bool:
        """Whether a role is granted; see ``roles``."""
        claim = self.claims.get(roles_claim_of(project_id) if project_id else ROLES_CLAIM)
        return isinstance(claim, dict) and _is_grant(claim.get(role))

    def roles(self, project_id: str | None = None) -> dict[str, dict[str, str]]:
        """The roles that are granted: key, then organization ID, then that organization's domain.

        They come from the claim of ``project_id`` when one is given, else from that of the project to which the
        introspecting application belongs. What has not exactly ZITADEL's shape is no role.
        """
        claim = self.claims.get(roles_claim_of(project_id) if project_id else ROLES_CLAIM)
        if not isinstance(claim, dict):
            return {}
        return {key: value for key, value in claim.items() if _is_grant(value)}


def _is_grant(value: object) -> bool:
    """At least one organization, each with its domain."""
    return isinstance(value, dict) and bool(value) and all(k and isinstance(v, str) for k, v in value.items())


class Introspector(Protocol):
    """Something that judges tokens."""

    def introspect(self, token: str) -> Introspection:
        """What the authorization server says of a token.

        Raises:
            IntrospectionError: it could not be found out; nobody may be let in.
        """


def parse_introspection(answer: Response) -> Introspection:
    """Read a 200 answer (RFC 7662 §2.2). Only the JSON boolean ``true`` in ``active`` is active.

    Raises:
        UnusableAnswer: no JSON object, no boolean ``active``, or a claim that decides has the wrong type.
    """
    try:
        claims = answer.decoded(DECODER)
    except ValueError:
        raise unusable_answer("is no JSON", answer) from None
    if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
        raise unusable_answer("is no JSON object with a boolean active", answer)
    if not claims["active"]:
        # what else is said of it decides nothing, and would be kept for anybody who sends garbage
        return Introspection(active=False, claims={"active": False})
    audience = claims.get("aud", [])
    audience = [audience] if isinstance(audience, str) else audience
    if not isinstance(audience, list) or not all(isinstance(a, str) for a in audience):
        raise unusable_answer("has an aud that is no list of texts", answer)
    return Introspection(
        active=True,
        claims=claims,
        expires_at=_epoch(claims, "exp", answer),
        not_before=_epoch(claims, "nbf", answer),
        audience=tuple(audience),
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a member twice: which of the two counts is anybody's guess (RFC 8259 §4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


DECODER = json_decoder(_without_duplicates)


def _epoch(claims: Mapping[str, Any], name: str, answer: Response) -> int | None:
    """Whole seconds, or ``None`` when absent; a PAT's year 9999 overflows ``datetime``, so it stays an integer."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int:
        raise unusable_answer(f"has an {name} that is no whole number", answer)
    return within_all_clocks(value)


def within_all_clocks(seconds: int) -> int:
    """The same point in time for every clock, whatever the number of its digits: small enough to calculate with."""
    return max(-FARTHEST_SECONDS, min(seconds, FARTHEST_SECONDS))


def unusable_answer(what: str, answer: Response) -> UnusableAnswer:
    """Return the error for an introspection response that cannot be used; ``what`` continues its subject."""
    kind = answer.media_type or "no media type"
    return UnusableAnswer(
        f"the introspection answer {what} ({answer.status}, {kind})",
        hint="check ZITADEL_DOMAIN and what stands between: this is not what a ZITADEL answers",
        answer=answer,
    )
