"""The token endpoint: the two grants of service accounts (RFC 6749 §4.4, RFC 7523 §2.1); no logins."""

import hashlib
from collections.abc import Callable
from typing import Any

from flask import Response

from zdemo.emulator.entities import SessionToken, User
from zdemo.emulator.incoming import current_origin, note, shown_client
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import (
    BadAssertion,
    ClientCredentials,
    Form,
    check_assertion,
    oidc_client,
    same_secret,
)
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.token_texts import encoded, new_token_text
from zdemo.emulator.tokens import MalformedJWT, signed, unverified_claims
from zdemo.emulator.world import World

LIFETIME_SECONDS = 12 * 3600
SCOPE_MISSING = (
    "The scope of your request is missing. Please ensure some scopes are requested. If you have any questions, you "
    "may contact the administrator of the application."
)

_KNOWN_SCOPES = {*claims.OPENID_SCOPES, claims.METADATA, claims.RESOURCE_OWNER, claims.ROLES_SCOPE}
_KNOWN_SCOPES |= {"groups", "urn:zitadel:iam:user:groups"}
_KNOWN_PREFIXES = (
    claims.AUDIENCE_PREFIX,
    claims.ROLE_SCOPE_PREFIX,
    claims.ROLE_ORGANIZATION_PREFIX,
    f"{claims.ORGANIZATION_ID}:",
    f"{claims.ORGANIZATION_DOMAIN}:",
    "urn:zitadel:iam:org:idp:id:",
)
_LOGIN_GRANTS = {  # grants that exchange the result of a login: the parameter, and ZITADEL's text for an unknown one
    "authorization_code": ("code", "Errors.User.Code.Invalid"),
    "refresh_token": ("refresh_token", "Errors.User.RefreshToken.Invalid"),
    "urn:ietf:params:oauth:grant-type:device_code": ("device_code", "Errors.DeviceAuth.NotExisting"),
    "urn:ietf:params:oauth:grant-type:token-exchange": ("subject_token", "subject_token invalid"),
}


def token(world: World, form: Form) -> Response:
    """Answer a token request by its grant type."""
    grant = form.first("grant_type")
    if not grant:
        raise OAuthError("invalid_request", "grant_type missing")
    if grant in _LOGIN_GRANTS:  # without logins every code and token is unknown
        parameter, unknown = _LOGIN_GRANTS[grant]
        oidc_client(world, ClientCredentials.of_request(form))
        raise OAuthError("invalid_request", unknown if form.last(parameter) else f"{parameter} missing")
    if grant not in _GRANTS:
        raise OAuthError("unsupported_grant_type", f"{grant} not supported")
    return _GRANTS[grant](world, form)


def _client_credentials(world: World, form: Form) -> Response:
    credentials = ClientCredentials.of_request(form)
    login = credentials.client_id.casefold()  # the login name is the username here
    user = next((user for user in world.users.values() if user.username.casefold() == login), None)
    if user is None:
        note(client=shown_client(credentials.client_id))
        raise OAuthError("invalid_client", "client not found", reason="no user has this login name")
    note(user=user.username)
    if not user.secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.NotExisting", reason="the user has no secret")
    if not same_secret(user.secret, credentials.client_secret):
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.Invalid", reason="wrong secret of the user")
    scopes = _allowed_scopes(world, user, form.find("scope"))
    return json_response(_issue(world, _active(user), scopes, amr=["pwd"]))


def _jwt_bearer(world: World, form: Form) -> Response:
    assertion = form.last("assertion")
    if not assertion:
        raise OAuthError("invalid_request", "assertion missing")
    user = None
    try:
        asserted = unverified_claims(assertion)
        user = world.users.get(str(asserted.get("iss")))
        check_assertion(world, assertion, asserted, user.keys if user else {})
    except (MalformedJWT, BadAssertion) as error:
        cause = error.reason if isinstance(error, BadAssertion) else error
        reason = f"assertion: {cause}" if user else "assertion: no user has the ID in iss"
        raise OAuthError("invalid_grant", "invalid assertion", parent=str(error), reason=reason) from error
    assert user is not None  # noqa: S101 - without keys, no assertion is good
    note(user=user.username)
    scopes = _allowed_scopes(world, user, form.find("scope"))
    return json_response(_issue(world, _active(user), scopes, amr=[]))


