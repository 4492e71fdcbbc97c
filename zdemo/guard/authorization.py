"""Decide whether a request may pass, from its bearer token and the introspection answer (RFC 6750).

Pure functions. The API and ``zdemo introspect`` call the same ones, so both come to the same verdict.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

from zdemo.config.settings import Settings
from zdemo.errors import ROLE_SCOPE, GuardError, InsufficientScope, InvalidRequest, InvalidToken, NoToken
from zdemo.text.masking import B64TOKEN
from zdemo.zitadel.introspection_answer import Introspection

LONGEST_TOKEN = 16 * 1024  # characters
CREDENTIALS = re.compile(rf"(?i:bearer) +({B64TOKEN.pattern}) *")
BEARER = re.compile(r"bearer(?![A-Za-z0-9!#$%&'*+.^_`|~-])", re.IGNORECASE)  # the scheme, not the start of a longer one
OTHER_SIGN = re.compile(r"[^\w\x00-\x1f\x7f.~+/=-]", re.ASCII)  # one that no token has, and that can be shown
SECOND_CREDENTIALS = re.compile(r",\s*bearer\b", re.IGNORECASE)  # how servers join a second Authorization field
EMPTY_PART = re.compile(r"(?:^|,)\s*(?:,|$)")  # Granian hands over a field with bytes beyond ASCII as an empty one
# Any character of a name may be escaped. One search takes less time than parsing what no view may read.
ACCESS_TOKEN = re.compile(
    b"(?:^|&)" + b"".join(b"(?:%c|(?i:%%%02x))" % (byte, byte) for byte in b"access_token") + rb"(?:[=&]|\Z)"
)
NOT_BEFORE_LEEWAY_SECONDS = 5
REALM = "zdemo"
SEND_BEARER = "send the header field Authorization: Bearer TOKEN"
WELL_KNOWN = "/.well-known/oauth-protected-resource"  # the path of a resource's metadata (RFC 9728 §3)
WRITE_A_ROLE = 'write role="read:messages", or leave it out to admit any active token'
WRITE_LISTS = 'write requires_token(any_of=["a", "b"]) at the routes to require one of them, all_of=["a", "b"] each'
UNSET: Any = object()  # an argument that was left out; None would be one that is missing by mistake


def bearer_token(authorization: str | None) -> str:
    """Return the token from an ``Authorization`` header field (RFC 6750 §2.1).

    Raises:
        NoToken: the header field is missing, or has another scheme.
        InvalidRequest: the field is malformed, too long, or not the only one.
    """
    if authorization is None:
        raise NoToken("no bearer token", hint=SEND_BEARER)
    if credentials := CREDENTIALS.fullmatch(authorization):
        if len(credentials[1]) > LONGEST_TOKEN:
            raise InvalidRequest("the token is longer than 16 KiB", hint="send the token and nothing else")
        return credentials[1]
    if SECOND_CREDENTIALS.search(authorization):
        raise InvalidRequest("more than one Authorization header field", hint="send exactly one")
    if (scheme := BEARER.match(authorization)) and authorization.isascii():
        sign = OTHER_SIGN.search(authorization[scheme.end() :].strip())
        why = f": a token cannot have {sign[0]!r} inside" if sign else ""
        raise InvalidRequest(f"no valid token follows Bearer{why}", hint=SEND_BEARER)
    if not authorization.isascii() or EMPTY_PART.search(authorization):
        raise InvalidRequest("the Authorization header field is empty or has bytes beyond ASCII", hint=SEND_BEARER)
    raise NoToken("Authorization does not begin with Bearer", hint=SEND_BEARER)


def refuse_second_token(query_or_form: bytes) -> None:
    """Raise InvalidRequest if a query or a form has an ``access_token``, beside that of the header (RFC 6750 §2)."""
    if ACCESS_TOKEN.search(query_or_form):
        raise InvalidRequest("the token is sent in two ways", hint="send it only in the Authorization header field")


@dataclass(frozen=True, kw_only=True)
class RequiredRoles:
    """The roles that a token needs: each of ``all_of``, one of ``any_of``. ``actor``: its user may be impersonated."""

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    actor: bool = True


NO_ROLE = RequiredRoles()


def required_roles(
    *, role: Any = UNSET, any_of: Any = UNSET, all_of: Any = UNSET, actor: Any = True, **other: Any
) -> RequiredRoles:
    """Return what the arguments of a guard require. Raises GuardError for arguments that cannot be meant."""
    if other:
        raise GuardError(f"requires_token has no argument {next(iter(other))}", hint=WRITE_LISTS)
    if not isinstance(actor, bool):
        hint = "write actor=False to refuse impersonated tokens, or leave it out"
        raise GuardError(f"actor is {type(actor).__name__}, not True or False", hint=hint)
    given = {"role": role, "any_of": any_of, "all_of": all_of}
    given = {name: value for name, value in given.items() if value is not UNSET}
    if len(given) > 1:
        hint = "give one of them, or write one guard above the other"
        raise GuardError(f"{' and '.join(given)} are given together", hint=hint)
    if isinstance(role, list | tuple | set | frozenset):
        raise GuardError("role is a list", hint=WRITE_LISTS)
    if role is not UNSET:
        return RequiredRoles(all_of=(_role("role is", role),), actor=actor)
    return RequiredRoles(**{name: _roles(name, value) for name, value in given.items()}, actor=actor)


def _roles(argument: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise GuardError(f"{argument} is not a list of roles", hint=f'write {argument}=["a", "b"], or role="a"')
    if not value:
        raise GuardError(f"{argument} names no role", hint=f'write {argument}=["a", "b"]')
    roles = [_role(f"{argument} holds", role) for role in value]
    return tuple(dict.fromkeys(sorted(roles) if isinstance(value, set | frozenset) else roles))


def _role(where: str, value: object) -> str:
    if not isinstance(value, str):
        raise GuardError(f"{where} {type(value).__name__}, not a text", hint=WRITE_A_ROLE)
    if not value or value != value.strip():
        raise GuardError(f"{where} a text that is empty or has spaces around it", hint=WRITE_A_ROLE)
    if value.startswith(ROLE_SCOPE):
        raise GuardError(f"{where} a scope: {value}", hint=f'write the key alone: "{value.removeprefix(ROLE_SCOPE)}"')
    return value


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the API requires of every token, on every route.

    If ``audience`` is not empty, the token's audience must contain one of these. ``roles`` are needed beside those of
    a route.
    """

    project_id: str | None = None
    audience: frozenset[str] = frozenset()
    role_denied_status: int = 401
    admits_pats: bool = True
    roles: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings, roles: tuple[str, ...] = ()) -> Self:
        """Return the policy; with ``ZITADEL_PROJECT_ID``, the audience must name the project or the API application.

        That of a protected resource must name the project. PATs, which name every project that asks, prove nothing.
        """
        is_resource = bool(settings.resource)
        named = (settings.project_id, "" if is_resource else settings.client_id) if settings.project_id else ()
        return cls(
            project_id=settings.project_id,
            audience=frozenset(filter(None, named)),
            role_denied_status=403 if is_resource else settings.role_denied_status,
            admits_pats=not is_resource,
            roles=roles,
        )


