"""The texts of tokens, secrets and keys, in the shapes in which ZITADEL makes them.

An opaque token is a JWE (RFC 7516) around ``tokenID:userID``. From outside, only its ``kid`` and its length tell its
kind: with 18-digit IDs, a PAT has 277 characters and an access token 288. Tokens from before v4.14 are base64url
without dots, and stay valid.
"""

import json
import re
import secrets
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

from zdemo.emulator.entities import Application, PublicKey, User, moment

JWE_PARTS = 5
PAT_KEY_NAME = "oidcKey"  # the kid of PATs; access tokens have none
SECRET_LENGTH = 64
KEY_BITS = 2048

LINE_ENDS = str.maketrans("", "", "\r\n")  # which Go's base64 decoder skips


def new_token_text(token_id: str, user_id: str, kid: str = "") -> str:
    """Return the text of a new opaque token."""
    return sealed(f"{token_id}:{user_id}", kid)


def sealed(content: str, kid: str = "") -> str:
    """Return the text of a JWE with A256GCMKW and A256GCM (RFC 7518 §4.7 and §5.3).

    It is random, because encrypted text looks random; the world knows the content.
    """
    iv, tag, *parts = (secrets.token_bytes(size) for size in (12, 16, 32, 12, len(content.encode()), 16))
    header = {"alg": "A256GCMKW", "enc": "A256GCM", "iv": encoded(iv)}
    header |= ({"kid": kid} if kid else {}) | {"tag": encoded(tag)}
    protected = encoded(json.dumps(header, separators=(",", ":")).encode())
    return ".".join((protected, *map(encoded, parts)))


def canonical(text: str) -> str:
    """Return the one spelling of an opaque token, or an empty text if this cannot be one.

    As in Go, a JWE can be JSON (RFC 7516 §7.2.2), blanks in its other form and line ends are ignored, and so are the
    spare bits at the end of a part.
    """
    if text.lstrip().startswith("{"):
        try:
            members = json.loads(text)
            text = ".".join(str(members[name]) for name in ("protected", "encrypted_key", "iv", "ciphertext", "tag"))
        except (ValueError, KeyError, RecursionError):
            return ""
    parts = "".join(text.split()).split(".")
    contents = [decoded(part) for part in (parts if len(parts) == JWE_PARTS else [text])]
    return ".".join(encoded(content) for content in contents if content) if all(contents) else ""


def decoded(text: str) -> bytes | None:
    """Return the bytes of base64url without padding, or None; line ends and spare bits are ignored, as in Go."""
    text = text.translate(LINE_ENDS)
    if len(text) % 4 == 1 or not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        return None
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def new_secret() -> str:
    """Return a client secret of 64 letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(SECRET_LENGTH))


def new_key_pair() -> tuple[str, str]:
    """Return the private half (PKCS#1) and the public half of a new RSA key as PEM, which takes about 50 ms."""
    # cryptography costs as much start-up time as Flask, and few worlds ever need a key
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def key_file(owner: Application | User, key: PublicKey, private: str) -> str:
    """Return the key file of an application that uses private_key_jwt, or of a service account."""
    if isinstance(owner, User):
        kind, more = "serviceaccount", {"expirationDate": moment(key.expires), "userId": owner.id}
    else:
        kind, more = "application", {"appId": owner.id, "clientId": owner.client_id}
    return json.dumps({"type": kind, "keyId": key.id, "key": private, **more}, separators=(",", ":"))
