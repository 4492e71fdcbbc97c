"""The texts of tokens, secrets and keys, in the shapes in which ZITADEL makes them.

An opaque token is a random initialization vector and, encrypted, ``tokenID:userID``: without a check sum, so
that nothing tells it from random text of the same length, but with its length known from the two IDs
(ZITADEL: 71 characters for a personal access token, 104 for an access token).
"""

import hashlib
import re
import secrets
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode

IV_BYTES = 16
SECRET_LENGTH = 64
KEY_BITS = 2048

_ALPHANUMERIC = string.ascii_letters + string.digits
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_LINE_ENDS = str.maketrans("", "", "\r\n")
_KEY = secrets.token_bytes(32)  # of this process: worlds live in memory, and no token outlives them


def new_pat_text(token_id: str, user_id: str) -> str:
    """A new personal access token: 71 characters for two 18-digit IDs."""
    return _sealed(f"{token_id}:{user_id}")


def new_access_token_text(token_id: str, user_id: str) -> str:
    """A new opaque access token for a ``V2_…-at_…`` ID: 104 characters for 18-digit IDs."""
    return _sealed(f"{token_id}:{user_id}")


def ids_in_token(text: str) -> tuple[str, str] | None:
    """The token ID and the user ID in a text sealed by this process; anything else gives None or nonsense."""
    sealed = decoded(text)
    if sealed is None or len(sealed) < IV_BYTES:
        return None
    iv, hidden = sealed[:IV_BYTES], sealed[IV_BYTES:]
    parts = _crypted(iv, hidden).decode("latin-1").split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else None


def decoded(text: str) -> bytes | None:
    """The bytes of base64url without padding, as Go decodes it: line ends are ignored, and so are the spare
    bits of the last character, so that four spellings mean the same. None: no base64url.
    """
    text = without_line_ends(text)
    if len(text) % 4 == 1 or not _BASE64URL.fullmatch(text):
        return None
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def without_line_ends(text: str) -> str:
    """A text as Go's base64 decoder sees it."""
    return text.translate(_LINE_ENDS)


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def new_secret() -> str:
    """A client secret: 64 letters and digits."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(SECRET_LENGTH))


def new_key_pair() -> tuple[str, str]:
    """The private and the public half of a new RSA key, as PEM (the private one in PKCS#1). Takes some 50 ms."""
    # cryptography costs as much start-up time as Flask, and few worlds ever need a key
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def _sealed(plain: str) -> str:
    iv = secrets.token_bytes(IV_BYTES)
    return encoded(iv + _crypted(iv, plain.encode()))


def _crypted(iv: bytes, data: bytes) -> bytes:
    """``data`` mixed with a key stream; applied twice it gives ``data`` again."""
    stream = hashlib.shake_256(_KEY + iv).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))