def authorize(introspection: Introspection, policy: Policy, *, now: float, roles: RequiredRoles = NO_ROLE) -> None:
    """Raise an error unless the token may pass at ``now`` (epoch seconds) and has the required roles.

    Raises:
        InvalidToken: inactive, expired, not yet valid, not for this API, a PAT that is not admitted, or used by an
            actor whom the guard refuses: no scope could help, so this is not InsufficientScope (RFC 6750 §3.1).
        InsufficientScope: a role is missing. Only the roles claim counts, never ``scope``.
    """
    if not introspection.active:
        hint = "get a new one: it is unknown, expired or revoked, or its user is inactive"
        raise InvalidToken("the token is not active", hint=hint)
    if introspection.expires_at is not None and now >= introspection.expires_at:
        raise InvalidToken("the token has expired", hint="get a new one")
    if introspection.not_before is not None and now + NOT_BEFORE_LEEWAY_SECONDS < introspection.not_before:
        raise InvalidToken("the token is not valid yet", hint="compare the clocks of this machine and ZITADEL")
    if policy.audience and policy.audience.isdisjoint(introspection.audience):
        raise InvalidToken("the token is not meant for this API", hint="request it with the audience of this project")
    if not (policy.admits_pats or introspection.text("client_id")):  # only a PAT's answer has none (ZITADEL)
        hint = "log in, or use the client credentials grant: a PAT is active at every API of the instance"
        raise InvalidToken("personal access tokens are not accepted here", hint=hint)
    if not roles.actor and introspection.actor:
        hint = "log in as this user: impersonated tokens are refused here"
        raise InvalidToken("somebody impersonates the token's user", hint=hint)
    all_of = roles.all_of + policy.roles
    for role in all_of:
        if not introspection.has_role(role, policy.project_id):
            each = tuple(dict.fromkeys(all_of))
            missing = [r for r in each if not introspection.has_role(r, policy.project_id)]
            raise InsufficientScope(missing, all_of=each, status=policy.role_denied_status)
    if roles.any_of and not any(introspection.has_role(role, policy.project_id) for role in roles.any_of):
        raise InsufficientScope(roles.any_of, status=policy.role_denied_status)
