"""What is asked about a token: introspection (RFC 7662) with ZITADEL's additions, userinfo and revocation."""

from contextlib import suppress
from typing import Any

from flask import Response, request

from zdemo.emulator.entities import Application, PersonalAccessToken, Token
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.incoming.request_records import masked, note
from zdemo.emulator.oidc.client_authentication import Form, credentials_in, introspection_client, oidc_client
from zdemo.emulator.oidc.responses import JSON, OAuthError, json_response
from zdemo.emulator.oidc.user_claims import ROLE_SCOPE_PREFIX, introspection_roles, requested_roles, user_claims
from zdemo.emulator.token_texts import canonical
from zdemo.emulator.tokens import TokenRefused, live_token
from zdemo.emulator.world import World


def introspect(world: World, form: Form) -> Response:
    """Answer whether a token is active, once the asking application has authenticated."""
    client_id, secret, assertion = credentials_in(form)
    if not secret and not assertion:
        raise OAuthError("invalid_client", "client must be authenticated", reason="no client credentials")
    text = form.last("token")
    if not text:
        raise OAuthError("invalid_request", "token missing", reason="no token to introspect")
    note(token=masked(text))
    try:
        application = introspection_client(world, client_id, secret, assertion)
        token = live_token(world, text)
        answer = _active(world, token, application) | dict(world.answer_changes.get(token.id, {}))
        return json_response({name: value for name, value in answer.items() if value is not ...})
    except TokenRefused as refusal:
        note(reason=refusal.reason)
        return json_response({"active": False})


def _active(world: World, token: Token, application: Application) -> dict[str, Any]:
    """Return the answer in the order of ZITADEL's fields. Raises TokenRefused for a token for other applications."""
    user = world.users[token.user_id]
    audience, scopes = audience_and_scopes(world, token, application)
    claims = user_claims(world, user, scopes)
    claims |= introspection_roles(world, user, scopes, application.project_id)
    issued = int(token.created)
    answer = {
        "active": True,
        "scope": " ".join(scopes),
        "client_id": token.client_id,
        "token_type": "Bearer",
        "exp": int(token.expires),
        "iat": issued,
        "auth_time": token.auth_time and int(token.auth_time),
        "nbf": issued,
        "sub": user.id,
        "aud": audience,
        "amr": token.amr,
        "act": token.actor,
        "iss": current_origin().issuer,
        "jti": token.id,
        "username": claims.get("preferred_username"),
    }
    return {name: value for name, value in answer.items() if value} | claims


def audience_and_scopes(world: World, token: Token, application: Application) -> tuple[list[str], list[str]]:
    """Return audience and scopes; ZITADEL adds the application, its project and all its roles to those of a PAT.

    Raises TokenRefused for a token for other applications.
    """
    own = [application.client_id, application.project_id]
    if isinstance(token, PersonalAccessToken):
        return own, [*token.scopes, *(ROLE_SCOPE_PREFIX + key for key in world.projects[application.project_id].roles)]
    if not set(own) & set(token.audience):
        names = {project.id: f"project {project.name} ({project.id})" for project in world.projects.values()}
        names[world.zitadel_project_id] = "ZITADEL's own APIs"
        others = ", ".join(names.get(id, id) for id in token.audience) or "no project"
        raise TokenRefused(f"audience: the token is for {others}")
    return token.audience, token.scopes


def userinfo(world: World, form: Form) -> Response:
    """Answer who the user of a token is (OpenID Connect Core §5.3); its audience does not matter here."""
    parts = request.environ.get("HTTP_AUTHORIZATION", "").split("Bearer ")  # once, and in this case (ZITADEL)
    text = (parts[1] if len(parts) == 2 else "") or form.last("access_token")
    if not text:
        raise OAuthError("invalid_request", "access token missing", status=401, reason="no access token")
    note(token=masked(text))
    try:
        token = live_token(world, text)
    except TokenRefused as refusal:
        raise OAuthError("access_denied", "access token invalid", status=401, reason=refusal.reason) from refusal
    user = world.users[token.user_id]
    roles = requested_roles(world, user, token.scopes, world.application_of(token.client_id))
    return json_response({"sub": user.id} | user_claims(world, user, token.scopes) | roles)


def revoke(world: World, form: Form) -> Response:
    """End a token in whose audience the asking OIDC application is; an unknown one counts as ended (RFC 7009 §2.2)."""
    client = oidc_client(world, form)
    text = form.last("token")
    if not text:
        raise OAuthError("invalid_request", "token missing")
    refresh_token = world.refresh_tokens.get(canonical(text))
    with suppress(TokenRefused):
        token = refresh_token.access if refresh_token else live_token(world, text)
        if client.client_id not in token.audience:  # as a PAT's, which has none
            raise OAuthError("invalid_client", "token was not issued for this client", status=401)
        if refresh_token:
            refresh_token.ended = True
        world.end_access_token(token, Why.REVOKED)
    return Response(status=200, content_type=JSON)
