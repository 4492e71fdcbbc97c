"""How applications and service accounts prove who they are: by a secret, or by an assertion (RFC 7523)."""

import re
from base64 import b64decode
from functools import cached_property, partial
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from flask import request

from zdemo.emulator.entities import Application, PublicKey
from zdemo.emulator.incoming.body import TOO_LARGE
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Reason, Why
from zdemo.emulator.incoming.request_records import note, shown_client
from zdemo.emulator.oidc.responses import BODY_METHODS, FORM, OAuthError
from zdemo.emulator.tokens import TokenRefused, key_id_of, unknown, unverified_claims, verify_with
from zdemo.emulator.world import World

# --- the parameters of a request ---

MOST_PARAMETERS = 100  # of the body and of the query each; the emulator's own limit
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Form:
    """The parameters of the current request, those of the body before those of the query."""

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        """All parameters. Raises OAuthError for a broken escape, a semicolon, or a form that is too large."""
        with_body = request.method in BODY_METHODS and request.mimetype == FORM
        try:
            if with_body and request.environ.get(TOO_LARGE):
                raise ValueError("http: request body too large")
            body = request.get_data(cache=True).decode("utf-8", "replace") if with_body else ""
            return [*_pairs(body), *_pairs(request.environ["QUERY_STRING"])]
        except ValueError as error:
            raise OAuthError("invalid_request", "error parsing form", reason=error) from error

    def last(self, name: str) -> str:
        """Return the last value of a parameter, or an empty text if it is absent."""
        return next(reversed(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        return [value for key, value in self._pairs if key == name]


def credentials_in(form: Form) -> tuple[str, str, str]:
    """Return client ID, secret, and the assertion, which wins over a secret; none is verified yet.

    They are in the form, or in ``Authorization: Basic``, which wins (RFC 6749). Raises OAuthError.
    """
    client_id, secret = form.last("client_id"), form.last("client_secret")
    if basic := _basic(request.environ.get("HTTP_AUTHORIZATION", "")):
        try:
            client_id, secret = (_unescaped(half) for half in basic)
        except ValueError as error:
            raise OAuthError("invalid_client", "invalid basic auth header", reason=error) from error
    assertion, kind = form.last("client_assertion"), form.last("client_assertion_type")
    if not client_id and not assertion:
        raise OAuthError("invalid_request", "client_id or client_assertion must be provided")
    if assertion and kind != ASSERTION_TYPE:
        raise OAuthError("invalid_request", f"invalid client_assertion_type {kind}")
    return client_id, secret, assertion


def _basic(header: str) -> tuple[str, str] | None:
    """Return user name and password (RFC 7617 §2), or None for anything but well-formed Basic credentials."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = b64decode(encoded, validate=True).decode("utf-8", "replace")
    except ValueError:
        return None
    name, colon, password = pair.partition(":")
    return (name, password) if colon else None


def _pairs(text: str) -> list[tuple[str, str]]:
    if ";" in text:
        raise ValueError("invalid semicolon separator in query")
    _unescaped(text)  # which refuses what ``parse_qsl`` takes as it is
    return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)


def _unescaped(text: str) -> str:
    if broken := re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(f"invalid URL escape at {broken.start()}")
    return unquote_plus(text)


# --- who the client is ---

OFFSET_SECONDS = 1  # how far the clock of the issuer can be ahead
NOT_OIDC = "an API application, not an OIDC client"
_unauthorized = partial(OAuthError, "unauthorized_client")


def introspection_client(world: World, client_id: str, secret: str, assertion: str) -> Application:
    """Return the application that may introspect with these credentials, whatever its authentication method says.

    Raises the same OAuthError for every cause, but TokenRefused for a malformed assertion: then a token is inactive.
    """
    claims = unverified_claims(assertion) if assertion else {"iss": client_id}
    application, why_not = find_active(world, claims.get("iss"))
    if application is None:
        raise _unauthorized(reason=why_not)
    if assertion:
        try:
            check_assertion(world, assertion, claims, application.keys)
        except TokenRefused as error:
            raise _unauthorized(reason=error.about("client assertion: ")) from error
    elif application.secret != secret:
        owners = [a.name for a in world.applications.values() if a.secret == secret]
        what = Reason(Why.ANOTHERS_SECRET, name=owners[0]) if owners else Reason(Why.WRONG_SECRET)
        raise _unauthorized(reason=what if application.secret else "the application has no client secret")
    return application


def oidc_client(world: World, form: Form) -> Application:
    """Return the active OIDC application of a request; an API application is refused. Raises OAuthError."""
    client_id, secret, assertion = credentials_in(form)
    try:
        claims = unverified_claims(assertion) if assertion else {"iss": client_id}
    except TokenRefused as error:
        raise OAuthError("invalid_client", reason=error) from error
    application, why_not = find_active(world, claims.get("iss"))
    if application is None or application.kind != "oidc":
        raise OAuthError("invalid_client", "no active client not found", reason=why_not or NOT_OIDC)
    if application.auth_method == "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT":
        if not assertion:
            raise OAuthError("invalid_client", "empty client assertion")
        try:
            check_assertion(world, assertion, claims, application.keys)
        except TokenRefused as error:
            raise OAuthError("invalid_client", "invalid assertion", reason=error) from error
    elif application.auth_method != "OIDC_AUTH_METHOD_TYPE_NONE":
        if not secret:
            raise OAuthError("invalid_client", "empty client secret")
        if application.secret != secret:
            raise OAuthError("invalid_client", "invalid secret")
    return application


def find_active(world: World, client_id: object) -> tuple[Application | None, Reason | str]:
    """Return the active application with a client ID, or why there is none."""
    application = world.application_of(client_id) if isinstance(client_id, str) else None
    if application is None:
        note(client=shown_client(client_id))
        ended = world.ended_clients.get(str(client_id))
        return None, Reason(ended) if ended else unknown(world, Why.CLIENT_UNKNOWN)
    note(client=application.name)
    project = world.projects[application.project_id]
    organization = world.organizations.get(project.organization_id)
    for name, entity in (("application", application), ("project", project), ("organization", organization)):
        if entity is None or not entity.active:
            return None, Reason(Why.INACTIVE, name=name)
    return application, ""


def check_assertion(world: World, assertion: str, claims: dict[str, Any], keys: dict[str, PublicKey]) -> None:
    """Check an assertion and its claims in the order in which ZITADEL does. Raises TokenRefused."""
    now, issuer = world.now(), current_origin().issuer
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise TokenRefused(f'audience is not valid: Audience must contain client_id "{issuer}"')
    _check_times(claims, now)
    if claims.get("iss") != claims.get("sub"):
        raise TokenRefused("delegation not allowed, issuer and sub must be identical")
    key = keys.get(key_id_of(assertion))
    if key and key.expires <= now:
        raise TokenRefused(Reason(Why.KEY_EXPIRED, now - key.expires))
    verify_with(key and key.pem, assertion, ["RS256", "ES256", "PS256"])


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, issued = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if expires <= now + OFFSET_SECONDS:
        raise TokenRefused("token has expired")
    if not issued:
        raise TokenRefused("issuedAt of token is missing")
    if issued > int(now) + OFFSET_SECONDS:
        raise TokenRefused(f"issuedAt of token is in the future: (iat: {issued}, now with offset: {int(now) + 1})")
    if issued < int(now) - 3600:
        raise TokenRefused(f"issuedAt of token is to old: (iat: {issued})")


def _seconds(value: Any) -> int:
    is_finite = isinstance(value, int) or (isinstance(value, float) and isfinite(value))  # Python reads NaN from JSON
    return int(value) if is_finite else 0
