"""What ZITADEL says about a token (RFC 7662 §2.2), and the protocol of everything that can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from sys import getsizeof
from typing import Any, NoReturn, Protocol

from zdemo.errors import GuardError, UnusableAnswer
from zdemo.errors.response import Response, json_decoder
from zdemo.text.masking import without_tokens

INTROSPECTION_PATH = "/oauth/v2/introspect"
TOKEN_PATH = "/oauth/v2/token"  # noqa: S105  # a path, not a secret
DISCOVERY_PATH = "/.well-known/openid-configuration"
USERINFO_PATH, KEYS_PATH = "/oidc/v1/userinfo", "/oauth/v2/keys"
ROLES_CLAIM = "urn:zitadel:iam:org:project:roles"
ROLES_SCOPE = "urn:zitadel:iam:org:projects:roles"
RESOURCE_OWNER = "urn:zitadel:iam:user:resourceowner"  # a scope, and the beginning of its claims
LONGEST_INACTIVE_SECONDS = 1.0  # a token may just have been created, and a failing ZITADEL calls good tokens inactive
LONGEST_SHOWN_NAME = 60  # characters; ZITADEL takes names of up to 200
FARTHEST_SECONDS = 10**15  # about 30 million years from 1970: a float can hold it, and no clock gets there


def roles_claim_of(project_id: str) -> str:
    """Return the name of the claim with the roles of one project."""
    return f"urn:zitadel:iam:org:project:{project_id}:roles"


def audience_scope(project_id: str | None) -> str:
    """Return the scope that puts a project into a token's audience (ZITADEL)."""
    return f"urn:zitadel:iam:org:project:id:{project_id or 'PROJECT_ID'}:aud"


class Source(StrEnum):
    """How a request came to its answer."""

    ASKED = "asked"
    HIT = "hit"  # from the cache
    JOINED = "joined"  # by an introspection that another request had begun
    SHARED = "shared"  # from the store that workers and machines share


