"""The texts of tokens, secrets and keys, in the shapes in which ZITADEL makes them.

An opaque token is a random initialization vector and, encrypted, ``tokenID:userID``. It has no checksum, so only its
length tells it from random text: with 18-digit IDs, 71 characters for a PAT and 104 for an access token.
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
_KEY = secrets.token_bytes(32)  # one per process: worlds live in memory, and no token outlives them


def new_token_text(token_id: str, user_id: str) -> str:
    """Return the text of a new opaque token."""
    iv = secrets.token_bytes(IV_BYTES)
    return encoded(iv + _crypted(iv, f"{token_id}:{user_id}".encode()))


def ids_in_token(text: str) -> tuple[str, str] | None:
    """Return the token ID and the user ID in a token of this process; for any other text, nonsense or None."""
    content = decoded(text)
    if content is None or len(content) < IV_BYTES:
        return None
    parts = _crypted(content[:IV_BYTES], content[IV_BYTES:]).decode("latin-1").split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else None


def decoded(text: str) -> bytes | None:
    """Return the bytes of base64url without padding, or None when it is not base64url.

    As in Go, line ends and the spare bits of the last character are ignored, so four spellings mean the same.
    """
    text = without_line_ends(text)
    if len(text) % 4 == 1 or not _BASE64URL.fullmatch(text):
        return None
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def without_line_ends(text: str) -> str:
    """Return a text as Go's base64 decoder reads it."""
    return text.translate(_LINE_ENDS)


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def new_secret() -> str:
    """Return a client secret of 64 letters and digits."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(SECRET_LENGTH))


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


def _crypted(iv: bytes, data: bytes) -> bytes:
    """Return ``data`` mixed with a key stream; a second time gives ``data`` again."""
    stream = hashlib.shake_256(_KEY + iv).digest(len(data))
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")  # 70 times faster than byte by byte
    return mixed.to_bytes(len(data), "big")