_GRANTS: dict[str, Callable[[World, Form], Response]] = {
    "client_credentials": _client_credentials,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
}


def _active(user: User) -> User:
    if user.state != "ACTIVE":
        state = "locked" if user.state == "LOCKED" else "deactivated"
        raise OAuthError("invalid_request", "Errors.User.NotActive", reason=f"the user is {state}")
    return user


def _allowed_scopes(world: World, user: User, scope: str | None) -> list[str]:
    """Return the scopes that exist, without those of other organizations. Raises OAuthError if there is none."""
    if scope is None:
        raise OAuthError("invalid_request", SCOPE_MISSING, reason="no scope")
    known = [s for s in scope.split(" ") if s in _KNOWN_SCOPES or s.startswith(_KNOWN_PREFIXES)]
    organization = world.organizations.get(user.organization_id)
    own = {
        f"{claims.ORGANIZATION_ID}:{user.organization_id}",
        f"{claims.ORGANIZATION_DOMAIN}:{organization.primary_domain if organization else ''}",
    }
    foreign = (f"{claims.ORGANIZATION_ID}:", f"{claims.ORGANIZATION_DOMAIN}:")
    return [scope for scope in known if scope in own or not scope.startswith(foreign)]


# --- new access tokens and ID tokens ---


def _issue(world: World, user: User, scopes: list[str], *, amr: list[str]) -> dict[str, Any]:
    """Issue an access token, and return the token response (RFC 6749 §5.1), which names no scope."""
    token = _new_token(world, user, scopes, amr)
    if user.jwt_access_tokens:
        token.token = signed(world, _access_token_claims(world, user, token, current_origin().issuer))
    world.add_session(token)
    answer: dict[str, Any] = {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS - 1,  # the whole seconds that remain when the response is written
    }
    if "openid" in scopes:
        answer["id_token"] = signed(world, _id_token_claims(world, user, token))
    return answer


def issue_jwt(world: World, user: User, project_id: str, issuer: str) -> str:
    """Issue an access token that is a JWT, for a project and with its roles, and return its text."""
    for_project = f"{claims.AUDIENCE_PREFIX}{project_id}{claims.AUDIENCE_SUFFIX}"
    token = _new_token(world, user, ["openid", "profile", for_project, claims.ROLES_SCOPE], ["pwd"])
    token.token = signed(world, _access_token_claims(world, user, token, issuer))
    world.add_session(token)
    return token.token


def _new_token(world: World, user: User, scopes: list[str], amr: list[str]) -> SessionToken:
    now = world.now()
    token_id = f"V2_{world.new_id()}-at_{world.new_id()}"
    return SessionToken(
        id=token_id,
        created=now,
        user_id=user.id,
        token=new_token_text(token_id, user.id),
        expires=int(now) + LIFETIME_SECONDS,
        scopes=scopes,
        audience=claims.audience(world, scopes),
        client_id=user.username,
        amr=amr,
        auth_time=now,
    )


def _access_token_claims(world: World, user: User, token: SessionToken, issuer: str) -> dict[str, Any]:
    """Return the claims of a JWT access token: no scope, no name, and only the roles that the scopes request."""
    issued = int(token.created)
    return {
        "iss": issuer,
        "sub": user.id,
        "aud": token.audience or [token.client_id],
        "exp": int(token.expires),
        "iat": issued,
        "nbf": issued,
        "client_id": token.client_id,
        "jti": token.id,
        **_requested(world, user, token),
    }


def _id_token_claims(world: World, user: User, token: SessionToken) -> dict[str, Any]:
    """Return the claims of an ID token, which for a key assertion expires at once (ZITADEL v4)."""
    issued = int(token.created)
    by_password = {"amr": token.amr} if token.amr else {}
    return {
        "iss": current_origin().issuer,
        "sub": user.id,
        "aud": [*token.audience, token.client_id],
        "exp": int(token.expires) if token.amr else issued,
        "iat": issued,
        "auth_time": int(token.auth_time),
        **by_password,
        "azp": token.client_id,
        "client_id": token.client_id,
        "at_hash": encoded(hashlib.sha256(token.token.encode()).digest()[:16]),
        **_requested(world, user, token),
    }


def _requested(world: World, user: User, token: SessionToken) -> dict[str, Any]:
    return claims.custom_claims(world, user, token.scopes) | claims.requested_roles(world, user, token.scopes)