@dataclass(frozen=True, kw_only=True)
class Introspection:
    """An introspection answer with all deciding claims of the right type. Times are epoch seconds.

    Only ``asked_at`` is on the running clock (``zdemo.guard.instruments``): when the question was sent, if known.
    """

    active: bool
    claims: Mapping[str, Any] = field(default_factory=dict)
    expires_at: int | None = None
    not_before: int | None = None
    audience: tuple[str, ...] = ()
    source: Source = field(default=Source.ASKED, compare=False)
    asked_at: float | None = field(default=None, compare=False)

    def as_from(self, source: Source) -> Introspection:
        """Return the same answer for a request that came to it in another way."""
        return replace(self, source=source)

    def asked_by(self, moment: float) -> Introspection:
        """Return the same answer to a question that was sent at ``moment``, or earlier if the answer says so."""
        return self if self.asked_at is not None and self.asked_at <= moment else replace(self, asked_at=moment)

    def lifetime(self, ttl_seconds: float) -> float:
        """Return how many seconds the answer may be used; an inactive one only ``LONGEST_INACTIVE_SECONDS``."""
        return ttl_seconds if self.active else min(ttl_seconds, LONGEST_INACTIVE_SECONDS)

    def text(self, name: str) -> str:
        """Return a text claim; empty if it is absent or not a text."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""

    @cached_property
    def caller(self) -> str:
        """The name of the token's user, else the user's ID, as a log shows it: what could be a secret is masked."""
        return _in_log(self.text("username") or self.text("sub"))

    @cached_property
    def actors_in_log(self) -> str:
        """The ``actors`` as a log shows them."""
        return _in_log(", ".join(self.actors))

    @cached_property
    def actors(self) -> tuple[str, ...]:
        """The IDs of those who impersonate the user, the current actor first (RFC 8693 §4.1); else empty.

        An actor that the claim ``act`` does not name as ZITADEL does is ``"unknown"``.
        """
        actors, act = [], self.claims.get("act")
        while act is not None:
            user_id = act.get("sub") if isinstance(act, dict) else None
            actors.append(user_id if user_id and isinstance(user_id, str) else "unknown")
            act = act.get("act") if isinstance(act, dict) else None
        return tuple(actors)

    @property
    def actor(self) -> str | None:
        """The ID of the user who impersonates the token's user; ``None`` if nobody does."""
        return self.actors[0] if self.actors else None

    @cached_property
    def size(self) -> int:
        """The approximate size of the claims in memory, in bytes."""
        total, values = 0, [self.claims]
        while values:
            value: Any = values.pop()
            total += getsizeof(value)
            if isinstance(value, dict):
                values += [*value, *value.values()]
            elif isinstance(value, list):
                values += value
        return total

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes. Never roles: for a PAT, ZITADEL lists every role of the project here, granted or not."""
        return tuple(self.text("scope").split())

    def has_role(self, role: str, project_id: str | None = None) -> bool:
        """Tell whether a role is granted; see ``roles``."""
        return _is_grant(self._roles_claim(project_id).get(role))

    def roles(self, project_id: str | None = None) -> dict[str, dict[str, str]]:
        """Return the granted roles: key, then organization ID, then that organization's domain.

        They come from the claim of ``project_id`` if one is given, else from the claim of the project that the
        introspecting application belongs to. Only values of exactly ZITADEL's shape count.
        """
        return {key: value for key, value in self._roles_claim(project_id).items() if _is_grant(value)}

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> NoReturn:
        """Raise GuardError: without ``Depends``, FastAPI would take it for a part of a request or of a response."""
        hint = "write Annotated[Introspection, Depends(requires_token())], and return the claims that you need"
        raise GuardError("an Introspection cannot be a body, a parameter or a response", hint=hint)

    def _roles_claim(self, project_id: str | None) -> dict[str, Any]:
        claim = self.claims.get(roles_claim_of(project_id) if project_id else ROLES_CLAIM)
        return claim if isinstance(claim, dict) else {}


def _in_log(name: str) -> str:
    return without_tokens(name, LONGEST_SHOWN_NAME).replace("…", "...")[:LONGEST_SHOWN_NAME]


def project_behind(client_id: str, audience: Sequence[object]) -> str | None:
    """Return the API application's project in a PAT's audience: the entry after the client ID (ZITADEL)."""
    return next((after for first, after in pairwise(audience) if first == client_id and isinstance(after, str)), None)


def _is_grant(value: object) -> bool:
    """Tell whether this is at least one organization ID, each with its domain."""
    if not isinstance(value, dict):
        return False
    for organization, domain in value.items():  # all(…) takes twice as long
        if not organization or not isinstance(domain, str):
            return False
    return bool(value)


class Introspector(Protocol):
    """Something that can be asked about tokens."""

    def introspect(self, token: str) -> Introspection:
        """Return what the authorization server says. Raises IntrospectionError if no usable answer came."""


def parse_introspection(response: Response) -> Introspection:
    """Read a 200 response (RFC 7662 §2.2). Only the JSON boolean ``true`` in ``active`` is active.

    Raises UnusableAnswer if it is not a JSON object with a boolean ``active``, or a deciding claim has the wrong type.
    """
    try:
        claims = response.decoded(UNAMBIGUOUS)
    except ValueError:
        raise unusable_answer("is not JSON", response) from None
    if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
        raise unusable_answer("is not a JSON object with a boolean active", response)
    if not claims["active"]:
        # the other claims decide nothing, and the cache would keep them for every sender of garbage
        return Introspection(active=False, claims={"active": False})
    audience = claims.get("aud", [])
    audience = [audience] if isinstance(audience, str) else audience
    if not isinstance(audience, list) or not all(isinstance(a, str) for a in audience):
        raise unusable_answer("has an aud that is not a list of texts", response)
    expires, begins = _epoch(claims, "exp", response), _epoch(claims, "nbf", response)
    return Introspection(active=True, claims=claims, expires_at=expires, not_before=begins, audience=tuple(audience))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a member twice: it is open which of the two counts (RFC 8259 §4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


UNAMBIGUOUS = json_decoder(_without_duplicates)


def _epoch(claims: Mapping[str, Any], name: str, response: Response) -> int | None:
    """Return whole seconds, or ``None`` if absent; an integer, since a PAT's year 9999 overflows ``datetime``."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int:
        raise unusable_answer(f"has an {name} that is not a whole number", response)
    return within_all_clocks(value)


def within_all_clocks(seconds: int) -> int:
    """Limit a time of any number of digits to what a float can hold; no clock gets beyond that."""
    return max(-FARTHEST_SECONDS, min(seconds, FARTHEST_SECONDS))


def unusable_answer(what: str, response: Response) -> UnusableAnswer:
    """Return the error for an introspection response that cannot be used; ``what`` continues its subject."""
    message = f"the introspection response {what} ({response.status}, {response.media_type or 'no media type'})"
    hint = f"check {response.setting} and any proxy in front of ZITADEL: ZITADEL does not answer like this"
    return UnusableAnswer(message, hint=hint, answer=response)
