"""The grants for people who have logged in: a code, a device code (RFC 8628) and a refresh token (RFC 6749)."""

import secrets
from hashlib import sha256
from typing import Any

from flask import Response

from zdemo.emulator.entities import Application, AuthRequest
from zdemo.emulator.incoming import current_origin, note
from zdemo.emulator.login.sessions import live_session, request_of_code
from zdemo.emulator.oidc.client_authentication import Form, oidc_client
from zdemo.emulator.oidc.issuing import active, known_scopes, login_token, new_token, token_answer
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.token_texts import canonical, encoded, same_secret
from zdemo.emulator.world import World, keep

DEVICE_PAGE = "/device"
CODE_BYTES = 16
USER_CODE_CHARACTERS = "BCDFGHJKLMNPQRSTVWXZ"
LIFETIME_SECONDS, INTERVAL_SECONDS = 300, 5
PENDING = (
    "The client SHOULD repeat the access token request to the token endpoint, after interval from device "
    "authorization response."
)


def authorization_code(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Exchange a code, once, for the tokens of a login."""
    request = request_of_code(world, form.last("code"))
    if request is None:
        raise OAuthError("invalid_request", "Errors.User.Code.Invalid", reason="the code is unknown or too old")
    if not request.code:
        raise OAuthError("invalid_request", "Errors.AuthRequest.NoCode", reason="the code was used before")
    _check_client(application, request.client_id)
    if request.challenge or application.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE":
        _check_verifier(request, form.last("code_verifier"))
    if form.last("redirect_uri") != request.redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri does not correspond")
    return _tokens(world, application, request)


def device_authorization(world: World, form: Form) -> Response:
    """Keep the request of a device, also of an application without the grant type (ZITADEL)."""
    client = oidc_client(world, form)
    code, page = secrets.token_urlsafe(CODE_BYTES), current_origin().issuer + DEVICE_PAGE
    shown = "".join(secrets.choice(USER_CODE_CHARACTERS) for _ in range(8))
    made = AuthRequest(
        id=code,
        created=world.now(),
        client_id=client.client_id,
        scopes=known_scopes(form.last("scope")),
        code=code,
        user_code=f"{shown[:4]}-{shown[4:]}",
    )
    keep(world.device_requests, code, made)
    return json_response(
        {
            "device_code": code,
            "user_code": made.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={made.user_code}",
            "expires_in": LIFETIME_SECONDS,
            "interval": INTERVAL_SECONDS,
        }
    )


def device_code(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Give a device its tokens, once, when the person said yes. Raises OAuthError until then."""
    request = world.device_requests.get(form.last("device_code"))
    _check_client(application, request.client_id if request else "")
    assert request  # noqa: S101 - every client has an ID
    if not request.answered:
        if request.created + LIFETIME_SECONDS <= world.now():
            raise OAuthError("expired_token", 'The "device_code" has expired.')
        raise OAuthError("authorization_pending", PENDING)
    if not request.session_id:
        raise OAuthError("access_denied", "The authorization request was denied.")
    if not request.code:
        raise OAuthError("invalid_grant", reason="the device code was used")
    return _tokens(world, application, request)


def _tokens(world: World, application: Application, request: AuthRequest) -> dict[str, Any]:
    session = live_session(world, request.session_id)
    if session is None:
        raise OAuthError("invalid_request", "Errors.Session.Terminated")
    token = login_token(world, application, session, request.scopes, request.nonce)
    note(user=world.users[token.user_id].username)
    request.code = ""
    return token_answer(world, token, application)


def refresh_token(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Exchange a refresh token, once, for new tokens; the access token from before ends too."""
    held = world.refresh_tokens.get(canonical(form.last("refresh_token")))
    if held is None:
        raise OAuthError("invalid_request", "Errors.User.RefreshToken.Invalid", reason="unknown refresh token")
    if held.ended or held.expires <= world.now():
        reason = "the refresh token was used or has ended"
        raise OAuthError("invalid_request", "Errors.OIDCSession.RefreshTokenInvalid", reason=reason)
    old = held.access
    _check_client(application, old.client_id, "refresh token")
    scopes = known_scopes(form.last("scope")) if form.last("scope") else held.scopes
    if not set(scopes) <= set(held.scopes):
        raise OAuthError("invalid_scope")
    user = active(world.users[old.user_id])
    note(user=user.username)
    held.ended = True
    world.end_access_token(old, "the token was replaced by a refresh")
    login = {name: getattr(old, name) for name in ("amr", "auth_time", "session_id", "nonce", "actor")}
    token = new_token(world, user, old.client_id, scopes, old.audience, **login)
    return token_answer(world, token, application, login_scopes=held.scopes)


def _check_client(application: Application, client_id: str, where: str = "authorization request") -> None:
    if application.client_id != client_id:
        raise OAuthError("invalid_client", f"client_id does not correspond to the client_id in the {where}")


def _check_verifier(request: AuthRequest, verifier: str) -> None:
    """Check the proof of who began the login (RFC 7636 §4.6); any method but S256 counts as plain (ZITADEL)."""
    if not verifier:
        raise OAuthError("invalid_request", "code_verifier required")
    hashed = request.challenge_method == "S256"
    proof = encoded(sha256(verifier.encode()).digest()) if hashed else verifier
    if not same_secret(request.challenge, proof):
        raise OAuthError("invalid_grant", "invalid code_verifier")
