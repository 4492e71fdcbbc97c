"""Find the live token behind a text, or the reason why there is none; sign JWTs, and check their signatures."""

import json
import threading
import time
from typing import Any

from zdemo.emulator.entities import IdGenerator, PersonalAccessToken, SessionToken, User
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.request_records import ago, note
from zdemo.emulator.token_texts import KEY_BITS, LINE_ENDS, canonical, decoded
from zdemo.emulator.world import World

Token = PersonalAccessToken | SessionToken

UNKNOWN = "unknown token"
NO_KEY = "invalid signature (cannot decode, empty data)"
OLD_IV_BYTES = 16  # with which the content of a token from before v4.14 begins

_INVALID = "token is not valid or has expired"
_NO_SUCH_TOKEN = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-4T90g Message=Errors.Token.NotFound)"
_ENDED_PAT = f"ID=OIDC-Dsfb2 Message={_INVALID} Parent=(ID=EVENT-5Bm9s Message=Errors.Token.NotFound)"
_ENDED_SESSION = "ID=QUERY-M2u9w Message=Errors.OIDCSession.Token.Invalid"
_EXPIRED_SESSION = "ID=QUERY-SAF3rf Message=Errors.OIDCSession.Token.Expired"


class TokenRefused(Exception):
    """A token, JWT or assertion that is refused; the message is what ZITADEL logs, ``reason`` the exact cause."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


def live_token(world: World, text: str) -> Token:
    """Return the live token behind a text; a JWT must name the request's issuer. Raises TokenRefused."""
    token_id, user_id = world.token_ids.get(canonical(text)) or _ids_in_jwt(world, text.translate(LINE_ENDS))
    user = world.users.get(user_id)
    token = world.session_tokens.get(token_id) or (user.pats.get(token_id) if user else None)
    if token is None or user is None or token.user_id != user.id:
        if ended := world.ended_tokens.get(token_id):
            note(user=ended.username)
        of_session = token_id.startswith("V2_")  # as IDs of tokens from the token endpoint do
        raise TokenRefused(_ENDED_SESSION if of_session else _ENDED_PAT, ended.why if ended else UNKNOWN)
    note(user=user.username)
    is_pat = isinstance(token, PersonalAccessToken)
    if user.state != "ACTIVE" or (isinstance(token, PersonalAccessToken) and token.dead):
        raise TokenRefused(_NO_SUCH_TOKEN, _why_dead(world, token, user))
    if token.expires <= world.now():
        raise TokenRefused(_ENDED_PAT if is_pat else _EXPIRED_SESSION, f"expired {ago(world.now() - token.expires)}")
    return token


def _ids_in_jwt(world: World, text: str) -> tuple[str, str]:
    if len(decoded(text) or b"") >= OLD_IV_BYTES:
        raise TokenRefused("ID=OIDC-rei1O Message=invalid token format", UNKNOWN)
    try:
        claims = own_claims(text)
    except TokenRefused as error:
        reason = str(error) if text.count(".") == 2 else UNKNOWN
        raise TokenRefused(f"ID=OIDC-Eib8e Message={_INVALID} Parent=({error})", reason) from error
    if claims["exp"] <= world.now():
        if user := world.users.get(claims["sub"]):
            note(user=user.username)
        reason = f"expired {ago(world.now() - claims['exp'])}"
        raise TokenRefused(f"ID=OIDC-Eib8e Message={_INVALID} Parent=(token has expired)", reason)
    return claims.get("jti", ""), claims["sub"]


def _why_dead(world: World, token: Token, user: User) -> str:
    if ended := world.ended_tokens.get(token.id):
        return ended.why
    if user.state != "ACTIVE":
        return f"the user is {'locked' if user.state == 'LOCKED' else 'deactivated'}"
    return "ZITADEL cannot read a PAT of a user whose ID has a colon"


# --- JWTs and their keys ---

ALGORITHM = "RS256"

# The private keys by their IDs, the current one and the next: one pair per process, since making a key takes 50 ms
_KEYS: dict[str, Any] = {}
_LOCK = threading.Lock()


def signed(claims: dict[str, Any]) -> str:
    """Return a JWT with these claims, signed with the current key."""
    import jwt

    kid, private = next(iter(_keys().items()))
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": kid})


def own_claims(text: str) -> dict[str, Any]:
    """Return the claims of a JWT of the current request's issuer, expired or not. Raises TokenRefused."""
    issuer, claims = current_origin().issuer, unverified_claims(text)
    if claims.get("iss") != issuer:
        raise TokenRefused(f"issuer does not match: Expected: {issuer}, got: {claims.get('iss')}")
    verify_with({kid: private.public_key() for kid, private in _keys().items()}, text, [ALGORITHM])
    return claims


def verify_with(keys: dict[str, Any], token: str, algorithms: list[str]) -> None:
    """Check a JWT's signature with the PEM or public key that its ``kid`` names. Raises TokenRefused."""
    import jwt

    kid = key_id_of(token)
    if kid not in keys:
        raise TokenRefused(NO_KEY)
    try:
        jwt.PyJWS().decode(token, keys[kid], algorithms=algorithms)
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
    payload = decoded(parts[1])
    try:
        claims = json.loads(payload or b"")
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused("malformed jwt payload")
    return claims


def jwk_set() -> dict[str, Any]:
    """Return the public keys, the current one and the next (RFC 7517 §5)."""
    from jwt.algorithms import RSAAlgorithm

    public = {kid: RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) for kid, private in _keys().items()}
    fixed = {"use": "sig", "kty": "RSA"}
    return {"keys": [{**fixed, "kid": kid, "alg": ALGORITHM, "n": p["n"], "e": p["e"]} for kid, p in public.items()]}


def _keys() -> dict[str, Any]:
    """Return the keys, made at the first call."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    with _LOCK:
        if not _KEYS:
            new_id = IdGenerator(time.time).new_id
            _KEYS.update({new_id(): rsa.generate_private_key(65537, KEY_BITS) for _ in range(2)})
        return _KEYS
