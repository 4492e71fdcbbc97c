"""Texts of the forms that ZITADEL's tokens have since v4.14: a JWE of five parts (RFC 7516), with random content."""

from __future__ import annotations

import base64
import json
import secrets

SEALED_BYTES = {"PAT": 37, "access token": 62, "refresh token": 62, "session": 42, "code": 21}


def jwe(kind: str, *, id_length: int = 18, alg: str = "A256GCMKW", enc: str = "A256GCM", kid: str = "oidcKey") -> str:
    """Return a text of the form of such a token, whose user's ID has ``id_length`` characters."""
    names = {"alg": alg, "enc": enc, "iv": secrets.token_urlsafe(12), "kid": kid, "tag": secrets.token_urlsafe(16)}
    if kind in ("access token", "code"):
        del names["kid"]
    sealed = SEALED_BYTES[kind] + (0 if kind == "code" else id_length - 18)
    header = json.dumps(names, separators=(",", ":")).encode()
    parts = (header, *map(secrets.token_bytes, (32, 12, sealed, 16)))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
