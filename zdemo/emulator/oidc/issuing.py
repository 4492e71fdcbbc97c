"""New access tokens and ID tokens for service users."""

import hashlib
from typing import Any

from zdemo.emulator import host
from zdemo.emulator.claims import audience, custom_claims, requested_roles
from zdemo.emulator.credentials import encoded, new_token_text
from zdemo.emulator.entities import SessionToken, User
from zdemo.emulator.signing import signed
from zdemo.emulator.world import World

LIFETIME_SECONDS = 12 * 3600


def issue(world: World, user: User, scopes: list[str], *, amr: list[str]) -> dict[str, Any]:
    """Issue an access token, and return the token response (RFC 6749 §5.1), which names no scope."""
    token = _new_token(world, user, scopes, amr)
    if user.jwt_access_tokens:
        token.token = signed(world, _access_token_claims(world, user, token))
    world.session_tokens[token.id] = token
    answer: dict[str, Any] = {
        "access_token": token.token,
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS - 1,  # the whole seconds that remain when the response is written
    }
    if "openid" in scopes:
        answer["id_token"] = signed(world, _id_token_claims(world, user, token))
    return answer


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
        audience=audience(world, scopes),
        client_id=user.username,
        amr=amr,
        auth_time=now,
    )


def _access_token_claims(world: World, user: User, token: SessionToken) -> dict[str, Any]:
    """Return the claims of a JWT access token: no scope, no name, and only the roles that the scopes request."""
    issued = int(token.created)
    return {
        "iss": host.current().issuer,
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
        "iss": host.current().issuer,
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
    return custom_claims(world, user, token.scopes) | requested_roles(world, user, token.scopes)
