"""The grants of the token endpoint for people who have logged in: a code, and a refresh token (RFC 6749 §4.1, §6)."""

from hashlib import sha256

from flask import Response

from zdemo.emulator.entities import Application, AuthRequest
from zdemo.emulator.incoming import note
from zdemo.emulator.login.auth_requests import request_of_code
from zdemo.emulator.login.sessions import live_session
from zdemo.emulator.oidc.client_authentication import ClientCredentials, Form, oidc_client, same_secret
from zdemo.emulator.oidc.issuing import active, known_scopes, login_token, need_grant, new_token, token_answer
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.token_texts import canonical, encoded
from zdemo.emulator.world import World


def authorization_code(world: World, form: Form) -> Response:
    """Exchange a code, once, for the tokens of a login."""
    application = oidc_client(world, ClientCredentials.of_request(form))
    need_grant(application, "AUTHORIZATION_CODE", "authorization_code")
    for name in ("code", "redirect_uri"):
        if not form.last(name):
            raise OAuthError("invalid_request", f"{name} missing")
    request = request_of_code(world, form.last("code"))
    if request is None:
        raise OAuthError("invalid_request", "Errors.User.Code.Invalid", reason="the code is unknown or too old")
    if not request.code:
        raise OAuthError("invalid_request", "Errors.AuthRequest.NoCode", reason="the code was used before")
    session = live_session(world, request.session_id)
    if session is None:
        raise OAuthError("invalid_request", "Errors.Session.Terminated")
    _check_client(application, request.client_id, "authorization request")
    if request.challenge or application.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE":
        _check_verifier(request, form.last("code_verifier"))
    if form.last("redirect_uri") != request.redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri does not correspond")
    token = login_token(world, application, session, request.scopes, request.nonce)
    note(user=world.users[token.user_id].username)
    request.code = ""
    return json_response(token_answer(world, token, application))


def refresh_token(world: World, form: Form) -> Response:
    """Exchange a refresh token, once, for new tokens; the access token from before ends too."""
    application = oidc_client(world, ClientCredentials.of_request(form))
    need_grant(application, "REFRESH_TOKEN", "refresh_token")
    if not form.last("refresh_token"):
        raise OAuthError("invalid_request", "refresh_token missing")
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
    login = {name: getattr(old, name) for name in ("amr", "auth_time", "session_id", "nonce")}
    token = new_token(world, user, old.client_id, scopes, old.audience, **login)
    return json_response(token_answer(world, token, application, login_scopes=held.scopes))


def _check_client(application: Application, client_id: str, where: str) -> None:
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
