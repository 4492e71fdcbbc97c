"""The keys with which an instance signs its JWTs, and the signatures of others.

Keys are made when the first one is needed, and cryptography and PyJWT are imported no earlier, so that an emulator
starts in milliseconds.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from zdemo.emulator.credentials import decoded, encoded, new_key_pair
from zdemo.emulator.world import World

ALGORITHM = "RS256"


class MalformedJWT(ValueError):
    """A text that is not a JWT; the message is ZITADEL's reason."""


class BadSignature(ValueError):
    """A JWT that none of the known keys signed."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A loaded key pair; its ``kid`` is an ID like all others."""

    kid: str
    private: Any = field(repr=False)
    public: Any


# Kept outside the worlds, so that a world needs no cryptography; a world that is served again keeps its keys.
_KEYS: WeakKeyDictionary[World, tuple[SigningKey, SigningKey]] = WeakKeyDictionary()


def signed(world: World, claims: dict[str, Any]) -> str:
    """Return a JWT with these claims, signed with the world's current key."""
    import jwt

    key = _keys(world)[0]
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})


def verify(world: World, token: str) -> None:
    """Check a JWT's signature.

    Raises:
        BadSignature: none of the world's keys signed it.
    """
    keys = {key.kid: key.public for key in _KEYS.get(world, ())}
    verify_with(keys, token, [ALGORITHM])


def verify_with(keys: dict[str, Any], token: str, algorithms: list[str]) -> None:
    """Check a JWT's signature with the key that its ``kid`` names; a key is a PEM or a loaded public key.

    Raises:
        BadSignature: an unknown ``kid``, another algorithm or a wrong signature.
    """
    import jwt

    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError, ValueError) as error:
        raise BadSignature("invalid signature") from error
    if kid not in keys:
        raise BadSignature("invalid signature (cannot decode, empty data)")
    try:
        jwt.PyJWS().decode(token, keys[kid], algorithms=algorithms)
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise BadSignature("invalid signature") from error


def unverified_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature.

    Raises:
        MalformedJWT: it does not have three parts, or its payload is not a JSON object.
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
    return {"keys": [_jwk(key) for key in _keys(world)]}


def _jwk(key: SigningKey) -> dict[str, str]:
    numbers = key.public.public_numbers()
    return {
        "use": "sig",
        "kty": "RSA",
        "kid": key.kid,
        "alg": ALGORITHM,
        "n": _base64url_uint(numbers.n),
        "e": _base64url_uint(numbers.e),
    }


def _base64url_uint(number: int) -> str:
    """Return an integer in the form of RFC 7518 §2."""
    return encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _keys(world: World) -> tuple[SigningKey, SigningKey]:
    """Return the world's keys, made at the first call; the caller holds ``world.lock``."""
    if world not in _KEYS:
        _KEYS[world] = (_new_key(world), _new_key(world))
    return _KEYS[world]


def _new_key(world: World) -> SigningKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private_pem, _ = new_key_pair()
    private = load_pem_private_key(private_pem.encode(), password=None)
    return SigningKey(kid=world.new_id(), private=private, public=private.public_key())
