"""The keys that sign the JWTs of a world, ZITADEL's web keys: published, then activated, valid until removed."""

import hashlib
import time
from dataclasses import replace
from functools import cache
from typing import Any

from zdemo.emulator.entities import SigningKey, new_ids
from zdemo.emulator.token_texts import KEY_BITS, encoded
from zdemo.emulator.world import World

JWK_FIELDS = ("use", "kty", "kid", "crv", "alg", "x", "y", "n", "e")


def signing_keys(world: World) -> dict[str, SigningKey]:
    """Return the keys by their IDs: first the key that signs, then the others."""
    if not world.signing_keys:
        world.signing_keys = {key.id: replace(key) for key in _first_keys()}
    return world.signing_keys


@cache
def _first_keys() -> tuple[SigningKey, ...]:
    """Return the first keys of all worlds of this process, since making one takes 50 ms."""
    ids, now = new_ids(time.time), time.time()
    return tuple(SigningKey(id=next(ids), created=now, private=_private_key("RS256")) for _ in range(2))


def _private_key(algorithm: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "RS256":
        return rsa.generate_private_key(65537, KEY_BITS)
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else ec.generate_private_key(ec.SECP256R1())


def add_signing_key(world: World, algorithm: str) -> SigningKey:
    """Publish a new key."""
    key = SigningKey(id=world.new_id(), created=world.now(), algorithm=algorithm, private=_private_key(algorithm))
    signing_keys(world)[key.id] = key
    return key


def activate(world: World, key: SigningKey) -> float:
    """Sign with this key from now on, and return when it changed; the former key stays valid, and can sign again."""
    world.touch(_first(world))
    world.signing_keys = {key.id: key} | world.signing_keys
    return world.touch(key)


def rotate(world: World, *, remove_old: bool = False) -> None:
    """Sign with a new key that no client has seen; ``remove_old`` ends the JWTs of the old keys."""
    with world.lock:
        activate(world, key := add_signing_key(world, "RS256"))
        if remove_old:
            world.signing_keys = {key.id: key}


def _first(world: World) -> SigningKey:
    return next(iter(signing_keys(world).values()))


def signed(world: World, claims: dict[str, Any]) -> str:
    """Return a JWT with these claims."""
    import jwt

    key = _first(world)
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"kid": key.id})


def half_hash(world: World, text: str) -> str:
    """Return the hash of a token for the ID token beside it (OpenID Connect Core §3.1.3.6)."""
    digest = (hashlib.sha512 if _first(world).algorithm == "EdDSA" else hashlib.sha256)(text.encode()).digest()
    return encoded(digest[: len(digest) // 2])


def jwk_set(world: World) -> dict[str, Any]:
    """Return the public keys (RFC 7517 §5)."""
    import jwt

    published = []
    for key in signing_keys(world).values():
        public = jwt.get_algorithm_by_name(key.algorithm).to_jwk(key.private.public_key(), as_dict=True)
        fields = public | {"use": "sig", "kid": key.id, "alg": key.algorithm}
        published.append({name: fields[name] for name in JWK_FIELDS if name in fields})
    return {"keys": published}
