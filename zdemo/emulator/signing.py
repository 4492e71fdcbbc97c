"""The keys with which an instance signs its JWTs, and the signatures of others.

Keys are made when the first one is needed, and cryptography and PyJWT are imported no earlier, so that an emulator
starts in milliseconds.
"""

import json
from typing import Any
from weakref import WeakKeyDictionary

from zdemo.emulator.credentials import decoded, encoded, new_key_pair
from zdemo.emulator.world import World

ALGORITHM = "RS256"


class MalformedJWT(ValueError):
    """A text that is not a JWT; the message is ZITADEL's reason."""


class BadSignature(ValueError):
    """A JWT that none of the known keys signed."""


# The private keys by their IDs, the current one and the next, kept outside the worlds so that a world needs no
# cryptography; a world that is served again keeps its keys.
_KEYS: WeakKeyDictionary[World, dict[str, Any]] = WeakKeyDictionary()


def signed(world: World, claims: dict[str, Any]) -> str:
    """Return a JWT with these claims, signed with the world's current key."""
    import jwt

    kid, private = next(iter(_keys(world).items()))
    return jwt.encode(claims, private, algorithm=ALGORITHM, headers={"kid": kid})


def verify(world: World, token: str) -> None:
    """Check a JWT's signature. Raises BadSignature if none of the world's keys signed it."""
    public = {kid: private.public_key() for kid, private in _KEYS.get(world, {}).items()}
    verify_with(public, token, [ALGORITHM])


def verify_with(keys: dict[str, Any], token: str, algorithms: list[str]) -> None:
    """Check a JWT's signature with the key that its ``kid`` names; a key is a PEM or a loaded public key.

    Raises BadSignature: an unknown ``kid``, another algorithm or a wrong signature.
    """
    import jwt

    kid = key_id_of(token)
    if kid not in keys:
        raise BadSignature("invalid signature (cannot decode, empty data)")
    try:
        jwt.PyJWS().decode(token, keys[kid], algorithms=algorithms)
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise BadSignature("invalid signature") from error


def key_id_of(token: str) -> Any:
    """Return the ``kid`` of a JWT, which should be a text. Raises BadSignature if its header cannot be read."""
    import jwt

    try:
        return jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError, ValueError) as error:
        raise BadSignature("invalid signature") from error


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature.

    Raises MalformedJWT if it does not have three parts, or its payload is not a JSON object.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedJWT("token contains an invalid number of segments")
    payload = decoded(parts[1])
    try:
        claims = json.loads(payload or b"")
    except (ValueError, RecursionError) as error:
        raise MalformedJWT("malformed jwt payload") from error
    if not isinstance(claims, dict):
        raise MalformedJWT("malformed jwt payload")
    return claims


def jwk_set(world: World) -> dict[str, Any]:
    """Return the public keys, the current one and the next (RFC 7517 §5)."""
    numbers = {kid: private.public_key().public_numbers() for kid, private in _keys(world).items()}
    return {
        "keys": [
            {
                "use": "sig",
                "kty": "RSA",
                "kid": kid,
                "alg": ALGORITHM,
                "n": _base64url_uint(n.n),
                "e": _base64url_uint(n.e),
            }
            for kid, n in numbers.items()
        ]
    }


def _base64url_uint(number: int) -> str:
    """Return an integer in the form of RFC 7518 §2."""
    return encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _keys(world: World) -> dict[str, Any]:
    """Return the world's keys, made at the first call; the caller holds ``world.lock``."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if world not in _KEYS:
        pems = [new_key_pair()[0] for _ in range(2)]
        _KEYS[world] = {world.new_id(): load_pem_private_key(pem.encode(), password=None) for pem in pems}
    return _KEYS[world]
