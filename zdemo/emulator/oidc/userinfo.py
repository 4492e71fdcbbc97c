"""The userinfo endpoint (OpenID Connect Core §5.3)."""

import logging

from flask import Response, request

from zdemo.emulator.claims import requested_roles, user_claims
from zdemo.emulator.oidc.forms import Form
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.tokens import TokenRefused, live_token, owner
from zdemo.emulator.world import World

log = logging.getLogger("zdemo.emulator")


def userinfo(world: World) -> Response:
    """Answer who the user of a token is; its audience does not matter here."""
    text = _bearer_token(request.environ.get("HTTP_AUTHORIZATION", "")) or Form.of_request().last("access_token")
    if not text:
        raise OAuthError("invalid_request", "access token missing", status=401)
    try:
        token = live_token(world, text)
    except TokenRefused as refusal:
        log.info("userinfo: token refused: %s", refusal)
        raise OAuthError("access_denied", "access token invalid", status=401, parent=str(refusal)) from refusal
    user = owner(world, token)
    claims = user_claims(world, user, token.scopes) | requested_roles(world, user, token.scopes)
    return json_response({"sub": user.id} | claims)


def _bearer_token(header: str) -> str:
    """Return what follows ``Bearer ``, which must occur exactly once and in this case (ZITADEL)."""
    parts = header.split("Bearer ")
    return parts[1] if len(parts) == 2 else ""
