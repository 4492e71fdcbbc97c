"""Find the live token behind a text, or the reason why there is none; read JWTs, and check their signatures."""

import json
from typing import Any

from zdemo.emulator.entities import Token
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Reason, Why
from zdemo.emulator.incoming.request_records import note
from zdemo.emulator.signing_keys import signing_keys
from zdemo.emulator.token_texts import LINE_ENDS, canonical, decoded
from zdemo.emulator.world import World


class TokenRefused(Exception):
    """A token, JWT or assertion that is refused, and exactly why."""

    def __init__(self, reason: Reason | str) -> None:
        super().__init__(reason)
        self.reason = reason

    def about(self, what: str) -> Reason | str:
        """Return the reason with what it is about."""
        return self.reason._replace(about=what) if isinstance(self.reason, Reason) else what + self.reason


def live_token(world: World, text: str) -> Token:
    """Return the live token behind a text; a JWT must name the request's issuer. Raises TokenRefused."""
    token_id, user_id = world.token_ids.get(canonical(text)) or _ids_in_jwt(world, text.translate(LINE_ENDS))
    user, (_, ended) = world.users.get(user_id), world.ended_tokens.get(token_id, (None, None))
    token = world.session_tokens.get(token_id) or (user.pats.get(token_id) if user else None)
    if token is None or user is None or token.user_id != user.id:
        note(user=ended.name if ended else "")
        raise TokenRefused(ended or unknown(world))
    note(user=user.username)
    if ":" in user.id and text.count(".") != 2:
        raise TokenRefused("ZITADEL cannot read an opaque token of a user whose ID has a colon")
    if user.state != "ACTIVE" or token.dead:
        state = "locked" if user.state == "LOCKED" else "deactivated"
        why = Why.USER_WAS_OFF if user.state == "ACTIVE" else ended and ended.why
        raise TokenRefused(Reason(why, name=user.username) if why else f"the user is {state}")
    if token.expires <= world.now():
        raise TokenRefused(Reason(Why.EXPIRED, world.now() - token.expires))
    return token


def unknown(world: World, why: Why = Why.TOKEN_UNKNOWN) -> Reason:
    """Return that something is unknown, and for how long the emulator has been running."""
    return Reason(why, world.now() - world.started)


def _ids_in_jwt(world: World, text: str) -> tuple[str, str]:
    if text.count(".") != 2:
        raise TokenRefused(unknown(world))
    claims = own_claims(world, text)
    return claims.get("jti", ""), claims["sub"]


# --- JWTs ---


def own_claims(world: World, text: str) -> dict[str, Any]:
    """Return the claims of a JWT of the current request's issuer, expired or not. Raises TokenRefused."""
    issuer, claims = current_origin().issuer, unverified_claims(text)
    if claims.get("iss") != issuer:
        raise TokenRefused(f"issuer does not match: Expected: {issuer}, got: {claims.get('iss')}")
    key = signing_keys(world).get(key_id_of(text))
    verify_with(key.private.public_key() if key else None, text, [key.algorithm] if key else [])
    return claims


def verify_with(key: Any, token: str, algorithms: list[str]) -> None:
    """Check a JWT's signature with the PEM or public key that its ``kid`` names, or None. Raises TokenRefused."""
    import jwt

    if key is None:
        raise TokenRefused(Reason(Why.KEY_DELETED))
    try:
        jwt.PyJWS().decode(token, key, algorithms=algorithms)
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise TokenRefused("invalid signature") from error


def key_id_of(token: str) -> Any:
    """Return the ``kid`` of a JWT, a text or None. Raises TokenRefused if its header cannot be read."""
    import jwt

    try:
        return jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError, ValueError) as error:
        raise TokenRefused("invalid signature") from error


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature. Raises TokenRefused."""
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenRefused("token contains an invalid number of segments")
    try:
        claims = json.loads(decoded(parts[1]) or b"")
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused("malformed jwt payload")
    return claims
